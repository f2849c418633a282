import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "./display.js";
import { engine, registerEngine, registerKernels, setPrecision, startEngine } from "./engine.js";

test("the engine cpu tells what it is, and nothing of other packages", () => {
  const program = `
    import { startEngine } from ${JSON.stringify(new URL("./engine.js", import.meta.url))};
    import * as tf from ${JSON.stringify(import.meta.resolve("@tensorflow/tfjs-core"))};
    await startEngine({ backend: "cpu" });
    console.log(tf.add(1, 2).dataSync()[0]);
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
  assert.equal(stdout, "3\n", stderr);
  assert.match(stderr, /^metastate runs on cpu: plain JavaScript .*, as asked for\n$/);
});

test("the choice of an engine: the best that can run, what was asked for, and why not the others", async (t) => {
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  delete process.env.METASTATE_BACKEND;

  await t.test("before the start there is none, and the error says what to do", () => {
    assert.throws(() => engine(), /await startEngine\(\) first/);
  });

  await t.test("an unknown name lists the known ones", async () => {
    await assert.rejects(startEngine({ backend: "gpu", log }), {
      name: "ConfigurationError",
      message: /engine "gpu" is unknown, wanted one of wasm, cpu/,
    });
  });

  await t.test("an unknown precision lists the known ones", async () => {
    await assert.rejects(startEngine({ precision: "float16" as never, log }), {
      name: "ConfigurationError",
      message: /precision "float16" is unknown, wanted one of float32, tf32, bfloat16/,
    });
  });

  await t.test("an engine asked for that cannot run gives its reason", async () => {
    registerEngine({
      name: "cuda",
      priority: 400,
      start: () => Promise.resolve({ ready: false, reason: "no NVIDIA driver" }),
    });
    await assert.rejects(startEngine({ backend: "cuda", log }), /engine "cuda" cannot run \(cuda: no NVIDIA driver\)/);
  });

  await t.test("the highest that runs is taken, told, and its kernels added", async () => {
    registerEngine({ name: "broken", priority: 300, start: () => Promise.reject(new Error("it broke")) });
    registerEngine({
      name: "quiet",
      priority: 200,
      onlyWhenAsked: true,
      start: () => Promise.resolve({ ready: true, backend: "cpu", device: "never" }),
    });
    registerKernels({
      name: "fast ops",
      register: (backend) => Promise.resolve({ kernels: ["Wkv7"], detail: `for ${backend}` }),
    });
    registerKernels({
      name: "slow ops",
      register: () => Promise.resolve({ kernels: [], reason: "not built" }),
    });
    const [info, again] = await Promise.all([startEngine({ log }), startEngine({ backend: "cpu", log })]);
    assert.equal(info, again, "a second start gives the same answer");
    assert.equal(info.name, "wasm");
    assert.equal(engine(), info);
    assert.deepEqual(info.kernels, [{ provider: "fast ops", names: ["Wkv7"], detail: "for wasm" }]);
    assert.deepEqual(info.unavailable, [
      { name: "cuda", reason: "no NVIDIA driver" },
      { name: "broken", reason: "it broke" },
      { name: "slow ops", reason: "not built" },
    ]);
    assert.deepEqual(lines, [
      "metastate runs on wasm: WebAssembly, one thread, with fast ops (for wasm)",
      "not in use: cuda (no NVIDIA driver); broken (it broke); slow ops (not built)",
    ]);
    assert.doesNotMatch(String(info), /in use now/);
    await tf.setBackend("cpu");
    assert.match(String(info), /in use now +cpu, by tf.setBackend; tf.setBackend\("wasm"\) goes back to the engine/);
    await tf.setBackend("wasm");
    const bundle = info[jupyterDisplay]();
    const html = bundle["text/html"] as string;
    assert.match(html, /<td[^>]*>wasm<\/td>/);
    assert.match(html, /<summary>1 kernel \(for wasm\)<\/summary>Wkv7<\/details>/);
    const text = bundle["text/plain"] as string;
    assert.match(text, /device +WebAssembly/);
    assert.match(text, /memory +\S+ \w+ used, \S+ \w+ free/);
    assert.match(text, /precision +float32\n/);
    assert.match(text, /versions +metastate \S+, tfjs 4\S+, Node\.js \S+/);
  });

  await t.test("an engine without other precisions names what it has", () => {
    assert.equal(engine().precision, "float32");
    assert.throws(() => setPrecision("bfloat16"), {
      name: "ConfigurationError",
      message: 'precision "bfloat16" cannot be had from engine "wasm" on this device, wanted "float32"',
    });
    setPrecision("float32");
  });
});
