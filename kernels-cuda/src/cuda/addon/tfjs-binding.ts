import type { Address, AddressList } from "./core-binding.js";

/**
 * tfjs's kernels: the declaration of `cuda/node/tfjs_binding.cpp`. Types are 0 (float32), 1 (int32), 2 (bool). Axes are
 * their lengths, outermost first, then the strides of each operand along them, in values.
 */
export interface TfjsBinding {
  /** Functions are numbered in `cuda/tfjs/unary.h`; y[i] = function(x[i]). */
  unary(function_: number, count: number, x: Address, y: Address, first: number, second: number): void;
  integerUnary(function_: number, count: number, x: Address, y: Address, first: number, second: number): void;
  question(question: number, count: number, x: Address, y: Address): void;
  logicalNot(count: number, x: Address, y: Address): void;
  cast(from: number, to: number, count: number, x: Address, y: Address): void;

  /** Functions are numbered in `cuda/tfjs/binary.h`; axes with the strides of a and b, y is adjacent. */
  binary(function_: number, axes: Int32Array, a: Address, b: Address, y: Address): void;
  /** float32 to int32 */
  floorDivide(axes: Int32Array, a: Address, b: Address, y: Address): void;
  integerBinary(function_: number, axes: Int32Array, a: Address, b: Address, y: Address): void;
  comparison(function_: number, type: number, axes: Int32Array, a: Address, b: Address, y: Address): void;
  /** y[i] = condition[i] ? a[i] : b[i]; values of 1 or 4 bytes. */
  select(count: number, bytes: number, condition: Address, a: Address, b: Address, y: Address): void;
  /** At most 16 terms. */
  addN(type: number, count: number, terms: AddressList, y: Address): void;

  /** x `[outer, length, inner]` over its middle axis; reductions are numbered in `cuda/tfjs/reduce.h`. */
  reduce(
    reduction: number,
    type: number,
    outer: number,
    length: number,
    inner: number,
    x: Address,
    y: Address,
    scale: number,
  ): void;
  softmax(rows: number, width: number, x: Address, y: Address): void;
  /** Sums (0) or products (1) along the middle axis of x `[outer, length, inner]`. */
  scan(
    scan: number,
    type: number,
    outer: number,
    length: number,
    inner: number,
    exclusive: boolean,
    reverse: boolean,
    x: Address,
    y: Address,
  ): void;
  /** The k largest of each row, largest first; of equal ones the earlier first; k is at most 1024. */
  topK(type: number, rows: number, width: number, k: number, x: Address, values: Address, indices: Address): void;

  /** Axes with the strides of x and of y; offsets in values of 1 or 4 bytes. */
  copyAxes(bytes: number, axes: Int32Array, xOffset: number, yOffset: number, x: Address, y: Address): void;
  /** The same where y is whole; for axes in another order. */
  transpose(bytes: number, axes: Int32Array, x: Address, y: Address): void;
  /** Axes of y with the strides of x; bounds are the places before x along each axis, then its lengths. */
  pad(type: number, axes: Int32Array, bounds: Int32Array, x: Address, value: number, y: Address): void;
  fill(type: number, count: number, value: number, y: Address): void;
  range(type: number, count: number, start: number, step: number, y: Address): void;

  /** y `[batch, outer, count, width]` of x `[batch, outer, rows, width]`; zeros where an index is no row. */
  gather(
    bytes: number,
    batch: number,
    outer: number,
    rows: number,
    count: number,
    width: number,
    x: Address,
    indices: Address,
    y: Address,
  ): void;
  /** The number of each of indices `[count, axes]` in a tensor with these axes, −1 where it has none. */
  rowNumbers(count: number, axes: Int32Array, indices: Address, rows: Address): void;
  /** y `[segments, width]`, sums of the rows of x `[count, width]` by their ids, in their order. */
  segmentSum(type: number, count: number, width: number, segments: number, x: Address, ids: Address, y: Address): void;
  oneHot(type: number, count: number, depth: number, on: number, off: number, indices: Address, y: Address): void;
}
