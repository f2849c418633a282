/** Parameters as they were at some moment. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import type { Parameters } from "./parameters.js";

/** Values of some parameters. Taking one copies nothing: engines share the memory until a parameter is assigned anew. */
export class Snapshot {
  private constructor(readonly values: ReadonlyMap<string, Tensor>) {}

  /** The values now. */
  static take(parameters: Parameters, names: Iterable<string> = parameters.keys()): Snapshot {
    return new Snapshot(new Map([...names].map((name) => [name, tf.keep(tf.clone(parameters.get(name)!))])));
  }

  /** A snapshot that owns these tensors. */
  static of(values: ReadonlyMap<string, Tensor>): Snapshot {
    return new Snapshot(values);
  }

  /** Gives the parameters these values. */
  restore(parameters: Parameters): void {
    for (const [name, value] of this.values) parameters.get(name)!.assign(value);
  }

  /** Frees the values. */
  dispose(): void {
    tf.dispose([...this.values.values()]);
  }
}
