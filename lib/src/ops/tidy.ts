/** `tf.tidy` for results that are objects of this library's own classes. */
import * as tf from "@tensorflow/tfjs-core";

/** Runs `f` and frees every tensor made in it but those found in its result, at any depth. */
export function tidyValue<T extends object>(f: () => T): T {
  // tfjs walks any object for tensors; its types admit only index-signature ones.
  return tf.tidy(f as unknown as () => tf.TensorContainer) as unknown as T;
}
