/** How alike states or activations are, over time. In float64. */
import { ActivationValues, type AxisChoice } from "./activation-values.js";
import { hostMatrix, type MatrixInput } from "./matrix.js";
import { lengthOf } from "./spectrum.js";

/**
 * The cosine of the angle between two lists of numbers: 1 for one direction, 0 for right angles, −1 for opposite. 0 when
 * one is all zeros.
 *
 * @throws RangeError when they differ in length
 */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`cosine: ${a.length} and ${b.length} numbers, wanted as many`);
  const lengths = lengthOf(a) * lengthOf(b);
  if (lengths === 0) return 0;
  let product = 0;
  for (let i = 0; i < a.length; i++) product += a[i]! * b[i]!;
  return Math.max(-1, Math.min(1, product / lengths));
}

/** The size of a step from one matrix to another: ‖after − before‖_F, and by ‖before‖_F (∞ from a zero matrix). */
export function updateNorm(before: MatrixInput, after: MatrixInput): { norm: number; relative: number } {
  const [a, b] = [hostMatrix(before).values, hostMatrix(after).values];
  const norm = distance(a, b);
  return { norm, relative: norm === 0 ? 0 : norm / lengthOf(a) };
}

/**
 * √Σ (b − a)².
 *
 * @throws RangeError when they differ in length
 */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`distance: ${a.length} and ${b.length} numbers, wanted as many`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (b[i]! - a[i]!) ** 2;
  return Math.sqrt(sum);
}

/**
 * The cosine between what an activation holds at each two of its positions, over all axes that are not chosen:
 * `similarity(trace.get("blocks.0.state.wkv"), { row: 0, head: 2 })`.
 *
 * @param choice an index of other axes
 * @returns rows and columns in the order of `values.positions`, symmetric, ones on the diagonal (zeros where a state is zero)
 * @throws RangeError when there is no axis of positions, or an index is out of range
 */
export function similarity(values: ActivationValues, choice: AxisChoice = {}): number[][] {
  const vectors = atPositions(values, choice);
  return vectors.map((a) => vectors.map((b) => cosine(a, b)));
}

/**
 * The size of each step from one position to the next, ‖x_p − x_{p−1}‖, over all axes that are not chosen.
 *
 * @returns one fewer than there are positions
 * @throws RangeError as {@link similarity}
 */
export function updateNorms(values: ActivationValues, choice: AxisChoice = {}): number[] {
  const vectors = atPositions(values, choice);
  return vectors.slice(1).map((vector, i) => distance(vectors[i]!, vector));
}

/**
 * What an activation holds at each of its positions, as flat lists.
 *
 * @throws RangeError as {@link similarity}
 */
export function atPositions(values: ActivationValues, choice: AxisChoice = {}): Float32Array[] {
  const part = values.select(choice);
  if (!part.axes.includes("position")) {
    throw new RangeError(
      `${values.name}: there is no axis of positions left, its axes are ${part.axes.join(", ") || "none"}: leave position ` +
        `out of the choice`,
    );
  }
  return part.positions.map((position) => part.select({ position }).data);
}
