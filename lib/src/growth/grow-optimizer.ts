/** An optimiser's memory for a model that grew: what it remembers stays, new parameters begin with nothing. */
import type { Tensor } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import type { Model } from "../model/model.js";
import { Random } from "../random.js";
import { AdamW, parameterGroups, type Moments, type ParameterGroup } from "../training/adamw.js";
import { grownTensor, growthPlan, type ParameterGrowth } from "./plan.js";

/**
 * An optimiser for the larger model that goes on where the smaller model's is: the same settings, number of updates and moments;
 * the moments of what is new are zero. New parameters are updated with those of their kind; what was not trained stays so,
 * and so does a part of a parameter that was frozen.
 *
 * @param optimizer of `before`, `ms.adamW(before)`'s; stays as it is
 * @param after what `ms.grow(before, …)` gave
 * @returns to be given to `ms.train(after, …, {optimizer})`, and disposed of after
 * @throws ConfigurationError when the optimiser is of another model, or was disposed of
 */
export function growOptimizer(optimizer: AdamW, before: Model, after: Model): AdamW {
  for (const [name, { first }] of optimizer.moments) {
    const shape = before.parameters.get(name)?.shape;
    if (shape?.join() === first.shape.join()) continue;
    throw new ConfigurationError(
      `growOptimizer: the optimiser has moments of ${name}, [${first.shape.join(", ")}], which the model before does not have: ` +
        `give the model that it was made for`,
    );
  }
  const plan = growthPlan(before.configuration, after.configuration);
  const grown = new AdamW(after.parameters, grownGroups(optimizer, before, after), optimizer.options, optimizer.frozen);
  grown.restore(optimizer.steps, grownMoments(plan, optimizer.moments));
  return grown;
}

/** Moments in the grown shapes, zeros in what is new. Parameters that are new have none yet. */
export function grownMoments(
  plan: readonly ParameterGrowth[],
  moments: ReadonlyMap<string, Moments>,
): Map<string, Moments> {
  const grown = new Map<string, Moments>();
  for (const growth of plan) {
    const held = moments.get(growth.name);
    if (!held) continue;
    const of = (tensor: Tensor): Tensor => grownTensor(growth, tensor, new Random(0), true);
    grown.set(growth.name, { first: of(held.first), second: of(held.second) });
  }
  return grown;
}

/**
 * The optimiser's groups, and new parameters in the group that a new optimiser would have them in.
 *
 * @throws ConfigurationError when the optimiser was disposed of
 */
export function grownGroups(
  optimizer: AdamW,
  before: Pick<Model, "parameters">,
  after: Pick<Model, "parameters">,
): ParameterGroup[] {
  if (optimizer.isDisposed) {
    throw new ConfigurationError(
      "an optimiser that was disposed of cannot grow, its moments are gone: grow it before, or make a new one, ms.adamW(after)",
    );
  }
  const fresh = new Map([...after.parameters].filter(([name]) => !before.parameters.has(name)));
  const added = new Map(parameterGroups(fresh, 0).map(({ name, parameters }) => [name, parameters]));
  const groups = optimizer.groups.map((group): ParameterGroup => {
    const parameters = [...group.parameters, ...(added.get(group.name) ?? [])];
    added.delete(group.name);
    return { ...group, parameters };
  });
  // An optimiser with groups of one's own: new parameters go with the last of them.
  const left = [...added.values()].flat();
  if (left.length === 0) return groups;
  const last = groups.at(-1)!;
  return [...groups.slice(0, -1), { ...last, parameters: [...last.parameters, ...left] }];
}
