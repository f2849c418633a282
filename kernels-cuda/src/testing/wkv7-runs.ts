/**
 * For tests: runs the addon on float64 cases, with outputs that hold NaN before, and compares with the reference.
 */
import type { NativeBinding } from "../addon/binding.js";
import { gradientNames, stepNames, type Wkv7Case, type Wkv7Shape } from "./wkv7-reference.js";

type Arrays<Name extends string> = Record<Name, Float32Array>;
type Steps = (typeof stepNames)[number];
type Gradients = Arrays<(typeof gradientNames)[number]>;

/** Floats that are all NaN: a kernel that leaves one unwritten is seen. */
export const poisoned = (length: number) => new Float32Array(length).fill(NaN);

const narrow = (values: Float64Array) => Float32Array.from(values);

export function forwardInputs(c: Wkv7Case): Arrays<Steps | "state"> {
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

export function backwardInputs(
  c: Wkv7Case,
  checkpoints: Float32Array,
): Arrays<Steps | "checkpoints" | "dy" | "dFinalState"> {
  const { state: _, ...inputs } = forwardInputs(c);
  return { ...inputs, checkpoints, dy: narrow(c.dy), dFinalState: narrow(c.dFinalState) };
}

export function checkpointLength({ batch, time, heads, headSize, checkpointInterval }: Wkv7Shape): number {
  return checkpointInterval > 0 ? batch * heads * Math.ceil(time / checkpointInterval) * headSize ** 2 : 0;
}

/** As a call has them. */
export function sizesOf({ batch, time, heads, headSize, checkpointInterval }: Wkv7Shape): number[] {
  return [batch, time, heads, headSize, checkpointInterval];
}

/** The call with arrays by name. */
export function callForward(
  binding: NativeBinding,
  shape: Wkv7Shape,
  { r, w, k, v, a, b, state }: Arrays<Steps | "state">,
  { y, finalState, checkpoints }: Arrays<"y" | "finalState" | "checkpoints">,
): void {
  const kept = shape.checkpointInterval === 0 ? null : checkpoints;
  binding.wkv7(...sizesOf(shape), r, w, k, v, a, b, state, y, finalState, kept);
}

/** The call with arrays by name. */
export function callBackward(
  binding: NativeBinding,
  shape: Wkv7Shape,
  { r, w, k, v, a, b, checkpoints, dy, dFinalState }: Arrays<Steps | "checkpoints" | "dy" | "dFinalState">,
  { dr, dw, dk, dv, da, db, dState }: Gradients,
): void {
  const given = [r, w, k, v, a, b, checkpoints, dy, dFinalState] as const;
  binding.wkv7Grad(...sizesOf(shape), ...given, dr, dw, dk, dv, da, db, dState);
}

export function nativeForward(binding: NativeBinding, shape: Wkv7Shape, c: Wkv7Case) {
  const outputs = {
    y: poisoned(c.r.length),
    finalState: poisoned(c.state.length),
    checkpoints: poisoned(checkpointLength(shape)),
  };
  callForward(binding, shape, forwardInputs(c), outputs);
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
  callBackward(binding, shape, backwardInputs(c, checkpoints), gradients);
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
