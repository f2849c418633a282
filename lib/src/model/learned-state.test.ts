import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import type { Batch } from "../data/batch.js";
import { jupyterDisplay } from "../display.js";
import { loadModel } from "../io/load-model.js";
import { saveModel } from "../io/save-model.js";
import { bitsOf, logitsOf, randomModel, refused, withFolder } from "../io/testing.js";
import { useBackend } from "../testing.js";
import { train } from "../training/train.js";
import { createModel } from "./model.js";
import { fromRwkv7 } from "./from-rwkv7.js";
import { tiny } from "./testing.js";
import { tokenMatrix } from "./tokens.js";

const tokens = [
  [1, 5, 2, 2, 6, 0],
  [3, 3, 0, 4, 1, 5],
];

for (const backend of ["cpu", "wasm"] as const) {
  test(`${backend}: a learned initial state is zero at the start: the same model as without, bit by bit`, async () => {
    await useBackend(backend);
    for (const sse of ["sse", "meta", "readout", "none"]) {
      const plain = createModel({ ...tiny, sse }, { seed: 4 });
      const learned = createModel({ ...tiny, sse, learnedState: true }, { seed: 4 });
      const names = [...learned.parameters.keys()].filter((name) => !plain.parameters.has(name));
      const carriesMeta = sse === "sse" || sse === "meta";
      assert.deepEqual(
        names,
        [0, 1].flatMap((layer) => [
          `blocks.${layer}.att.time_state`,
          ...(carriesMeta ? [`blocks.${layer}.meta.time_state`] : []),
        ]),
      );
      assert.deepEqual(logitsOf(learned), logitsOf(plain));
      for (const made of [plain, learned]) made.dispose();
    }
  });
}

test("the state before any token is what was learned, in every row, and a run without a state starts from it", async () => {
  await useBackend("wasm");
  const model = randomModel({ learnedState: true, rho: 0.5, heads: 4 });
  const before = tf.memory().numTensors;
  const state = model.initialState(2);
  assert.deepEqual(state.layers[0]!.meta!.shape, [2, 2, 4, 4]);
  for (const rows of [0, 1]) {
    const held = (name: string): Float32Array => model.parameters.get(name)!.dataSync<"float32">();
    assert.deepEqual(state.slice({ layers: 1, rows }).values, held("blocks.1.att.time_state"));
    assert.deepEqual(state.slice({ layers: 1, rows, part: "meta" }).values, held("blocks.1.meta.time_state"));
  }
  const results = [model.forward(tokens), model.forward(tokens, state)];
  assert.deepEqual(results[0]!.logits.dataSync(), results[1]!.logits.dataSync());
  for (const { logits, state: after } of results) {
    logits.dispose();
    after.dispose();
  }
  state.dispose();
  assert.equal(tf.memory().numTensors, before);
  assert.match(model[jupyterDisplay]()["text/plain"] as string, /initial state +learned/);
});

test("tuning the state alone lowers the loss and changes nothing else", async () => {
  await useBackend("wasm");
  const model = randomModel({ learnedState: true });
  const before = bitsOf(model);
  const batch = {
    inputs: tokenMatrix(
      "test",
      tokens.map((row) => row.slice(0, -1)),
    ),
    targets: tokenMatrix(
      "test",
      tokens.map((row) => row.slice(1)),
    ),
  };
  const losses: number[] = [];
  const options = { steps: 30, trainable: "blocks.*.time_state", learningRate: 0.03, schedule: "constant" } as const;
  for await (const { loss } of train(model, new Array<Batch>(30).fill(batch), options)) losses.push(loss);
  // Measured: from 2.27 to 1.57 nats over ten tokens.
  assert.ok(losses.at(-1)! < 0.9 * losses[0]!, `${losses[0]} to ${losses.at(-1)}`);
  for (const [name, values] of bitsOf(model)) {
    if (name.endsWith(".time_state")) assert.notDeepEqual(values, before.get(name), name);
    else assert.deepEqual(values, before.get(name), name);
  }
  model.dispose();
});

test("an RWKV-7 with a tuned state becomes a Meta-State model with it, and equal outputs", async () => {
  await useBackend("wasm");
  const plain = randomModel({ sse: "none", learnedState: true });
  const converted = fromRwkv7(plain);
  assert.ok(converted.parameters.has("blocks.0.meta.time_state"));
  assert.deepEqual(logitsOf(converted), logitsOf(plain));
  await withFolder(async (folder) => {
    await saveModel(plain, join(folder, "plain.safetensors"));
    const loaded = await loadModel(join(folder, "plain.safetensors"), { sse: "meta" });
    assert.equal(loaded.configuration.learnedState, true);
    assert.deepEqual(logitsOf(loaded), logitsOf(plain));
  });
});

test("what would silently leave a learned state out does not take the model for a plain RWKV-7", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    await saveModel(randomModel({ sse: "none", learnedState: true }), folder);
    const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as { model_type: string };
    assert.equal(config.model_type, "metastate");
    // A layer without its part is a damaged file.
    const model = randomModel({ learnedState: true });
    const parameters = new Map([...model.parameters].filter(([name]) => name !== "blocks.1.att.time_state"));
    const broken = Object.assign(Object.create(model) as typeof model, { parameters });
    await saveModel(broken, join(folder, "broken.safetensors"));
    await refused(loadModel(join(folder, "broken.safetensors")), /tensor "blocks.1.att.time_state" is missing/);
  });
  assert.throws(
    () => createModel({ ...tiny, learnedState: "yes" as never }),
    /learnedState is yes, wanted true or false/,
  );
});
