/** The halves of a block as kernels of one token: the same bits as their ops one by one, and nothing left unwritten. */
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import type { NativeBackend } from "../backend/native-backend.js";
import { useNativeEngine } from "../engine-candidate.js";
import { configured, needsNative } from "../testing/native.js";
import { randomNumbers } from "../testing/wkv7-reference.js";

interface Sizes {
  readonly batch: number;
  readonly width: number;
  readonly heads: number;
  readonly headSize: number;
  /** ranks of the low-rank parts w, a, v, g */
  readonly ranks: readonly [number, number, number, number];
  readonly parameterTokens: number;
}

const small: Sizes = { batch: 1, width: 12, heads: 3, headSize: 5, ranks: [3, 2, 4, 7], parameterTokens: 19 };
const several: Sizes = { ...small, batch: 3 };
/** Products of more weights than one thread takes. */
const large: Sizes = { batch: 1, width: 200, heads: 4, headSize: 64, ranks: [24, 17, 16, 40], parameterTokens: 331 };
/** The same with heads that share out the width, as the pass over both states has them. */
const inSlices = (sizes: Sizes): Sizes => ({ ...sizes, width: sizes.heads * sizes.headSize });

type Tensors = Record<string, tf.Tensor>;

const random = randomNumbers(11);
const filled = (...shape: number[]): tf.Tensor =>
  tf.tensor(Float32Array.from({ length: tf.util.sizeFromShape(shape) }, random), shape);

function timeMixingInputs({ batch, width, heads, headSize, ranks }: Sizes, isFirstLayer: boolean): Tensors {
  const inner = heads * headSize;
  const [w, a, v, g] = ranks;
  const vector = (): tf.Tensor => filled(1, 1, inner);
  const mixes = ["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"].map((name) => [name, filled(1, 1, width)] as const);
  return {
    ...{ stream: filled(batch, 1, width), "ln1.weight": filled(width), "ln1.bias": filled(width) },
    ...{ shift: filled(batch, width), wkv: filled(batch, heads, headSize, headSize) },
    ...Object.fromEntries(mixes),
    ...{ w0: vector(), w1: filled(width, w), w2: filled(w, inner) },
    ...{ a0: vector(), a1: filled(width, a), a2: filled(a, inner) },
    ...{ g1: filled(width, g), g2: filled(g, inner), k_k: vector(), k_a: vector(), r_k: filled(heads, headSize) },
    "receptance.weight": filled(inner, width),
    "key.weight": filled(inner, width),
    "value.weight": filled(inner, width),
    "output.weight": filled(width, inner),
    "ln_x.weight": filled(inner),
    "ln_x.bias": filled(inner),
    ...(isFirstLayer
      ? {}
      : { firstValue: filled(batch, 1, inner), v0: vector(), v1: filled(width, v), v2: filled(v, inner) }),
  };
}

function layerInputs({ batch, width, heads, headSize, parameterTokens }: Sizes, hasPass: boolean): Tensors {
  const coefficients = ["r", "w", "k", "v", "alpha", "beta"].map(
    (name) => [name, filled(batch, 1, heads, headSize)] as const,
  );
  const state = (): tf.Tensor => filled(batch, heads, headSize, headSize);
  return {
    ...{ stream: filled(batch, 1, width), "ln2.weight": filled(width), "ln2.bias": filled(width) },
    ...{ shift: filled(batch, width), x_k: filled(1, 1, width) },
    "key.weight": filled(parameterTokens, width),
    "value.weight": filled(width, parameterTokens),
    ...(hasPass && {
      ...Object.fromEntries(coefficients),
      ...{ wkv: state(), meta: state(), alpha_g: filled(width), beta_g: filled(width) },
    }),
  };
}

const all = (name: string, inputs: Tensors, attributes: tf.NamedAttrMap = {}): tf.Tensor[] =>
  [tf.engine().runKernel<tf.Tensor | tf.Tensor[]>(name, inputs, attributes)].flat();
