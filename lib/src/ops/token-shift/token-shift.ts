/**
 * The op `tokenShift`: RWKV's mix of each token with the one before it, for several mixes of the same input at once.
 * RWKV-7's time mixing takes six, the Meta-State layer one, RWKV-4 three and two; a kernel exists for each count, named
 * `TokenShift6`, `TokenShift1` and so on.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor3D, TensorInfo } from "@tensorflow/tfjs-core";

import type { HostMemory } from "../host.js";
import { declareGradient, declareKernel, type Kernel } from "../kernel.js";
import { expectRank, expectShape } from "../shape.js";

type Attributes = Record<string, never>;
type Tensors = Readonly<Record<string, Tensor>>;
type Infos = Readonly<Record<string, TensorInfo>>;

interface TokenShiftKernels {
  readonly forward: Kernel<string, Attributes>;
  readonly backward: Kernel<string, Attributes>;
}

/**
 * Kernel `TokenShift{n}`: inputs `x` `[B, T, C]`, `previous` `[B, C]`, `mix0…` of C values; n outputs like x. Kernel
 * `TokenShift{n}Grad`: the inputs and `dy0…`; outputs `[dx, dprevious, dmix0…]`.
 */
function declareTokenShift(count: number): TokenShiftKernels {
  const mixNames = Array.from({ length: count }, (_, i) => `mix${i}`);
  const dyNames = Array.from({ length: count }, (_, i) => `dy${i}`);
  const kernel = declareKernel<string, Attributes>({
    name: `TokenShift${count}`,
    composed: (inputs) => forwardComposed(inputs, mixNames),
    host: (inputs, memory) => forwardHost(inputs, memory, mixNames),
  });
  const gradient = declareKernel<string, Attributes>({
    name: `TokenShift${count}Grad`,
    composed: (inputs) => backwardComposed(inputs, mixNames, dyNames),
    host: (inputs, memory) => backwardHost(inputs, memory, mixNames, dyNames),
  });
  declareGradient(kernel, ["x", "previous", ...mixNames], (dys, saved) => {
    const [x, previous, ...mixes] = saved as [Tensor, Tensor, ...Tensor[]];
    const inputs: Record<string, Tensor> = { x, previous };
    mixes.forEach((mix, i) => (inputs[mixNames[i]!] = mix));
    dys.forEach((dy, i) => (inputs[dyNames[i]!] = dy));
    const [dx, dprevious, ...dmixes] = gradient.run(inputs, {});
    return { x: dx!, previous: dprevious!, ...Object.fromEntries(dmixes.map((dmix, i) => [mixNames[i]!, dmix])) };
  });
  return { forward: kernel, backward: gradient };
}

const kernels = new Map([1, 2, 3, 6].map((count) => [count, declareTokenShift(count)]));

/** The kernels for so many mixes, forward and gradient. */
export function tokenShiftKernels(count: number): readonly [Kernel<string, Attributes>, Kernel<string, Attributes>] {
  const found = kernels.get(count);
  if (!found) throw new RangeError(`tokenShift: ${count} mixes, wanted ${[...kernels.keys()].join(" or ")}`);
  return [found.forward, found.backward];
}

/** x_{t−1} − x_t, with `previous` before the first token. */
function differences(x: Tensor3D, previous: Tensor): Tensor {
  const [batch, time, width] = x.shape;
  const before = tf.concat(
    [tf.reshape(previous, [batch, 1, width]), tf.slice(x, [0, 0, 0], [batch, time - 1, width])],
    1,
  );
  return tf.sub(before, x);
}

function forwardComposed(inputs: Tensors, mixNames: readonly string[]): Tensor[] {
  const x = inputs.x as Tensor3D;
  const width = x.shape[2];
  const difference = differences(x, inputs.previous!);
  return mixNames.map((name) => tf.add(x, tf.mul(difference, tf.reshape(inputs[name]!, [width]))));
}

function backwardComposed(inputs: Tensors, mixNames: readonly string[], dyNames: readonly string[]): Tensor[] {
  const x = inputs.x as Tensor3D;
  const [batch, time, width] = x.shape;
  const difference = differences(x, inputs.previous!);
  let direct: Tensor = tf.zerosLike(x);
  let shifted: Tensor = tf.zerosLike(x);
  const dmixes = mixNames.map((name, i) => {
    const dy = inputs[dyNames[i]!]!;
    const toPrevious = tf.mul(dy, tf.reshape(inputs[name]!, [width]));
    direct = tf.add(direct, tf.sub(dy, toPrevious));
    shifted = tf.add(shifted, toPrevious);
    const product = tf.reshape(tf.mul(dy, difference), [batch * time, width]);
    return tf.reshape(tf.sum(product, 0), inputs[name]!.shape);
  });
  const later = tf.slice(shifted as Tensor3D, [0, 1, 0], [batch, time - 1, width]);
  const dx = tf.add(direct, tf.concat([later, tf.zeros([batch, 1, width])], 1));
  const dprevious = tf.reshape(tf.slice(shifted as Tensor3D, [0, 0, 0], [batch, 1, width]), [batch, width]);
  return [dx, dprevious, ...dmixes];
}

