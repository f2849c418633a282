/**
 * For tests: runs the addon on float64 cases, with outputs that hold NaN before, and compares with the reference.
 */
import type { NativeBinding, Wkv7GradInputs, Wkv7Inputs, Wkv7Shape } from "../addon/binding.js";
import type { Wkv7Case } from "./wkv7-reference.js";

/** Floats that are all NaN: a kernel that leaves one unwritten is seen. */
export const poisoned = (length: number) => new Float32Array(length).fill(NaN);

const narrow = (values: Float64Array) => Float32Array.from(values);

export function forwardInputs(c: Wkv7Case): Wkv7Inputs {
  return {
    r: narrow(c.r),
    w: narrow(c.w),
    k: narrow(c.k),
    v: narrow(c.v),
    a: narrow(c.a),
    b: narrow(c.b),
    state: narrow(c.state),
  };
}

export function backwardInputs(c: Wkv7Case, checkpoints: Float32Array): Wkv7GradInputs {
  const { state: _, ...inputs } = forwardInputs(c);
  return { ...inputs, checkpoints, dy: narrow(c.dy), dFinalState: narrow(c.dFinalState) };
}

export function checkpointLength({ batch, time, heads, headSize, checkpointInterval }: Wkv7Shape): number {
  return checkpointInterval > 0 ? batch * heads * Math.ceil(time / checkpointInterval) * headSize ** 2 : 0;
}

export function nativeForward(binding: NativeBinding, shape: Wkv7Shape, c: Wkv7Case) {
  const outputs = {
    y: poisoned(c.r.length),
    finalState: poisoned(c.state.length),
    checkpoints: poisoned(checkpointLength(shape)),
  };
  binding.wkv7Forward(shape, forwardInputs(c), outputs);
  return outputs;
}

export function nativeBackward(binding: NativeBinding, shape: Wkv7Shape, c: Wkv7Case, checkpoints: Float32Array) {
  const of = (values: Float64Array) => poisoned(values.length);
  const gradients = {
    dr: of(c.r),
    dw: of(c.w),
    dk: of(c.k),
    dv: of(c.v),
    da: of(c.a),
    db: of(c.b),
    dState: of(c.state),
  };
  binding.wkv7Backward(shape, backwardInputs(c, checkpoints), gradients);
  return gradients;
}

/** Largest difference, against the largest value of the reference; NaN or Infinity anywhere gives Infinity. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) throw new RangeError(`${actual.length} values against ${expected.length}`);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < expected.length; ++i) {
    const d = Math.abs(actual[i]! - expected[i]!);
    if (!Number.isFinite(d)) return Infinity;
    difference = Math.max(difference, d);
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return difference === 0 ? 0 : difference / largest;
}
