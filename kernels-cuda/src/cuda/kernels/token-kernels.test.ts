/**
 * Blocks, and time mixing alone, as kernels of one token, in CUDA: against float64 and against the ops one by one, in any order of
 * threads, out of memory full of NaNs; how many launches they are.
 */
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { inEveryThreadOrder } from "../../testing/array-ops.js";
import { cuda, needsCuda, useCuda } from "../../testing/cuda.js";
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
} from "../../testing/token-cases.js";
import { blocksReference, timeMixingReference } from "../../testing/token-references.js";
import { relativeError } from "../../testing/wkv7-runs.js";
import { hostFallbacks } from "../host-fallback.js";

const timeMixing = "TimeMixingToken";
const blocks = "BlocksToken";
const mixingOutputs = ["stream", "shift", "wkv", "r", "w", "k", "v", "alpha", "beta"];

/** Whole vectors of four everywhere; a head of 16. */
const even: TokenSizes = {
  ...{ batch: 1, width: 40, heads: 3, headSize: 16, ranks: [8, 4, 12, 20], parameterTokens: 96 },
};
const heads = (headSize: number, batch = 1): TokenSizes => ({
  ...{ batch, width: 36, heads: 2, headSize, ranks: [5, 8, 3, 16], parameterTokens: 50 },
});
/** So wide that a block has a strip of a sector of w1, whole vectors of it and not. */
const wide: TokenSizes = {
  ...{ batch: 1, width: 516, heads: 1, headSize: 16, ranks: [12, 3, 8, 9], parameterTokens: 70 },
};
/** So long that a vector comes to shared memory in pieces where a block has eight: the stream, or the hidden layer. */
const longStream: TokenSizes = {
  ...{ batch: 5, width: 1030, heads: 1, headSize: 5, ranks: [1, 2, 3, 4], parameterTokens: 17 },
};
const longHidden: TokenSizes = { ...smallToken, batch: 5, parameterTokens: 2052 };

/**
 * Roundings of 2^-24 along the longest sums, one after the other: of the width for the norm and for the products, of a rank, of a
 * head twice, of the rest; each half of a block has a norm and sums over a head. Errors at random add as the square root of their
 * number; twice that, of which up to a third was met.
 */
function tolerance({ width, heads, headSize, ranks, parameterTokens }: TokenSizes, layers: number): number {
  const sums = 2 * width + Math.max(...ranks) + 4 * headSize + heads * headSize + parameterTokens;
  return 2 * 2 ** -24 * Math.sqrt((20 + sums) * Math.max(1, 2 * layers));
}

const values = (tensors: readonly tf.Tensor[]): Float32Array[] =>
  tensors.map((y) => y.dataSync().slice() as Float32Array);
const shapes = (tensors: readonly tf.Tensor[]): number[][] => tensors.map(({ shape }) => shape);
const run = (kernel: string, inputs: Tensors, attributes: tf.NamedAttrMap): tf.Tensor[] =>
  tf.engine().runKernel<tf.Tensor[]>(kernel, inputs, attributes);

/** Launches of the addon's kernels in a call. */
function launchesOf<T>(call: () => T): { result: T; launches: number } {
  const before = cuda().launches();
  const result = call();
  return { result, launches: cuda().launches() - before };
}

interface Case {
  readonly kernel: string;
  readonly names: readonly string[];
  readonly sizes: TokenSizes;
  /** Blocks; half a one is less. */
  readonly layers: number;
  readonly attributes: tf.NamedAttrMap;
  readonly inputs: () => Tensors;
  readonly opByOp: (inputs: Tensors) => tf.Tensor[];
  readonly reference: (operands: Record<string, Float64Array>) => Float64Array[];
}

const mixingCase = (sizes: TokenSizes, isFirstLayer: boolean, aScale = 1): Case => ({
  ...{ kernel: timeMixing, names: mixingOutputs, sizes, layers: 0, attributes: { ...tokenAttributes(sizes), aScale } },
  inputs: () => timeMixingInputs(sizes, isFirstLayer),
  opByOp: (inputs) => timeMixingOpByOp(inputs, sizes, aScale),
  reference: (operands) => timeMixingReference(operands, sizes, aScale),
});

const blocksCase = (sizes: TokenSizes, hasPass: boolean, layers = 1, aScale = 1): Case => {
  const ofLayer = ["attShift", "ffnShift", "wkv", ...(hasPass ? ["meta"] : [])];
  return {
    ...{ kernel: blocks, sizes, layers, attributes: { ...tokenAttributes(sizes), layers, aScale } },
    names: ["stream", ...Array.from({ length: layers }, (_, i) => ofLayer.map((name) => `${i}.${name}`)).flat()],
    inputs: () => blocksInputs(sizes, layers, hasPass),
    opByOp: (inputs) => blocksOpByOp(inputs, sizes, layers, aScale),
    reference: (operands) => blocksReference(operands, sizes, layers, aScale),
  };
};

