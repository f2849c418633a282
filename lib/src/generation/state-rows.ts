/** States of several texts in one batch: taking rows out, and putting them together. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ModelState, type LayerState } from "../model/state.js";

/** A new state of the rows, in this order; a row may come more than once. */
export function selectRows(state: ModelState, rows: readonly number[]): ModelState {
  const indices = tf.tensor1d([...rows], "int32");
  const selected = mapLayers([state], ([tensor]) => tf.gather(tensor!, indices, 0));
  indices.dispose();
  return selected;
}

/** A new state of the rows of all, one after the other. */
export function joinRows(states: readonly ModelState[]): ModelState {
  return mapLayers(states, (tensors) => tf.concat([...tensors], 0));
}

function mapLayers(states: readonly ModelState[], change: (tensors: readonly Tensor[]) => Tensor): ModelState {
  const layers = states[0]!.layers.map((layer, i) => {
    const changed = Object.keys(layer).map((part): [string, Tensor] => [
      part,
      change(states.map((state) => state.layers[i]![part as keyof LayerState]!)),
    ]);
    return Object.fromEntries(changed) as unknown as LayerState;
  });
  return new ModelState(layers);
}
