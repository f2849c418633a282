/** The configuration of a grown model, after a check that growth can be exact. */
import { ConfigurationError } from "../errors.js";
import { completeConfiguration, type LowRank, type ModelConfiguration } from "../model/configuration.js";

/** What of a model grows. All values are what the larger model has, not what is added. */
export interface Growth {
  /** n: parameter tokens a layer */
  parameterTokens?: number;
  /** H: heads, each with a WKV state of its own */
  heads?: number;
  /** blocks; new ones come last */
  layers?: number;
  /** ρ: the portion of heads that carry the SSE */
  rho?: number;
  /** ranks of the low-rank parts of time mixing */
  lowRank?: Partial<LowRank>;
  /** `true` makes the state before any token learned */
  learnedState?: true;
  /** C: not exact, only with `force` */
  width?: number;
  /** N: not exact, only with `force` */
  headSize?: number;
  /** V: not exact, only with `force` */
  vocabSize?: number;
}

/** Why growth of some sizes changes the function. */
export const inexact = {
  width: "layer norms average over all channels, old and new, so that every activation changes",
  headSize:
    "group norms and the unit length of removal keys are taken over a head's channels, old and new, so that every read changes",
  vocabSize:
    "new tokens take a part of the probability; the logits of the old ones stay equal, and new ones begin as random as in a " +
    "new model",
} as const;

const sizes = ["parameterTokens", "heads", "layers", "rho", "width", "headSize", "vocabSize"] as const;
const known: readonly string[] = [...sizes, "lowRank", "learnedState"];

/**
 * Checks a growth and completes it.
 *
 * @throws ConfigurationError when something would become smaller, or cannot grow exactly and is not forced
 */
export function grownConfiguration(from: ModelConfiguration, growth: Growth, force: boolean): ModelConfiguration {
  for (const name of Object.keys(growth)) {
    if (known.includes(name)) continue;
    const remedy =
      name === "sse"
        ? "an RWKV-7 model takes on a variant by ms.fromRwkv7; another change of variant changes the outputs"
        : `wanted some of ${known.join(", ")}`;
    throw new ConfigurationError(`grow: ${name} cannot grow: ${remedy}`);
  }
  const grown: Record<string, number> = {};
  for (const name of sizes) {
    const wanted = growth[name];
    if (wanted === undefined) continue;
    expectNotSmaller(name, from[name], wanted);
    grown[name] = wanted;
  }
  const lowRank: Record<string, number> = { ...from.lowRank };
  for (const [name, wanted] of Object.entries(growth.lowRank ?? {})) {
    if (!(name in from.lowRank)) {
      throw new ConfigurationError(`grow: lowRank has no "${name}", wanted ${Object.keys(from.lowRank).join(", ")}`);
    }
    expectNotSmaller(`lowRank.${name}`, lowRank[name]!, wanted);
    lowRank[name] = wanted;
  }
  if (growth.learnedState !== undefined && (growth.learnedState as unknown) !== true) {
    throw new ConfigurationError(
      `grow: learnedState is ${String(growth.learnedState)}, wanted true, or to be left out`,
    );
  }
  for (const [name, reason] of Object.entries(inexact)) {
    const size = name as keyof typeof inexact;
    if (force || grown[size] === undefined || grown[size] === from[size]) continue;
    throw new ConfigurationError(
      `grow: ${name} ${from[size]} → ${grown[size]} cannot keep the outputs: ${reason}. With {force: true} it is done all ` +
        `the same, and the model has to learn again`,
    );
  }
  return completeConfiguration({
    ...from,
    ...grown,
    lowRank: lowRank,
    learnedState: from.learnedState || growth.learnedState === true,
  });
}

function expectNotSmaller(name: string, has: number, wanted: unknown): void {
  if (typeof wanted === "number" && wanted >= has) return;
  throw new ConfigurationError(
    `grow: ${name} is ${String(wanted)}, wanted ${has} or more, what the larger model is to have: growth takes nothing away`,
  );
}