/** The kernel's outputs are those of float64, and of the ops one by one; the same bits in every order; inputs stay. */
async function check(c: Case, t: TestContext): Promise<void> {
  await useCuda();
  tf.tidy(() => {
    const inputs = c.inputs();
    const given = Object.values(inputs);
    const before = values(given);
    const operands = Object.fromEntries(
      Object.entries(inputs).map(([name, x]) => [name, Float64Array.from(x.dataSync())]),
    );
    const expected = c.reference(operands);
    const opByOp = c.opByOp(inputs);
    const allowed = tolerance(c.sizes, c.layers);
    const found: Float32Array[][] = [];
    inEveryThreadOrder((order) => {
      const outputs = tf.tidy(() => {
        const results = run(c.kernel, inputs, c.attributes);
        assert.deepEqual(shapes(results), shapes(opByOp));
        return values(results);
      });
      assert.equal(outputs.length, expected.length);
      for (const [i, y] of outputs.entries()) {
        const error = relativeError(y, expected[i]!);
        assert.ok(error <= allowed, `${c.names[i]} in order ${order}: ${error}, allowed ${allowed}`);
      }
      found.push(outputs);
    });
    for (const outputs of found) assert.deepEqual(outputs, found[0], "the same bits in every order");
    for (const [i, y] of values(opByOp).entries()) {
      const apart = relativeError(found[0]![i]!, Float64Array.from(y));
      assert.ok(apart <= 2 * allowed, `${c.names[i]}: ${apart} from op by op, allowed ${2 * allowed}`);
    }
    assert.deepEqual(values(given), before, "inputs stay as they are");
    const share = (outputs: readonly Float32Array[]): string =>
      outputs.map((y, i) => `${c.names[i]} ${(relativeError(y, expected[i]!) / allowed).toFixed(3)}`).join("  ");
    t.diagnostic(`errors as shares of what is allowed (${allowed.toExponential(1)}):`);
    t.diagnostic(`the kernel  ${share(found[0]!)}`);
    t.diagnostic(`op by op    ${share(values(opByOp))}`);
  });
}

for (const [name, sizes, isFirstLayer, aScale] of [
  ["the first layer", smallToken, true, 1],
  ["a later layer", smallToken, false, 2],
  ["two texts", { ...smallToken, batch: 2 }, true, 1],
  ["three texts", { ...smallToken, batch: 3 }, false, 1],
  ["eight texts", { ...even, batch: 8 }, false, 2],
  ["more texts than share a weight", { ...smallToken, batch: 11 }, false, 1],
  ["vectors of four", even, false, 1],
  ["heads of 32", heads(32), false, 1],
  ["heads of 64, three texts", heads(64, 3), false, 1],
  ["heads of 128", heads(128), true, 1],
  ["heads larger than the recurrences have", heads(130), false, 1],
  ["a wide stream", wide, false, 1],
  ["a wide stream of several texts", { ...wide, batch: 3 }, true, 1],
  ["a stream in pieces", longStream, false, 1],
] as const) {
  test(`time mixing of a token in CUDA: ${name}`, needsCuda, (t) => check(mixingCase(sizes, isFirstLayer, aScale), t));
}

for (const [name, sizes, hasPass, layers, aScale] of [
  ["channel mixing", smallToken, false],
  ["channel mixing of three texts", { ...smallToken, batch: 3 }, false],
  ["channel mixing of a stream in pieces", longStream, false],
  ["channel mixing with a hidden layer in pieces", longHidden, false],
  ["three with channel mixing", even, false, 3, 2],
  ["both states", inSlices(smallToken), true],
  ["both states of two texts", inSlices({ ...even, batch: 2 }), true],
  ["both states of eight", inSlices({ ...smallToken, batch: 8 }), true],
  ["both states of more texts than share a weight", inSlices({ ...even, batch: 11 }), true],
  ["heads of 32", inSlices(heads(32)), true],
  ["heads of 64, three texts", inSlices(heads(64, 3)), true],
  ["heads of 128", inSlices(heads(128)), true],
  ["heads larger than the recurrences have", inSlices(heads(130)), true],
  ["three with both states", inSlices({ ...even, batch: 2 }), true, 3, 2],
] as const) {
  test(`blocks of a token in CUDA: ${name}`, needsCuda, (t) => check(blocksCase(sizes, hasPass, layers, aScale), t));
}

