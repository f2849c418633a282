/** The state of a smaller model for the larger one that it grew into: a conversation goes on. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ShapeError } from "../errors.js";
import type { Model } from "../model/model.js";
import { ModelState } from "../model/state.js";
import { layerOf, stateTensorNames, tensorsOf, type LayerState } from "../model/state-layers.js";
import { padTo } from "../ops/pad-to.js";
import { tidyValue } from "../ops/tidy.js";

/**
 * A state of a model for the model that it grew into. Old layers and heads hold what they held, new ones what they hold before
 * any token. Directly after `ms.grow` the outputs go on as the smaller model's would.
 *
 * @param state of the smaller model; stays as it is. One without Meta-State fits an `sse` that an RWKV-7 was given, one without
 *   a variant's own states that variant
 * @param model the larger one
 * @returns tensors of the caller's
 * @throws ShapeError when the state is of a larger model, or of another width or head size
 */
export function growState(state: ModelState, model: Model): ModelState {
  return tidyValue(() => {
    const empty = model.initialState(state.batchSize);
    if (state.layers.length > empty.layers.length) {
      throw new ShapeError("growState", "state", `of ${state.layers.length} layers`, `at most ${empty.layers.length}`);
    }
    const layers = empty.layers.map((fresh, i): LayerState => {
      const old = state.layers[i];
      if (!old) return fresh;
      return layerOf(
        tensorsOf(fresh).map(([name, to]) => {
          const from = old[name];
          if (!from) return [name, to];
          const isOwn = !stateTensorNames.includes(name);
          return [name, isOwn ? paddedAtEnds(i, name, from, to) : padded(`state.layers[${i}].${name}`, from, to)];
        }),
      );
    });
    return new ModelState(layers, state.positions);
  });
}

/** The old tensor, followed by the new heads of the fresh one. */
function padded(name: string, from: Tensor, to: Tensor): Tensor {
  const [had, has] = [from.shape[1]!, to.shape[1]!];
  const alike = from.shape.every((size, axis) =>
    axis === 1 && from.rank === 4 ? size <= has : size === to.shape[axis],
  );
  if (!alike) {
    const wanted = `[${to.shape.join(", ")}]${from.rank === 4 ? " or fewer heads" : ""}`;
    throw new ShapeError("growState", name, `[${from.shape.join(", ")}]`, wanted);
  }
  if (had === has) return tf.clone(from);
  return tf.concat([from, tf.slice(to, [0, had, 0, 0], [-1, has - had, -1, -1])], 1);
}

/** A state of a variant's own, with zeros at the end of each axis that grew; what it was declared to follow grew there. */
function paddedAtEnds(layer: number, name: string, from: Tensor, to: Tensor): Tensor {
  const fits =
    from.rank === to.rank &&
    from.shape.every((size, axis) => (axis === 0 ? size === to.shape[0] : size <= to.shape[axis]!));
  if (fits) return padTo(from, to.shape);
  const wanted = `[${to.shape.join(", ")}] or smaller`;
  throw new ShapeError("growState", `state.layers[${layer}].${name}`, `[${from.shape.join(", ")}]`, wanted);
}
