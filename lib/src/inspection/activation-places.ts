/** Where in a pass a named activation belongs: to its tokens, or to the moment before the first or after the last. */
import * as tf from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import type { LanguageModel, SequenceState } from "../model/language-model.js";

/** Of every token of a pass `[B, T, …]`; or a state `[B, …]`, before the first token or after the last. */
export type ActivationMoment = "tokens" | "before" | "after";

/** By the name: `blocks.0.before.wkv`, `blocks.0.state.wkv`, and all others. */
export function momentOf(name: string): ActivationMoment {
  const kind = /(?:^|\.)(before|state)\.[^.]+$/.exec(name)?.[1];
  return kind === undefined ? "tokens" : kind === "before" ? "before" : "after";
}

const known = new WeakMap<object, ReadonlyMap<string, readonly number[]>>();

/**
 * The activations that a model shows, with their shapes for one token of one text, in the order of a pass. Found by
 * running the token 0, once a model.
 *
 * @throws ConfigurationError when the model shows none
 */
export function activationShapes<S extends SequenceState>(
  caller: string,
  model: LanguageModel<S>,
): ReadonlyMap<string, readonly number[]> {
  const before = known.get(model);
  if (before) return before;
  const shapes = new Map<string, readonly number[]>();
  tf.tidy(() => {
    const { state } = model.forward([[0]], undefined, {
      tap(name, value) {
        shapes.set(name, value.shape);
        return value;
      },
    });
    state.dispose();
  });
  if (shapes.size === 0) {
    throw new ConfigurationError(`${caller}: this model shows no activations: its forward takes no tap`);
  }
  known.set(model, shapes);
  return shapes;
}

/** For a model that shows what another shows. */
export function rememberShapes(model: object, shapes: ReadonlyMap<string, readonly number[]>): void {
  known.set(model, shapes);
}
