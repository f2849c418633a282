import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

/** The tensor with zeros at the end of each axis, up to a shape of as many axes. */
export function padTo(x: Tensor, shape: readonly number[]): Tensor {
  return tf.pad(
    x,
    x.shape.map((size, axis): [number, number] => [0, shape[axis]! - size]),
  );
}