test("tensors that are views of one another, or one tensor twice, are read as they are", needsCuda, async () => {
  await useCuda();
  tf.tidy(() => {
    const sizes = inSlices({ ...even, batch: 2 });
    const expectSame = (kernel: string, views: Tensors, attributes: tf.NamedAttrMap): void => {
      const apart = Object.fromEntries(
        Object.entries(views).map(([name, x]) => [name, tf.tensor(x.dataSync(), x.shape)]),
      );
      assert.deepEqual(values(run(kernel, views, attributes)), values(run(kernel, apart, attributes)));
    };
    const attributes = { ...tokenAttributes(sizes), aScale: 1 };
    const inputs = blocksInputs(sizes, 1, true);
    const shift = tf.reshape(inputs["stream"]!, [2, sizes.width]);
    const names = { wkv: "blocks.0.wkv", gain: "blocks.0.meta.beta_g" };
    const again = { "blocks.0.meta": inputs[names.wkv]!, "blocks.0.meta.alpha_g": inputs[names.gain]! };
    expectSame(blocks, { ...inputs, "blocks.0.ffnShift": shift, ...again }, { ...attributes, layers: 1 });
    const mixing = timeMixingInputs(sizes, false);
    const shared = { firstValue: mixing["stream"]!, shift, x_r: mixing["x_k"]!, w0: mixing["a0"]! };
    expectSame(timeMixing, { ...mixing, ...shared }, attributes);
  });
});

test("time mixing and blocks are a few launches, where their ops are dozens", needsCuda, async (t) => {
  await useCuda();
  const told: string[] = [];
  const cases: readonly [name: string, most: number, c: Case][] = [
    ["time mixing, first layer", 4, mixingCase(inSlices(even), true)],
    ["time mixing, later layers", 4, mixingCase(inSlices(even), false)],
    ["a block with the Meta-State layer", 4 + 3, blocksCase(inSlices(even), true)],
    ["a block with channel mixing", 4 + 2, blocksCase(inSlices(even), false)],
    ["three blocks", 3 * (4 + 3), blocksCase(inSlices(even), true, 3)],
  ];
  for (const [name, most, c] of cases) {
    tf.tidy(() => {
      const inputs = c.inputs();
      const { launches } = launchesOf(() => run(c.kernel, inputs, c.attributes));
      const opByOp = launchesOf(() => c.opByOp(inputs)).launches;
      assert.equal(launches, most, name);
      told.push(`${name}: ${launches} launches, op by op ${opByOp}`);
      assert.ok(opByOp > launches);
    });
  }
  for (const line of told) t.diagnostic(line);
});

test("kernels of a token in CUDA refuse two of them, tensors of other sizes, and giant heads", needsCuda, async () => {
  await useCuda();
  tf.tidy(() => {
    const refusing =
      (kernel: string, inputs: Tensors, attributes: tf.NamedAttrMap) =>
      (changed: Tensors, message: RegExp): void => {
        const { numTensors } = tf.memory();
        assert.throws(() => run(kernel, { ...inputs, ...changed }, attributes), message);
        assert.equal(tf.memory().numTensors, numTensors, "what a refused call made is gone");
      };
    const attributes = { ...tokenAttributes(smallToken), aScale: 1 };
    const ofMixing = refusing(timeMixing, timeMixingInputs(smallToken, true), attributes);
    ofMixing({ stream: tf.zeros([1, 2, 12]) }, /stream has 2 tokens in a row, wanted 1/);
    ofMixing({ shift: tf.zeros([1, 7]) }, /shift has 7 values; the sizes given want 12/);
    ofMixing({ wkv: tf.zeros([1, 3, 5, 4]) }, /wkv has 60 values; the sizes given want 75/);
    ofMixing({ "value.weight": tf.zeros([12, 1]) }, /value\.weight has 12 values/);
    const inputs = blocksInputs(inSlices(smallToken), 1, true);
    const ofBlocks = refusing(blocks, inputs, { ...attributes, layers: 1 });
    ofBlocks({ stream: tf.zeros([1, 2, 15]) }, /stream has 2 tokens in a row, wanted 1/);
    ofBlocks({ "blocks.0.ffnShift": tf.zeros([1, 7]) }, /shift has 7 values; the sizes given want 15/);
    ofBlocks({ "blocks.0.meta": tf.zeros([1, 3, 5, 4]) }, /meta has 60 values; the sizes given want 75/);
    ofBlocks({ "blocks.0.ffn.value.weight": tf.zeros([12, 1]) }, /value\.weight has 12 values/);
    const giant = { ...smallToken, heads: 1, headSize: 2049, width: 1, parameterTokens: 1 };
    refusing(timeMixing, timeMixingInputs(giant, true), { ...tokenAttributes(giant), aScale: 1 })(
      {},
      /heads of 2049 channels: the CUDA kernels of a token take at most 2048/,
    );
  });
  assert.deepEqual([hostFallbacks.get(timeMixing), hostFallbacks.get(blocks)], [undefined, undefined]);
});
