import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor3D } from "@tensorflow/tfjs-core";

import type { Batch, PositionMask } from "../data/batch.js";
import { batches } from "../data/batches.js";
import { corpus } from "../data/corpus.js";
import { createModel } from "../model/model.js";
import { Random } from "../random.js";
import { assertClose, checkGradient, randomTensor, useBackend } from "../testing.js";
import { byteTokenizer } from "../tokenizers/byte-tokenizer.js";
import { evaluate } from "./evaluate.js";
import { disposeGradients, lossGradients } from "./gradients.js";
import { batchLoss } from "./loss.js";

const shape = [2, 4] as const;
const mask: PositionMask = { data: Uint8Array.from([0, 1, 1, 0, 0, 0, 0, 1]), shape };
const targetIds = Int32Array.from([0, 4, 2, 1, 3, 0, 2, 1]);

for (const backend of ["cpu", "wasm"] as const) {
  test(`a masked loss is the mean over the positions that count, and so is its gradient, on ${backend}`, async () => {
    await useBackend(backend);
    const random = new Random(1);
    const logits = randomTensor(random, [2, 4, 5]) as Tensor3D;
    const targets = tf.tensor2d(targetIds, [2, 4], "int32");
    const values = logits.arraySync().flat();
    // In float64, by the definition.
    const losses = values.map((row, i) => Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[targetIds[i]!]!);
    const expected = (losses[1]! + losses[2]! + losses[7]!) / 3;
    assertClose(batchLoss(logits, targets, mask).dataSync(), [expected], 1e-6, "loss");
    checkGradient((at) => batchLoss(at as Tensor3D, targets, mask), [logits]);
    const gradient = tf
      .grad((at) => batchLoss(at as Tensor3D, targets, mask))(logits)
      .arraySync() as number[][][];
    gradient.flat().forEach((row, i) =>
      assert.equal(
        row.every((x) => x === 0),
        mask.data[i] === 0,
        `position ${i}`,
      ),
    );
    const all = { data: new Uint8Array(8).fill(1), shape };
    assert.deepEqual(batchLoss(logits, targets, all).dataSync(), batchLoss(logits, targets).dataSync());
  });
}

test("the gradient of a masked batch is that of the positions that count, to the parameters", async () => {
  await useBackend("wasm");
  const model = createModel({ vocabSize: 8, width: 16, layers: 1, headSize: 8 }, { seed: 1 });
  const data = Uint8Array.from({ length: 60 }, (_, i) => (i * i) % 8);
  const whole = batches(data, { batchSize: 1, length: 6, seed: 1 }).next().value;
  // Only what the first four positions say counts: the rest of the sequence might as well not be there.
  const cut = (matrix: Batch["inputs"]) => ({ data: matrix.data.slice(0, 4), shape: [1, 4] as const });
  const short = lossGradients(model, { inputs: cut(whole.inputs), targets: cut(whole.targets) });
  const masked = lossGradients(model, { ...whole, mask: { data: Uint8Array.of(1, 1, 1, 1, 0, 0), shape: [1, 6] } });
  assertClose(masked.loss.dataSync(), short.loss.dataSync(), 1e-6, "loss");
  for (const [name, gradient] of short.gradients) {
    assertClose(masked.gradients.get(name)!.dataSync<"float32">(), gradient.dataSync<"float32">(), 1e-4, name);
  }
  const before = tf.memory().numTensors;
  disposeGradients(lossGradients(model, { ...whole, mask: { data: Uint8Array.of(0, 1, 0, 0, 0, 0), shape: [1, 6] } }));
  assert.equal(tf.memory().numTensors, before);
  disposeGradients(short);
  disposeGradients(masked);
  model.dispose();
});

test("a mask of another shape, or of nothing, is refused", async () => {
  await useBackend("cpu");
  const logits: Tensor3D = tf.zeros([2, 4, 5]);
  const targets = tf.tensor2d(targetIds, [2, 4], "int32");
  const wrong = { data: new Uint8Array(6).fill(1), shape: [2, 3] as const };
  assert.throws(() => batchLoss(logits, targets, wrong), { name: "ShapeError", message: /mask is \[2, 3\]/ });
  const nothing = { data: new Uint8Array(8), shape };
  assert.throws(() => batchLoss(logits, targets, nothing), {
    name: "ConfigurationError",
    message: /counts no position/,
  });
});

test("evaluation counts what is right, and bits per byte by what a token stands for", async () => {
  await useBackend("wasm");
  const model = createModel({ vocabSize: 256, width: 16, layers: 1, headSize: 8 }, { seed: 1 });
  const tokenizer = byteTokenizer();
  const made = await corpus(["The rain in Spain. ".repeat(20), "stays mainly in the plain. ".repeat(20)], tokenizer, {
    separator: 10,
  });
  const byCorpus = await evaluate(model, made, { length: 16 });
  const { tokens } = made;
  const count = Math.floor((tokens.length - 1) / 16) * 16;
  assert.equal(byCorpus.tokens, count);
  // Accuracy by hand: the most likely token at every position.
  let correct = 0;
  for (let start = 0; start < count; start += 16) {
    const best = tf.tidy(() =>
      tf.argMax(model.forward([[...tokens.subarray(start, start + 16)]]).logits, -1).dataSync(),
    );
    best.forEach((token: number, t: number) => (correct += token === tokens[start + t + 1] ? 1 : 0));
  }
  assert.equal(byCorpus.accuracy, correct / count);
  assert.ok(Math.abs(byCorpus.bitsPerByte! - (byCorpus.bits * tokens.length) / made.bytes) < 1e-12);
  const plain = await evaluate(model, tokens, { length: 16 });
  assert.equal(plain.bitsPerByte, undefined);
  assert.ok(Math.abs(plain.loss - byCorpus.loss) < 1e-6);
  const named = await evaluate(model, tokens, { length: 16, tokenizer });
  assert.equal(named.bitsPerByte, named.bits);
  assert.ok(Math.abs(named.perplexity - 2 ** named.bits) < 1e-6);
  await assert.rejects(evaluate(model, []), /there was no batch/);
  await assert.rejects(evaluate(model, [], { batches: 0 }), /batches is 0/);
  await assert.rejects(
    evaluate(model, tokens, { batchSize: 0 }),
    /evaluate: batchSize is 0, wanted an integer of 1 or more/,
  );
  await assert.rejects(evaluate(model, tokens, { length: 0 }), /evaluate: length is 0/);
  await assert.rejects(evaluate(model, tokens, { tokens: 0 }), /evaluate: tokens is 0, wanted 1 or more/);
  model.dispose();
});
