/** Where in a pass a named activation belongs: to its tokens, or to the moment before the first or after the last. */
import * as tf from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import type { LanguageModel, SequenceState, Tap } from "../model/language-model.js";

/** Of every token of a pass `[B, T, …]`; or a state `[B, …]`, before the first token or after the last. */
export type ActivationMoment = "tokens" | "before" | "after";

/** By the name: `blocks.0.before.wkv`, `blocks.0.state.wkv`, and all others. */
export function momentOf(name: string): ActivationMoment {
  const kind = /(?:^|\.)(before|state)\.[^.]+$/.exec(name)?.[1];
  return kind === undefined ? "tokens" : kind === "before" ? "before" : "after";
}

/** What is known of an activation of a model. */
export interface ActivationShape {
  /** for one token of one text */
  readonly shape: readonly number[];
  /** whether it is a state `[B, P, …]` that holds more with every token, such as a cache of keys */
  readonly grows: boolean;
}

const known = new WeakMap<object, ReadonlyMap<string, ActivationShape>>();

/**
 * The activations that a model shows, in the order of a pass. Found by running the token 0 twice, once a model.
 *
 * @throws ConfigurationError when the model shows none
 */
export function activationShapes<S extends SequenceState>(
  caller: string,
  model: LanguageModel<S>,
): ReadonlyMap<string, ActivationShape> {
  const before = known.get(model);
  if (before) return before;
  const passes: Map<string, readonly number[]>[] = [];
  tf.tidy(() => {
    let state: S | undefined;
    for (let pass = 0; pass < 2; pass++) {
      const shapes = new Map<string, readonly number[]>();
      passes.push(shapes);
      const tap: Tap = (name, value) => {
        shapes.set(name, value.shape);
        return value;
      };
      ({ state } = model.forward([[0]], state, { tap }));
    }
  });
  const [first, second] = passes as [Map<string, readonly number[]>, Map<string, readonly number[]>];
  if (first.size === 0) {
    throw new ConfigurationError(`${caller}: this model shows no activations: its forward takes no tap`);
  }
  const shapes = new Map(
    [...first].map(([name, shape]): [string, ActivationShape] => [
      name,
      { shape, grows: shape.join() !== second.get(name)?.join() },
    ]),
  );
  known.set(model, shapes);
  return shapes;
}

/** For a model that shows what another shows. */
export function rememberShapes(model: object, shapes: ReadonlyMap<string, ActivationShape>): void {
  known.set(model, shapes);
}
