/** Training what growth has added, and nothing else. */
import { ConfigurationError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import type { TrainableParts } from "../training/trainable.js";

/**
 * What a larger model has that the smaller one had not, as `trainable`: new parameters whole, of longer ones the new part. The
 * old values stay as they are, to the bit: no gradient, no weight decay, and clipping does not see them.
 *
 * @param before the smaller model; its shapes are enough, it may have been trained on or disposed of
 * @param after what `ms.grow(before, …)` or `ms.growBaseline(before, …)` gave, or growth several times over
 * @throws ConfigurationError when nothing is new, or old values do not come first along each axis (`headSize`, forced)
 *
 * @example
 * ```ts
 * const larger = ms.grow(model, { parameterTokens: 768 });
 * for await (const metrics of ms.train(larger, batches, { steps: 300, trainable: ms.onlyNew(model, larger) })) display(metrics.loss);
 * ```
 */
export function onlyNew(
  before: Pick<LanguageModel, "parameters" | "configuration">,
  after: Pick<LanguageModel, "parameters" | "configuration">,
): TrainableParts {
  const [from, to] = [before, after].map(({ configuration }) => configuration as { readonly headSize?: number });
  if (from!.headSize !== to!.headSize) {
    throw new ConfigurationError(
      `onlyNew: headSize is ${to!.headSize}, before ${from!.headSize}: each head's new channels come after its old ones, ` +
        `so that old and new values alternate, and the outputs have changed anyway: train all of it`,
    );
  }
  const parts: Record<string, TrainableParts[string]> = {};
  for (const [name, { shape }] of after.parameters) {
    const old = before.parameters.get(name)?.shape;
    if (old?.join() === shape.join()) continue;
    if (old && (old.length !== shape.length || old.some((size, i) => size > shape[i]!))) {
      throw new ConfigurationError(
        `onlyNew: ${name} is [${shape.join(", ")}], before [${old.join(", ")}]: give the smaller model first, and what it grew into`,
      );
    }
    parts[name] = old ? { frozen: old } : "all";
  }
  if (Object.keys(parts).length > 0) return parts;
  throw new ConfigurationError("onlyNew: the models are of equal sizes, nothing is new: ms.grow gives a larger one");
}
