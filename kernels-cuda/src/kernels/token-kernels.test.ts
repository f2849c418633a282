/** All blocks, and time mixing, as kernels of one token: the same bits as their ops one by one, and nothing left unwritten. */
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import type { NativeBackend } from "../backend/native-backend.js";
import { useNativeEngine } from "../engine-candidate.js";
import { configured, needsNative } from "../testing/native.js";
import {
  blocksInputs,
  blocksOpByOp,
  inSlices,
  smallToken,
  timeMixingInputs,
  timeMixingOpByOp,
  tokenAttributes,
  type Tensors,
  type TokenSizes,
} from "../testing/token-cases.js";

const several: TokenSizes = { ...smallToken, batch: 3 };
/** Products of more weights than one thread takes. */
const large: TokenSizes = {
  ...{ batch: 1, width: 200, heads: 4, headSize: 64, ranks: [24, 17, 16, 40], parameterTokens: 331 },
};

const values = (tensors: readonly tf.Tensor[]): unknown[] => tensors.map((y) => [y.shape, ...y.dataSync()]);

/** What is not written is NaN. */
function poison({ pool }: NativeBackend): void {
  for (let length = 64; length <= 2 ** 15; length++) {
    for (let copy = 0; copy < (length < 1024 ? 12 : 1); copy++) pool.give(new Float32Array(length).fill(NaN));
    if (length > 1024) length += 1023;
  }
}

/** The kernel gives these values on any number of threads, and leaves its inputs as they are. */
async function expectBits(
  kernel: string,
  attributes: tf.NamedAttrMap,
  makeInputs: () => Tensors,
  opByOp: (inputs: Tensors) => tf.Tensor[],
): Promise<void> {
  useNativeEngine();
  await tf.setBackend("native");
  tf.tidy(() => {
    const inputs = makeInputs();
    const expected = values(opByOp(inputs));
    const before = values(Object.values(inputs));
    for (const threads of [1, 2, 5]) {
      poison(tf.backend() as NativeBackend);
      const results = configured({ threads }, () => tf.engine().runKernel<tf.Tensor[]>(kernel, inputs, attributes));
      assert.deepEqual(values(results), expected, `${threads} threads`);
      assert.deepEqual(values(Object.values(inputs)), before, "inputs stay as they are");
    }
  });
}

for (const [name, sizes, isFirstLayer, aScale] of [
  ["the first layer", smallToken, true, 1],
  ["a later layer", smallToken, false, 2],
  ["several texts side by side", several, false, 1],
  ["weights that threads share", large, false, 1],
] as const) {
  test(`time mixing of a token: ${name}`, needsNative, () => {
    const attributes = { ...tokenAttributes(sizes), aScale };
    return expectBits(
      "TimeMixingToken",
      attributes,
      () => timeMixingInputs(sizes, isFirstLayer),
      (inputs) => timeMixingOpByOp(inputs, sizes, aScale),
    );
  });
}

for (const [name, sizes, layers, hasPass, aScale] of [
  ["one, without the pass", smallToken, 1, false, 1],
  ["three, without the pass", smallToken, 3, false, 2],
  ["three with both states", inSlices(smallToken), 3, true, 1],
  ["two of several texts", inSlices(several), 2, true, 2],
  ["two with weights that threads share", inSlices(large), 2, true, 1],
] as const) {
  test(`the blocks of a token: ${name}`, needsNative, () => {
    const attributes = { ...tokenAttributes(sizes), aScale, layers };
    return expectBits(
      "BlocksToken",
      attributes,
      () => blocksInputs(sizes, layers, hasPass),
      (inputs) => blocksOpByOp(inputs, sizes, layers, aScale),
    );
  });
}

test("kernels of a token refuse two of them, and tensors of other sizes", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  tf.tidy(() => {
    const refusing =
      (kernel: string, inputs: Tensors, attributes: tf.NamedAttrMap) =>
      (changed: Tensors, message: RegExp): void =>
        assert.throws(() => tf.engine().runKernel(kernel, { ...inputs, ...changed }, attributes), message);
    const attributes = { ...tokenAttributes(smallToken), aScale: 1 };
    const ofMixing = refusing("TimeMixingToken", timeMixingInputs(smallToken, true), attributes);
    ofMixing({ stream: tf.zeros([1, 2, 12]) }, /stream has 2 tokens in a row, wanted 1/);
    ofMixing({ shift: tf.zeros([1, 7]) }, /shift has 7 values; the sizes given want 12/);
    ofMixing({ wkv: tf.zeros([1, 3, 5, 4]) }, /wkv has 60 values; the sizes given want 75/);
    ofMixing({ "value.weight": tf.zeros([12, 1]) }, /value\.weight has 12 values/);
    const ofTwo = { ...attributes, layers: 2 };
    const ofBlocks = refusing("BlocksToken", blocksInputs(inSlices(smallToken), 2, true), ofTwo);
    ofBlocks({ stream: tf.zeros([1, 2, 15]) }, /stream has 2 tokens in a row, wanted 1/);
    ofBlocks({ "blocks.1.ffnShift": tf.zeros([1, 7]) }, /shift has 7 values; the sizes given want 15/);
    ofBlocks({ "blocks.1.meta": tf.zeros([1, 3, 5, 4]) }, /meta has 60 values; the sizes given want 75/);
    ofBlocks({ "blocks.0.att.w2": tf.zeros([1, 1]) }, /w2 has 1 values; the sizes given want 45/);
    ofBlocks({ "blocks.0.ffn.value.weight": tf.zeros([12, 1]) }, /value\.weight has 12 values/);
    const wide = blocksInputs({ ...smallToken, width: 20 }, 1, true);
    refusing("BlocksToken", wide, { ...ofTwo, layers: 1 })({}, /3 heads of 5 channels are no width of 20/);
  });
});