function forwardHost(inputs: Infos, memory: HostMemory, mixNames: readonly string[]): TensorInfo[] {
  const shape = inputs.x!.shape as [number, number, number];
  const [batch, time, width] = shape;
  const outputs = mixNames.map(() => memory.make(shape));
  const x = memory.floats(inputs.x!);
  const previous = memory.floats(inputs.previous!);
  const mixes = mixNames.map((name) => memory.floats(inputs[name]!));
  const ys = outputs.map((output) => memory.floats(output));
  const difference = new Float64Array(width);
  for (let row = 0; row < batch * time; row++) {
    const at = row * width;
    subtractRow(difference, x, at, previous, row, time);
    // Row by row for all mixes: the row of x stays in the nearest cache.
    for (let i = 0; i < ys.length; i++) mixRow(ys[i]!, x, difference, mixes[i]!, at);
  }
  return outputs;
}

/** x_{t−1} − x_t of one row, with `previous` before the first. */
function subtractRow(
  difference: Float64Array,
  x: Float32Array,
  at: number,
  previous: Float32Array,
  row: number,
  time: number,
): void {
  const width = difference.length;
  const first = row % time === 0;
  const before = first ? previous : x;
  const beforeAt = first ? (row / time) * width : at - width;
  for (let c = 0; c < width; c++) difference[c] = before[beforeAt + c]! - x[at + c]!;
}

function mixRow(y: Float32Array, x: Float32Array, difference: Float64Array, mix: Float32Array, at: number): void {
  for (let c = 0; c < difference.length; c++) y[at + c] = x[at + c]! + mix[c]! * difference[c]!;
}

/** Adds one mix's part: Σ dy to `total`, Σ dy ⊙ mix to `shifted`, dy ⊙ difference to the mix's own gradient. */
function mixRowBack(
  dy: Float32Array,
  mix: Float32Array,
  difference: Float64Array,
  at: number,
  total: Float64Array,
  shifted: Float64Array,
  dmix: Float64Array,
): void {
  for (let c = 0; c < difference.length; c++) {
    const d = dy[at + c]!;
    total[c]! += d;
    shifted[c]! += d * mix[c]!;
    dmix[c]! += d * difference[c]!;
  }
}

function backwardHost(
  inputs: Infos,
  memory: HostMemory,
  mixNames: readonly string[],
  dyNames: readonly string[],
): TensorInfo[] {
  const shape = inputs.x!.shape as [number, number, number];
  const [batch, time, width] = shape;
  const outputs = [
    memory.make(shape),
    memory.make(inputs.previous!.shape),
    ...mixNames.map((name) => memory.make(inputs[name]!.shape)),
  ];
  const x = memory.floats(inputs.x!);
  const previous = memory.floats(inputs.previous!);
  const dx = memory.floats(outputs[0]!);
  const dprevious = memory.floats(outputs[1]!).fill(0);
  const mixes = mixNames.map((name) => memory.floats(inputs[name]!));
  const dys = dyNames.map((name) => memory.floats(inputs[name]!));
  const dmixes = mixNames.map(() => new Float64Array(width));
  const difference = new Float64Array(width);
  const total = new Float64Array(width);
  const shifted = new Float64Array(width);
  for (let row = 0; row < batch * time; row++) {
    const at = row * width;
    subtractRow(difference, x, at, previous, row, time);
    total.fill(0);
    shifted.fill(0);
    for (let i = 0; i < dys.length; i++) mixRowBack(dys[i]!, mixes[i]!, difference, at, total, shifted, dmixes[i]!);
    const first = row % time === 0;
    const before = first ? dprevious : dx;
    const beforeAt = first ? (row / time) * width : at - width;
    for (let c = 0; c < width; c++) {
      dx[at + c] = total[c]! - shifted[c]!;
      before[beforeAt + c]! += shifted[c]!;
    }
  }
  dmixes.forEach((dmix, i) => memory.floats(outputs[i + 2]!).set(dmix));
  return outputs;
}

/**
 * y_i = x_t + mix_i ⊙ (x_{t−1} − x_t), differentiable in x, previous and the mixes.
 *
 * @param x float32 `[B, T, C]`
 * @param previous the token before the first, `[B, C]`: zeros at the start of a sequence, else the last row before
 * @param mixes 1, 2, 3 or 6 tensors of C values (checkpoints hold them as `[1, 1, C]`)
 * @returns one tensor `[B, T, C]` for each mix
 * @throws ShapeError when a shape does not fit
 */
export function tokenShift(x: Tensor3D, previous: Tensor2D, mixes: readonly Tensor[]): Tensor3D[] {
  expectRank("tokenShift", "x", x, 3, "[B, T, C]");
  const [batch, , width] = x.shape;
  expectShape("tokenShift", "previous", previous, [batch, width], "[B, C]");
  const inputs: Record<string, Tensor> = { x, previous };
  mixes.forEach((mix, i) => {
    expectShape("tokenShift", `mixes[${i}]`, mix, [1, 1, width], "[1, 1, C]");
    inputs[`mix${i}`] = mix;
  });
  const [forward] = tokenShiftKernels(mixes.length);
  return forward.run(inputs, {}) as Tensor3D[];
}
