import assert from "node:assert/strict";
import test from "node:test";

import { jupyterDisplay } from "../display.js";
import type { EngineControls, Precision } from "./controls.js";
import { bytesInWords, EngineInfo } from "./engine-info.js";

/** An engine with every control, and what was asked of it. */
function controlled(): { info: EngineInfo; asked: string[] } {
  const asked: string[] = [];
  let precision: Precision = "float32";
  const controls: EngineControls = {
    precision: {
      choices: ["float32", "tf32"],
      get: () => precision,
      set: (chosen) => void (precision = chosen),
    },
    memory: () => ({ used: 3 * 2 ** 20, reserved: 2 ** 30, free: 5 * 2 ** 30, total: 8 * 2 ** 30 }),
    versions: () => ({ cuBLASLt: "12.9.1" }),
    threads: () => 7,
    peak: () => {
      asked.push(`peak ${precision}`);
      return asked.length === 1
        ? Promise.reject(new Error("the device is busy"))
        : Promise.resolve({ gflops: 100, gigabytesPerSecond: 10 });
    },
    synchronize: () => {
      asked.push("synchronize");
      return Promise.resolve();
    },
  };
  const names = Array.from({ length: 61 }, (_, i) => `Kernel${i}`);
  const kernels = [{ provider: "native ops", names, detail: "C++" }];
  return { info: new EngineInfo("cuda", "cuda", "a GPU", kernels, [], controls), asked };
}

test("an engine shows what it was asked: memory, precision, versions, threads", () => {
  const { info } = controlled();
  const text = info.toString();
  assert.match(text, /^memory +3\.0 MiB used, 1\.0 GiB kept for reuse, 5\.0 GiB free of 8\.0 GiB$/m);
  assert.match(text, /^precision +float32 \(of float32, tf32\)$/m);
  assert.match(text, /^versions .*cuBLASLt 12\.9\.1$/m);
  assert.match(text, /^threads +7$/m);
});

test("many kernels are a number and a fold, not a wall of names", () => {
  const { info } = controlled();
  assert.match(info.toString(), /61 kernels \(C\+\+\): Kernel0, Kernel1, .*Kernel5 and 55 more$/m);
  const html = info[jupyterDisplay]()["text/html"] as string;
  assert.match(html, /<details><summary>61 kernels \(C\+\+\)<\/summary>Kernel0, .*Kernel60<\/details>/);
});

test("a precision is set, shown, and refused with the choices", () => {
  const { info } = controlled();
  info.setPrecision("tf32");
  assert.equal(info.precision, "tf32");
  assert.match(info.toString(), /precision +tf32 \(of/);
  assert.throws(() => info.setPrecision("bfloat16"), /"bfloat16" cannot be had .* wanted "float32" or "tf32"/);
  assert.equal(info.precision, "tf32");
});

test("the peak is measured once for each precision, and again after a failure", async () => {
  const { info, asked } = controlled();
  await assert.rejects(info.peak(), /busy/);
  assert.equal((await info.peak()).gflops, 100);
  assert.equal((await info.peak()).gflops, 100);
  info.setPrecision("tf32");
  await info.peak();
  await info.synchronize();
  assert.deepEqual(asked, ["peak float32", "peak float32", "peak tf32", "synchronize"]);
});

test("an engine without controls is measured through tfjs, and leaves no tensors", async () => {
  const tf = await import("@tensorflow/tfjs-core");
  await import("@tensorflow/tfjs-backend-wasm");
  await tf.setBackend("wasm");
  const info = new EngineInfo("wasm", "wasm", "WebAssembly", [], []);
  const before = tf.memory().numTensors;
  const { gflops, gigabytesPerSecond } = await info.peak();
  assert.ok(gflops > 0 && gigabytesPerSecond > 0);
  assert.equal(tf.memory().numTensors, before);
  assert.ok((info.memory().free ?? 0) > 0);
});

test("bytes are told in the unit that fits", () => {
  assert.deepEqual([0, 1023, 1024, 20 * 2 ** 20, 1.5 * 2 ** 40].map(bytesInWords), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "20 MiB",
    "1.5 TiB",
  ]);
});
