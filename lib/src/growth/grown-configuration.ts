/** The configuration of a grown model, after a check that growth can be exact. */
import { ConfigurationError } from "../errors.js";
import {
  changeConfiguration,
  sseHeads,
  type LowRank,
  type MixtureOptions,
  type ModelConfiguration,
} from "../model/configuration.js";
import { parameterSpecifications } from "../model/parameters.js";
import { variantOf } from "../sse/registry.js";
import { nameInBlock, parameterAxes } from "./parameter-axes.js";

/** What of a model grows. All values are what the larger model has, not what is added; what is left out stays as it is. */
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
  /** groups of parameter tokens, for a model that has none */
  mixture?: MixtureOptions;
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
const inexact = {
  width: "layer norms average over all channels, old and new, so that every activation changes",
  headSize:
    "group norms and the unit length of removal keys are taken over a head's channels, old and new, so that every read changes",
  vocabSize:
    "new tokens take a part of the probability; the logits of the old ones stay equal, and new ones begin as random as in a " +
    "new model",
} as const;

const sizes = ["parameterTokens", "heads", "layers", "rho", "width", "headSize", "vocabSize"] as const;
const known: readonly string[] = [...sizes, "lowRank", "mixture", "learnedState"];

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
  if (growth.mixture) expectNewMixture(from, growth.mixture, force);
  const to = changeConfiguration(from, {
    ...grown,
    ...(growth.mixture && { mixture: growth.mixture }),
    lowRank,
    learnedState: from.learnedState || growth.learnedState === true,
  });
  if (!force) expectVariantToGrow(from, to);
  return to;
}

/** With R zero all groups weigh 1, if all of them count. */
function expectNewMixture(from: ModelConfiguration, { groups, topK = groups }: MixtureOptions, force: boolean): void {
  if (from.mixture) {
    throw new ConfigurationError(
      `grow: the model has a mixture of ${from.mixture.groups} groups already: parameter token i belongs to group i mod ` +
        `groups, and with another number most would change theirs`,
    );
  }
  if (topK === groups || force) return;
  throw new ConfigurationError(
    `grow: mixture.topK ${topK} of ${groups} groups would leave the others' parameter tokens out, and change the outputs. ` +
      `Leave topK out, or give {force: true}`,
  );
}

/** What a variant of one's own must say of itself, so that what is added to its parameters is known to add nothing. */
function expectVariantToGrow(from: ModelConfiguration, to: ModelConfiguration): void {
  const variant = variantOf(to);
  const before = new Map(parameterSpecifications(from).map(({ name, shape }) => [name, shape.join()]));
  const longer = parameterSpecifications(to).find(({ name, shape, axes }) => {
    const had = before.get(name);
    return had !== undefined && had !== shape.join() && !parameterAxes(name) && !axes;
  });
  if (longer) {
    throw new ConfigurationError(
      `grow: "${nameInBlock(longer.name).slice("meta.".length)}" of "${variant.name}" has a shape that is a function, so that ` +
        `where its old values belong is not known. Name its axes in defineSse ("headChannels", "heads", …), or give ` +
        `{force: true}: its old values then come first`,
    );
  }
  if (variant.neutralAtZero || sseHeads(from) === sseHeads(to)) return;
  throw new ConfigurationError(
    `grow: new heads with SSE begin with parameters of zero, and "${variant.name}" does not say that it adds nothing then. ` +
      `If it does, say neutralAtZero: true in its definition, and checkSse will hold it to that; or give {force: true}`,
  );
}

function expectNotSmaller(name: string, has: number, wanted: unknown): void {
  if (typeof wanted === "number" && wanted >= has) return;
  throw new ConfigurationError(
    `grow: ${name} is ${String(wanted)}, wanted ${has} or more, what the larger model is to have: growth takes nothing away`,
  );
}
