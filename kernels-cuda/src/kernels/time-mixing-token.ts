/**
 * The library's optional kernel `TimeMixingToken`, RWKV-7's time mixing of one token; its inputs and outputs stand with the
 * library's `timeMixingTokenName`. It is the ops of `library-ops.ts` one after the other, with the same bits, but without
 * tfjs between them, and products that do not wait for each other share one start of the threads.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { NativeBinding } from "../addon/binding.js";
import { binaryNames, unaryNames } from "./elementwise.js";
import type { NativeBody } from "./native-kernel.js";

const mixNames = ["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"];
const tanh = unaryNames.indexOf("Tanh");
const sigmoid = unaryNames.indexOf("Sigmoid");
const multiply = binaryNames.indexOf("Multiply");

/** y = x Wᵀ with W `[out, in]`, or y = x W with W `[in, out]`. */
interface Product {
  readonly x: Float32Array;
  readonly weight: Float32Array;
  readonly y: Float32Array;
  readonly outIn: boolean;
}

/** Products with the same number of rows that do not need each other. */
function multiplyAll(binding: NativeBinding, rows: number, products: readonly Product[]): void {
  if (rows === 1) {
    binding.rowProducts(
      products.map(({ outIn }) => (outIn ? 1 : 0)),
      products.map(({ x }) => x),
      products.map(({ weight }) => weight),
      products.map(({ y }) => y),
    );
    return;
  }
  for (const { x, weight, y, outIn } of products) {
    binding.matMul(1, rows, y.length / rows, x.length / rows, false, outIn, x, weight, y);
  }
}

export const timeMixingToken: NativeBody = (binding, backend, inputs, attributes) => {
  const { heads, headSize, aScale, epsilon } = attributes as Record<
    "heads" | "headSize" | "aScale" | "epsilon",
    number
  >;
  const [rows, time, width] = inputs["x"]!.shape as [number, number, number];
  if (time !== 1) throw new RangeError(`TimeMixingToken: x has ${time} tokens in a row, wanted 1`);
  const inner = heads * headSize;
  const given = (name: string): Float32Array => backend.floats(inputs[name]!);
  const made: TensorInfo[] = [];
  const output = (shape: readonly number[]): Float32Array => {
    const { info, floats } = backend.makeFloats(shape);
    made.push(info);
    return floats;
  };
  const perHead = [rows, 1, heads, headSize];
  const out = output([rows, 1, width]);
  const after = output([rows, heads, headSize, headSize]);
  const r = output(perHead);
  const w = output(perHead);
  const k = output(perHead);
  const v = output(perHead);
  const alpha = output(perHead);
  const beta = output(perHead);

  const taken: Float32Array[] = [];
  const scratch = (columns: number): Float32Array => {
    const array = backend.pool.take(rows * columns);
    taken.push(array);
    return array;
  };
  const firstValue = inputs["firstValue"] && given("firstValue");
  const rank = (name: string): number => inputs[name]!.shape[1]!;

  const mixed = mixNames.map(() => scratch(width));
  binding.tokenShift(rows, 1, width, 6, given("x"), given("shift"), mixNames.map(given), mixed);
  const [xr, xw, xk, xv, xa, xg] = mixed as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];

  const rawKey = scratch(inner);
  const ownValue = firstValue ? scratch(inner) : v;
  const decayInner = scratch(rank("w1"));
  const rateInner = scratch(rank("a1"));
  const gateInner = scratch(rank("g1"));
  const valueInner = firstValue && scratch(rank("v1"));
  multiplyAll(binding, rows, [
    { x: xr, weight: given("receptance.weight"), y: r, outIn: true },
    { x: xk, weight: given("key.weight"), y: rawKey, outIn: true },
    { x: xv, weight: given("value.weight"), y: ownValue, outIn: true },
    { x: xw, weight: given("w1"), y: decayInner, outIn: false },
    { x: xa, weight: given("a1"), y: rateInner, outIn: false },
    { x: xg, weight: given("g1"), y: gateInner, outIn: false },
    ...(valueInner ? [{ x: xv, weight: given("v1"), y: valueInner, outIn: false }] : []),
  ]);
  binding.unary(tanh, decayInner, decayInner, 0, 0);
  binding.unary(sigmoid, gateInner, gateInner, 0, 0);

  const decayLogits = scratch(inner);
  const rateLogits = scratch(inner);
  const gate = scratch(inner);
  const valueLogits = firstValue && scratch(inner);
  multiplyAll(binding, rows, [
    { x: decayInner, weight: given("w2"), y: decayLogits, outIn: false },
    { x: rateInner, weight: given("a2"), y: rateLogits, outIn: false },
    { x: gateInner, weight: given("g2"), y: gate, outIn: false },
    ...(valueInner && valueLogits ? [{ x: valueInner, weight: given("v2"), y: valueLogits, outIn: false }] : []),
  ]);

  const rate = scratch(inner);
  binding.decay(rows, inner, decayLogits, given("w0"), w, scratch(inner));
  binding.biasedSigmoid(rows, inner, rateLogits, given("a0"), rate);
  if (firstValue && valueLogits) {
    const towardsFirst = scratch(inner);
    binding.biasedSigmoid(rows, inner, valueLogits, given("v0"), towardsFirst);
    binding.interpolate(rows * inner, ownValue, firstValue, towardsFirst, v);
  }
  binding.keyPreparation(rows, inner, heads, rawKey, given("k_k"), rate, given("k_a"), k, alpha, beta);
  if (aScale !== 1) binding.binaryFlat(multiply, beta, Float32Array.of(aScale), beta);

  const read = scratch(inner);
  const normalised = scratch(inner);
  const gated = scratch(inner);
  binding.wkv7(rows, 1, heads, headSize, 0, r, w, k, v, alpha, beta, given("wkv"), read, after, null);
  binding.groupNorm(rows, inner, heads, epsilon, read, given("ln_x.weight"), given("ln_x.bias"), normalised);
  binding.bonusGate(rows, inner, heads, normalised, r, k, v, gate, given("r_k"), gated);
  multiplyAll(binding, rows, [{ x: gated, weight: given("output.weight"), y: out, outIn: true }]);

  for (const array of taken) backend.pool.give(array);
  return made;
};