const one = (...call: Parameters<typeof all>): tf.Tensor => all(...call)[0]!;
const linear = (x: tf.Tensor, weight: tf.Tensor, layout = "outIn"): tf.Tensor =>
  one("Linear", { x, weight }, { layout });
const norm = (i: Tensors, name: string): tf.Tensor => {
  const inputs = { x: i["stream"]!, weight: i[`${name}.weight`]!, bias: i[`${name}.bias`]! };
  return one("GroupNorm", inputs, { groups: 1, epsilon: normEpsilon });
};
const normEpsilon = 1e-5;

/** By the library's ops, in the order of its `timeMixing`, between its normalisation and the sum with the stream. */
function timeMixingOpByOp(i: Tensors, { batch, heads, headSize }: Sizes, aScale: number, epsilon: number): tf.Tensor[] {
  const lowRank = (x: tf.Tensor, name: string, inner = (h: tf.Tensor): tf.Tensor => h): tf.Tensor =>
    linear(inner(linear(x, i[`${name}1`]!, "inOut")), i[`${name}2`]!, "inOut");
  const perHead = (y: tf.Tensor): tf.Tensor => tf.reshape(y, [batch, 1, heads, headSize]);
  const mixes = Object.fromEntries(["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"].map((name, n) => [`mix${n}`, i[name]!]));
  const x = norm(i, "ln1");
  const [xr, xw, xk, xv, xa, xg] = all("TokenShift6", { x, previous: i["shift"]!, ...mixes });
  const r = linear(xr!, i["receptance.weight"]!);
  const rawKey = linear(xk!, i["key.weight"]!);
  const own = linear(xv!, i["value.weight"]!);
  const w = one("Decay", { x: lowRank(xw!, "w", tf.tanh), bias: i["w0"]! });
  const rate = one("BiasedSigmoid", { x: lowRank(xa!, "a"), bias: i["a0"]! });
  const gate = lowRank(xg!, "g", tf.sigmoid);
  const v = i["firstValue"]
    ? one("Interpolate", {
        from: own,
        to: i["firstValue"],
        gate: one("BiasedSigmoid", { x: lowRank(xv!, "v"), bias: i["v0"]! }),
      })
    : own;
  const [k, alpha, rawBeta] = all("KeyPreparation", { k: rawKey, kk: i["k_k"]!, rate, ka: i["k_a"]! }, { heads });
  const beta = aScale === 1 ? rawBeta! : tf.mul(rawBeta!, aScale);
  const transition = { r, w, k: k!, v, a: alpha!, b: beta };
  const steps = Object.fromEntries(Object.entries(transition).map(([name, y]) => [name, perHead(y)]));
  const [y, after] = all("Wkv7", { ...steps, state: i["wkv"]! }, { checkpointInterval: 0 });
  const read = tf.reshape(y!, r.shape);
  const ofRead = { x: read, weight: i["ln_x.weight"]!, bias: i["ln_x.bias"]! };
  const normalised = one("GroupNorm", ofRead, { groups: heads, epsilon });
  const gated = one("BonusGate", { x: normalised, r, k: k!, v, gate, rk: i["r_k"]! });
  const output = linear(gated, i["output.weight"]!);
  return [tf.add(i["stream"]!, output), flat(x), after!, ...Object.values(steps)];
}

