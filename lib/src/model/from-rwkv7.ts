/** An RWKV-7 model as a Meta-State model whose outputs are equal. */
import * as tf from "@tensorflow/tfjs-core";
import type { Variable } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import { completeConfiguration } from "./configuration.js";
import { Model } from "./model.js";
import { parameterSpecifications } from "./parameters.js";

/** Options of {@link fromRwkv7}. */
export interface FromRwkv7Options {
  /** the variant; default `sse` */
  sse?: string;
  /** ρ in (0, 1]: the portion of heads, from the first, that carries it; default 1 */
  rho?: number;
}

/**
 * A Meta-State model with the parameters of an RWKV-7 model and zero gains (α_g, β_g): what the layer adds to the token
 * is then exactly zero, and logits and WKV states are equal. Training moves the gains.
 *
 * Exact for the library's own variants; for one of your own when it adds nothing with its parameters at zero.
 *
 * @param model with `sse: "none"`; it is not changed and shares nothing with the result
 * @throws ConfigurationError when it is a Meta-State model already
 */
export function fromRwkv7(model: Model, { sse = "sse", rho = 1 }: FromRwkv7Options = {}): Model {
  if (model.configuration.sse !== "none") {
    throw new ConfigurationError(
      `fromRwkv7: the model has sse "${model.configuration.sse}" already; a change of variant would change its outputs`,
    );
  }
  const configuration = completeConfiguration({ ...model.configuration, sse, rho });
  const parameters = new Map<string, Variable>();
  for (const { name, shape } of parameterSpecifications(configuration)) {
    const held = model.parameters.get(name);
    // A clone shares the numbers, which no one changes in place, until either variable is assigned new ones.
    const tensor = held ? tf.clone(held) : tf.zeros([...shape]);
    parameters.set(name, tf.variable(tensor));
    tensor.dispose();
  }
  return new Model(configuration, parameters);
}
