import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { BaselineModel } from "../baselines/baseline-model.js";
import { createBaseline, type BaselineOptions, type RecurrentOptions } from "../baselines/create-baseline.js";
import { createModel } from "../model/model.js";
import { useBackend } from "../testing.js";
import { inspectFile } from "./inspect-file.js";
import { loadModel } from "./load-model.js";
import { saveModel } from "./save-model.js";
import { refused, withFolder } from "./testing.js";

const sizes = { vocabSize: 7, layers: 2, width: 8 };
const kinds: readonly Exclude<BaselineOptions, RecurrentOptions>[] = [
  { kind: "transformer", ...sizes, hidden: 5, ropeBase: 77, maximumContext: 9, norm: "layer", headSize: 2 },
  { kind: "tokenformer", ...sizes, attentionTokens: 3 },
  { kind: "rwkv4", ...sizes },
  { kind: "mixers", ...sizes, tokenMixer: "tokenAttention", channelMixer: "squaredRelu", embeddingNorm: true },
];

for (const options of kinds) {
  test(`a saved ${options.kind} loads as it was, and only as what it is`, async () => {
    await useBackend("cpu");
    await withFolder(async (folder) => {
      const path = join(folder, "model.safetensors");
      const model = createBaseline(options, { seed: 3 });
      await saveModel(model, path);
      const before = tf.memory().numTensors;
      const { kind } = model.configuration;
      for (const asked of [kind, "any"] as "any"[]) {
        const loaded = await loadModel(path, { kind: asked });
        if (!(loaded instanceof BaselineModel)) return assert.fail("it is no baseline");
        assert.deepEqual(loaded.configuration, model.configuration);
        assert.deepEqual([...loaded.parameters.keys()], [...model.parameters.keys()]);
        const values = (of: BaselineModel): number[] => [...of.parameters.values()].flatMap((x) => [...x.dataSync()]);
        assert.deepEqual(values(loaded), values(model));
        loaded.dispose();
      }
      await refused(loadModel(path), new RegExp(`holds a baseline .*Pass \\{kind: "${kind}"\\}`));
      assert.equal(tf.memory().numTensors, before);
      const inspected = await inspectFile(path);
      assert.deepEqual("baseline" in inspected.model && inspected.model.baseline, model.configuration);
      assert.match(inspected.toString(), /2 layers, width 8/);
      const folderFormat = saveModel(model, join(folder, "hf"));
      await assert.rejects(
        folderFormat,
        /the format huggingface is for RWKV-7 and Meta-State, this is a .*\.safetensors/,
      );
      await assert.rejects(saveModel(model, join(folder, "model.pth")), /the format pth is for RWKV-7/);
      model.dispose();
    });
  });
}

test("an RWKV-7 is no baseline; `any` takes it", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    const model = createModel({ vocabSize: 7, layers: 1, width: 8, headSize: 4, sse: "none" });
    await saveModel(model, path);
    await refused(loadModel(path, { kind: "transformer" }), /holds no baseline .* Leave kind out/);
    const loaded = await loadModel(path, { kind: "any" });
    assert.deepEqual(loaded.configuration, model.configuration);
    await assert.rejects(
      loadModel(path, { kind: "gpt" as "any" }),
      /kind is "gpt", wanted one of meta-state, transformer/,
    );
    model.dispose();
    loaded.dispose();
  });
});

test("what a file says of itself is believed only where its tensors agree", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    const path = join(folder, "model.safetensors");
    const model = createBaseline({ kind: "transformer", ...sizes, hidden: 5 });
    await saveModel(model, path);
    const bytes = await readFile(path, "latin1");
    const before = tf.memory().numTensors;
    // The text of the metadata is JSON in JSON; changes of the same length leave the rest of the file in place.
    const changed: [from: string, to: string, says: RegExp][] = [
      [String.raw`\"layers\":2`, String.raw`\"layers\":3`, /tensor "blocks.2.ln1.weight" is missing/],
      [String.raw`\"layers\":2`, String.raw`\"layers\":1`, /is no parameter of this Transformer/],
      [String.raw`\"layers\":2`, String.raw`\"layers\":1e9`, /says it has 1000000000 layers, more than it has tensors/],
      [String.raw`\"hidden\":5`, String.raw`\"hidden\":9`, /"blocks.0.ffn.gate.weight" is \[5, 8\], wanted \[9, 8\]/],
      [String.raw`\"hidden\":5`, String.raw`\"hidden\":-`, /JSON/],
      [String.raw`\"attention\"`, String.raw`\"attentiom\"`, /tokenMixer is .*attentiom.* define that first/],
      [String.raw`\"width\":8`, String.raw`\"width\":0`, /width is 0, wanted a positive integer/],
      [String.raw`\"rms\"`, String.raw`\"rmz\"`, /norm is .*rmz/],
    ];
    for (const [from, to, says] of changed) {
      assert.ok(bytes.includes(from), from);
      const other = join(folder, "changed.safetensors");
      let text = bytes.replace(from, to);
      if (to.length !== from.length) text = lengthened(text, to.length - from.length);
      await writeFile(other, text, "latin1");
      await refused(loadModel(other, { kind: "transformer" }), says);
    }
    assert.equal(tf.memory().numTensors, before);
    model.dispose();
  });
});

/** A file whose header got longer by some bytes: its length, the first eight bytes, says so. */
function lengthened(text: string, by: number): string {
  const length = Buffer.from(text.slice(0, 8), "latin1");
  length.writeBigUInt64LE(length.readBigUInt64LE() + BigInt(by));
  return length.toString("latin1") + text.slice(8);
}
