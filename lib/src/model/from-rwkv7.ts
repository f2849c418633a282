/** An RWKV-7 model as a Meta-State model whose outputs are equal. */
import * as tf from "@tensorflow/tfjs-core";
import type { Variable } from "@tensorflow/tfjs-core";

import { expectModel, expectOptions, type OptionNames } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { expectNeutral } from "../sse/neutral.js";
import { sseVariant } from "../sse/registry.js";
import { completeConfiguration, type Activation, type MixtureOptions, type SseName } from "./configuration.js";
import { Model } from "./model.js";
import { parameterVariable } from "./parameter-variable.js";
import { parameterSpecifications } from "./parameters.js";

/** Options of {@link fromRwkv7}. */
export interface FromRwkv7Options {
  /** the variant; default `sse` */
  sse?: SseName;
  /** ρ in (0, 1]: the portion of heads, from the first, that carries it; default 1 */
  rho?: number;
  /** groups of parameter tokens; R is zero, so that all weigh 1. Default none */
  mixture?: MixtureOptions | null;
  /** whether what the SSE adds multiplies instead: x̂ ⊙ (1 + 0) at first. Default false */
  mul?: boolean;
  /** must be the model's: another factor would change the transition of its state */
  aScale?: number;
  /** must be the model's: another activation would change what its parameter tokens give */
  activation?: Activation;
}

const optionNames: OptionNames<FromRwkv7Options> = {
  ...{ sse: true, rho: true, mixture: true, mul: true, aScale: true, activation: true },
};

/**
 * A Meta-State model with the parameters of an RWKV-7 model and zero gains (α_g, β_g): what the layer adds to the token
 * is then exactly zero, and logits and WKV states are equal. So they are with a `mixture`, whose R is zero, and with `mul`.
 * Training moves the gains and R.
 *
 * @param model with `sse: "none"`; it is not changed and shares nothing with the result
 * @throws ConfigurationError when it is a Meta-State model already, or when outputs could not stay equal: `aScale` or
 *   `activation` other than the model's, or a variant of your own that does not say `neutralAtZero`
 */
export function fromRwkv7(model: Model, options: FromRwkv7Options = {}): Model {
  expectModel("fromRwkv7", model);
  expectOptions("fromRwkv7", options, optionNames);
  const { sse = "sse", rho = 1, mixture = null, mul = false, aScale, activation } = options;
  const has = model.configuration;
  if (has.sse !== "none") {
    throw new ConfigurationError(
      `fromRwkv7: the model has sse "${has.sse}" already; a change of variant would change its outputs`,
    );
  }
  if (aScale !== undefined && aScale !== has.aScale) {
    throw new ConfigurationError(
      `fromRwkv7: aScale ${aScale} instead of the model's ${has.aScale} would change the transition of its WKV state, and ` +
        `with it its outputs: leave it out, or train a model with aScale: ${aScale} from scratch`,
    );
  }
  if (activation !== undefined && activation !== has.activation) {
    throw new ConfigurationError(
      `fromRwkv7: activation "${activation}" instead of the model's "${has.activation}" would change what its parameter ` +
        `tokens give, and with it its outputs: leave it out, or train such a model from scratch`,
    );
  }
  expectNeutral("fromRwkv7", sseVariant(sse));
  const configuration = completeConfiguration({ ...has, sse, rho, mixture, mul });
  const parameters = new Map<string, Variable>();
  for (const { name, shape } of parameterSpecifications(configuration)) {
    const held = model.parameters.get(name);
    // A clone shares the numbers, which no one changes in place, until either variable is assigned new ones.
    const tensor = held ? tf.clone(held) : tf.zeros([...shape]);
    parameters.set(name, parameterVariable(tensor));
  }
  return new Model(configuration, parameters);
}