/** By the library's ops, in the order of its `metaStateLayer`. */
function layerOpByOp(i: Tensors, epsilon: number): tf.Tensor[] {
  const x = norm(i, "ln2");
  const shifted = one("TokenShift1", { x, previous: i["shift"]!, mix0: i["x_k"]! });
  const results = [flat(x)];
  let z = shifted;
  if (i["meta"]) {
    const { r, w, k, v, alpha, beta, wkv, meta } = i as Record<string, tf.Tensor>;
    const perHead = (y: tf.Tensor): tf.Tensor => tf.reshape(y, r!.shape);
    const transition = { r: r!, w: w!, k: k!, v: v!, a: alpha!, b: beta! };
    const operands = {
      ...transition,
      x: perHead(x),
      q: perHead(shifted),
      readGain: i["beta_g"]!,
      memoryGain: i["alpha_g"]!,
    };
    const attributes = { epsilon, checkpointInterval: 0 };
    const [added, after] = all("MetaPass", { ...operands, wkv: wkv!, meta: meta! }, attributes);
    z = tf.add(shifted, tf.reshape(added!, x.shape));
    results.push(after!);
  }
  const hidden = one("SquaredRelu", { x: linear(z, i["key.weight"]!) });
  return [tf.add(i["stream"]!, linear(hidden, i["value.weight"]!)), ...results];
}

const flat = (x: tf.Tensor): tf.Tensor => tf.reshape(x, [x.shape[0], x.shape[2]!]);
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

const attributesOf = ({ heads, headSize }: Sizes) => ({ heads, headSize, normEpsilon, readEpsilon: headSize * 1e-5 });

for (const [name, sizes, isFirstLayer, aScale] of [
  ["the first layer", small, true, 1],
  ["a later layer", small, false, 2],
  ["several texts side by side", several, false, 1],
  ["weights that threads share", large, false, 1],
] as const) {
  test(`time mixing of a token: ${name}`, needsNative, () => {
    const attributes = { ...attributesOf(sizes), aScale };
    return expectBits(
      "TimeMixingToken",
      attributes,
      () => timeMixingInputs(sizes, isFirstLayer),
      (inputs) => timeMixingOpByOp(inputs, sizes, aScale, attributes.readEpsilon),
    );
  });
}

for (const [name, sizes, hasPass] of [
  ["channel mixing", small, false],
  ["channel mixing of several texts", several, false],
  ["both states", inSlices(small), true],
  ["both states of several texts", inSlices(several), true],
  ["weights that threads share", inSlices(large), true],
] as const) {
  test(`the Meta-State layer of a token: ${name}`, needsNative, () => {
    const attributes = attributesOf(sizes);
    return expectBits(
      "MetaStateLayerToken",
      attributes,
      () => layerInputs(sizes, hasPass),
      (inputs) => layerOpByOp(inputs, attributes.readEpsilon),
    );
  });
}

test("kernels of a token refuse two of them, and tensors of other sizes", needsNative, async () => {
  useNativeEngine();
  await tf.setBackend("native");
  tf.tidy(() => {
    const runs: [kernel: string, inputs: Tensors, attributes: tf.NamedAttrMap][] = [
      ["TimeMixingToken", timeMixingInputs(small, true), { ...attributesOf(small), aScale: 1 }],
      ["MetaStateLayerToken", layerInputs(inSlices(small), true), attributesOf(inSlices(small))],
    ];
    for (const [kernel, inputs, attributes] of runs) {
      const [, , width] = inputs["stream"]!.shape;
      const refused = (changed: Tensors, message: RegExp): void =>
        assert.throws(() => tf.engine().runKernel(kernel, { ...inputs, ...changed }, attributes), message);
      refused({ stream: tf.zeros([1, 2, width!]) }, /stream has 2 tokens in a row, wanted 1/);
      refused({ shift: tf.zeros([1, 7]) }, /shift has 7 values; the sizes given want 1[25]/);
      refused({ wkv: tf.zeros([1, 3, 5, 4]) }, /wkv has 60 values; the sizes given want 75/);
      refused({ "value.weight": tf.zeros([12, 1]) }, /value\.weight has 12 values/);
    }
    const wide = layerInputs({ ...small, width: 20 }, true);
    assert.throws(
      () => tf.engine().runKernel("MetaStateLayerToken", wide, attributesOf(small)),
      /3 heads of 5 channels are no width of 20/,
    );
  });
});
