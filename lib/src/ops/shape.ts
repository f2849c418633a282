/** Checks of shapes and dtypes at the door of an op. */
import type { Tensor } from "@tensorflow/tfjs-core";

import { ShapeError } from "../errors.js";

/** `[2, 3]` and its dtype when that is not float32, for messages. */
export function describeTensor(tensor: Tensor): string {
  const shape = `[${tensor.shape.join(", ")}]`;
  return tensor.dtype === "float32" ? shape : `${shape} ${tensor.dtype}`;
}

/**
 * Throws a {@link ShapeError} unless the tensor has the wanted shape and dtype.
 *
 * @param symbols the wanted shape in letters, e.g. `[B, T, H, N]`, added to the message
 */
export function expectShape(
  op: string,
  argument: string,
  tensor: Tensor,
  wanted: readonly number[],
  symbols?: string,
  dtype: "float32" | "int32" = "float32",
): void {
  const fits =
    tensor.dtype === dtype &&
    tensor.shape.length === wanted.length &&
    wanted.every((size, axis) => tensor.shape[axis] === size);
  if (fits) return;
  const name = symbols === undefined ? "" : `${symbols} = `;
  const kind = dtype === tensor.dtype ? "" : ` ${dtype}`;
  throw new ShapeError(op, argument, describeTensor(tensor), `${name}[${wanted.join(", ")}]${kind}`);
}

/** Throws a {@link ShapeError} unless the tensor has this many axes, none of them empty, and is float32. */
export function expectRank(op: string, argument: string, tensor: Tensor, rank: number, symbols: string): void {
  if (tensor.dtype === "float32" && tensor.shape.length === rank && tensor.shape.every((size) => size > 0)) return;
  throw new ShapeError(op, argument, describeTensor(tensor), `${symbols}, float32, no axis empty`);
}

/** Throws a {@link ShapeError} unless the last axis has the wanted size. */
export function expectLastAxis(op: string, argument: string, tensor: Tensor, size: number, symbols: string): void {
  if (tensor.dtype === "float32" && tensor.shape.at(-1) === size) return;
  throw new ShapeError(op, argument, describeTensor(tensor), `${symbols} with last axis ${size}, float32`);
}

/** The number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
