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
  const own = stridesOf(operand);
  const offset = shape.length - operand.length;
  return shape.map((_, axis) => {
    const at = axis - offset;
    return at < 0 || operand[at] === 1 ? 0 : own[at]!;
  });
}

/**
 * The same entries with as few axes as tell them, at least one, and the strides of each operand along these. An axis of one
 * entry is none; one that goes on, for every operand, where the one inside it ends is the same axis.
 */
export function packed<Operands extends readonly (readonly number[])[]>(
  lengths: readonly number[],
  ...operands: Operands
): { axes: number[]; strides: { [Operand in keyof Operands]: number[] } } {
  const axes: number[] = [];
  const strides = operands.map((): number[] => []);
  lengths.forEach((length, axis) => {
    if (length === 1) return;
    const joins = axes.length > 0 && operands.every((operand, i) => strides[i]!.at(-1) === operand[axis]! * length);
    if (joins) axes[axes.length - 1]! *= length;
    else axes.push(length);
    operands.forEach((operand, i) => {
      if (joins) strides[i]![strides[i]!.length - 1] = operand[axis]!;
      else strides[i]!.push(operand[axis]!);
    });
  });
  if (axes.length === 0) {
    axes.push(1);
    for (const steps of strides) steps.push(1);
  }
  return { axes, strides: strides as { [Operand in keyof Operands]: number[] } };
}
