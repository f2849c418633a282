/** Shapes as the kernels of both backends tell them: sizes, strides, and as few axes as tell the same. */
import { broadcast_util, util } from "@tensorflow/tfjs-core";

/** How many values a tensor of this shape has. */
export function sizeOf(shape: readonly number[]): number {
  return util.sizeFromShape(shape as number[]);
}

/**
 * The place of an axis, which is negative when it is counted from the end.
 *
 * @throws Error for one that `shape` has not
 */
export function axisOf(axis: number, shape: readonly number[]): number {
  const place = axis < 0 ? axis + shape.length : axis;
  // tfjs has the words for one that is not there; that all is well it finds by lists and closures.
  return shape[place] === undefined ? util.parseAxisParam(axis, shape as number[])[0]! : place;
}

/** What two operands broadcast to; equal ones, the most frequent by far, need no arithmetic. Throws when they do not fit. */
export function broadcastShape(a: number[], b: number[]): number[] {
  return util.arraysEqual(a, b) ? a : broadcast_util.assertAndGetBroadcastShape(a, b);
}

/** How far apart the entries along each axis are. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** The strides of an operand that broadcasts to `shape`: 0 along axes that it repeats. */
export function broadcastStrides(operand: readonly number[], shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  const offset = shape.length - operand.length;
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const length = operand[axis - offset] ?? 1;
    strides[axis] = length === 1 ? 0 : stride;
    stride *= length;
  }
  return strides;
}

/** The lists that calls of an addon take, by their length. One that is made for a call costs as much as a small op. */
const lists: Int32Array[] = [];

/**
 * The same entries with as few axes as tell them, at least one, as a list for a call of an addon: the axes' lengths, then the strides of
 * each operand along them. An axis of one entry is none; one that goes on, for every operand, where the one inside it ends is the same
 * axis. The next call writes the list anew.
 */
export function packedAxes(lengths: readonly number[], ...operands: readonly (readonly number[])[]): Int32Array {
  const axes: number[] = [];
  const strides = operands.map((): number[] => []);
  for (let axis = 0; axis < lengths.length; axis++) {
    const length = lengths[axis]!;
    if (length === 1) continue;
    const last = axes.length - 1;
    let joins = last >= 0;
    for (let i = 0; joins && i < operands.length; i++) joins = strides[i]![last] === operands[i]![axis]! * length;
    if (joins) axes[last]! *= length;
    else axes.push(length);
    for (let i = 0; i < operands.length; i++) strides[i]![axes.length - 1] = operands[i]![axis]!;
  }
  const count = Math.max(1, axes.length);
  const size = count * (1 + operands.length);
  const list = (lists[size] ??= new Int32Array(size));
  for (let axis = 0; axis < count; axis++) {
    list[axis] = axes[axis] ?? 1;
    for (let i = 0; i < operands.length; i++) list[(1 + i) * count + axis] = strides[i]![axis] ?? 1;
  }
  return list;
}
