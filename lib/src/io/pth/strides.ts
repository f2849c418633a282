/** Tensors that are views: which elements of their storage they mean, in which order. */
import type { TensorData } from "../float-formats.js";
import type { TensorReference } from "./pickle-values.js";

/** The elements of the storage from the first to behind the last that a tensor uses. */
export function spanOf({ offset, shape, strides }: TensorReference): { begin: number; end: number } {
  if (shape.includes(0)) return { begin: offset, end: offset };
  let last = offset;
  shape.forEach((size, axis) => (last += (size - 1) * strides[axis]!));
  return { begin: offset, end: last + 1 };
}

/** Whether the elements stand in a row, in order. */
export function isContiguous({ shape, strides }: TensorReference): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis]!;
  }
  return true;
}

/**
 * The elements in row-major order.
 *
 * @param span those of {@link spanOf}
 */
export function gather(span: TensorData, { shape, strides }: TensorReference): TensorData {
  const count = shape.reduce((product, size) => product * size, 1);
  const output = new (span.constructor as new (count: number) => TensorData)(count);
  const index = new Array<number>(shape.length).fill(0);
  const last = shape.length - 1;
  const [inner, step] = [shape[last]!, strides[last]!];
  let row = 0;
  for (let i = 0; i < count; i += inner) {
    for (let j = 0; j < inner; j++) output[i + j] = span[row + j * step]!;
    // To the next row, as an odometer does.
    for (let axis = last - 1; axis >= 0; axis--) {
      row += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      row -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return output;
}
