/** A larger model that computes what the smaller one does. */
import type { Variable } from "@tensorflow/tfjs-core";

import { expectModel, expectOptions } from "../arguments.js";
import { Model } from "../model/model.js";
import { parameterVariable } from "../model/parameter-variable.js";
import { grownConfiguration, type Growth } from "./grown-configuration.js";
import { grownTensor, growthPlan, growthRandom } from "./plan.js";

/** Options of {@link grow}. */
export interface GrowOptions {
  /** the same seed gives the same new values on every machine; default 0 */
  seed?: number;
  /** does what cannot keep the outputs too (width, head size, vocabulary); default false */
  force?: boolean;
}

/**
 * A larger model with the same outputs: new parameter tokens, heads, layers, ranks, heads that carry the SSE, a learned
 * initial state. Of what is added, one factor is zero, so that it adds nothing, and the other is not, so that training moves it.
 * Equal bit by bit, or to rounding where a longer sum is added up in other blocks; `ms.growthReport(before, after)` measures it.
 *
 * The optimiser grows with {@link growOptimizer}, a checkpoint with {@link growCheckpoint}, a state with {@link growState}.
 *
 * @param model stays as it is, and shares nothing with the result
 * @param growth what the larger model has: `{parameterTokens: 768, heads: 6}`
 * @throws ConfigurationError when something would become smaller, or would change the outputs and is not forced
 *
 * @example
 * ```ts
 * const larger = ms.grow(model, { parameterTokens: 768, layers: 3 }, { seed: 1 });
 * display(await ms.growthReport(model, larger)); // how far the outputs are apart, and what is new
 * ```
 */
export function grow(model: Model, growth: Growth, options: GrowOptions = {}): Model {
  expectModel("grow", model);
  expectOptions("grow's third argument", options, { seed: true, force: true });
  const { seed = 0, force = false } = options;
  const configuration = grownConfiguration(model.configuration, growth, force);
  const parameters = new Map<string, Variable>();
  growthPlan(model.configuration, configuration).forEach((plan, i) => {
    const tensor = grownTensor(plan, model.parameters.get(plan.name), growthRandom(seed, plan, i));
    parameters.set(plan.name, parameterVariable(tensor));
  });
  return new Model(configuration, parameters);
}
