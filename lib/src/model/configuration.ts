/** What a model is made of: sizes and the SSE variant, checked and completed. */
import type { OptionNames } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { bindVariant, sseVariant, variantOf } from "../sse/registry.js";
import type { SseVariant } from "../sse/variant.js";

export { attentionWidth, isPublishedRwkv7, sseHeads } from "./sizes.js";

/** A variant by name: one of the library's, which editors complete, or one that was defined with `defineSse`. */
export type SseName = "sse" | "meta" | "readout" | "none" | (string & Record<never, never>);

/** Ranks of the low-rank parts of time mixing: decay, in-context learning rate, value residual, gate. */
export interface LowRank {
  readonly decay: number;
  readonly rate: number;
  readonly value: number;
  readonly gate: number;
}

/** Groups of parameter tokens that each token weighs: token i belongs to group i mod G. */
export interface MixtureOptions {
  /** G: how many groups; a divisor of parameterTokens */
  groups: number;
  /** at most so many groups count for a token, those that it calls for most; default all */
  topK?: number;
}

/** {@link MixtureOptions}, complete. */
export interface Mixture {
  readonly groups: number;
  readonly topK: number;
}

/** What a parameter token makes of its product with a token: relu(x)² as RWKV, or TokenFormer's GeLU with L2 norm. */
export type Activation = "squaredRelu" | "geluL2";

const activations: readonly Activation[] = ["squaredRelu", "geluL2"];

/** What a caller says of a model; the rest is derived. */
export interface ModelOptions {
  /** V: tokens are 0 … V − 1 */
  vocabSize: number;
  /** C: size of the residual stream; a multiple of headSize */
  width: number;
  /** number of blocks */
  layers: number;
  /** N: channels a head; the WKV state is N×N a head. Default 64, as published */
  headSize?: number;
  /** H: heads; default width / headSize. More heads are a larger WKV state at the same width */
  heads?: number;
  /** n: parameter tokens a layer (rows of channel mixing's key matrix); default 4 × width */
  parameterTokens?: number;
  /** name of the state's use in the Meta-State layer: `sse` (default), `meta`, `readout`, `none` (RWKV-7), or your own */
  sse?: SseName;
  /** ρ in (0, 1]: the portion of heads, from the first, that carries the SSE; default 1 */
  rho?: number;
  /** weighs groups of parameter tokens by 2σ(R·(z − x̂)), R zero at the start; default none. See docs/variants.md */
  mixture?: MixtureOptions | null;
  /** whether what the SSE adds multiplies instead: z = x̂ ⊙ (1 + …); default false */
  mul?: boolean;
  /** factor in (0, 2] on the in-context learning rate in the state's transition; default 1, as RWKV-7 has it */
  aScale?: number;
  /** of the parameter tokens: `squaredRelu` (default, as RWKV-7 has it) or `geluL2` (TokenFormer's) */
  activation?: Activation;
  /** ranks of the low-rank parts; default by width as the published training code sets them */
  lowRank?: Partial<LowRank>;
  /**
   * whether the state before any token (S, and M where there is one) is learned: parameters `blocks.0.att.time_state` and
   * `blocks.0.meta.time_state`, zero at the start. Default false: it is zero
   */
  learnedState?: boolean;
}

/** What a model may be told. */
export const modelOptionNames: OptionNames<ModelOptions> = {
  ...{ vocabSize: true, width: true, layers: true, headSize: true, heads: true, parameterTokens: true, sse: true },
  ...{ rho: true, mixture: true, mul: true, aScale: true, activation: true, lowRank: true, learnedState: true },
};

/** A complete, checked configuration. */
export interface ModelConfiguration {
  readonly vocabSize: number;
  readonly width: number;
  readonly layers: number;
  readonly headSize: number;
  readonly heads: number;
  readonly parameterTokens: number;
  readonly sse: string;
  readonly rho: number;
  readonly mixture: Mixture | null;
  readonly mul: boolean;
  readonly aScale: number;
  readonly activation: Activation;
  readonly lowRank: LowRank;
  readonly learnedState: boolean;
}

/**
 * Checks options and fills in what they leave out. Its SSE is the variant that has the name now.
 *
 * @throws ConfigurationError naming the option, its value and what would do
 */
export function completeConfiguration(options: ModelOptions): ModelConfiguration {
  return complete(options, sseVariant(options.sse ?? "sse"));
}

/**
 * The configuration of a model that is made of another: its SSE stays the very same variant, even when the name has been
 * given to another one since.
 *
 * @throws ConfigurationError as {@link completeConfiguration}
 */
export function changeConfiguration(
  configuration: ModelConfiguration,
  changes: Partial<Omit<ModelOptions, "sse">>,
): ModelConfiguration {
  return complete({ ...configuration, ...changes }, variantOf(configuration));
}

function complete(options: ModelOptions, variant: SseVariant): ModelConfiguration {
  const { vocabSize, width, layers, headSize = 64, rho = 1, learnedState = false } = options;
  positiveInteger({ vocabSize, width, layers, headSize });
  if (width % headSize !== 0) {
    throw new ConfigurationError(
      `width is ${width}, wanted a multiple of headSize, ${headSize}: try width ${Math.ceil(width / headSize) * headSize}`,
    );
  }
  const { heads = width / headSize, parameterTokens = 4 * width, mul = false, aScale = 1 } = options;
  positiveInteger({ heads, parameterTokens });
  if (!(rho > 0 && rho <= 1)) throw new ConfigurationError(`rho is ${rho}, wanted a portion of the heads in (0, 1]`);
  if (typeof learnedState !== "boolean") {
    throw new ConfigurationError(`learnedState is ${String(learnedState)}, wanted true or false`);
  }
  if (typeof mul !== "boolean") throw new ConfigurationError(`mul is ${String(mul)}, wanted true or false`);
  if (!(typeof aScale === "number" && aScale > 0 && aScale <= 2)) {
    throw new ConfigurationError(
      `aScale is ${String(aScale)}, wanted a number in (0, 2]: 1 is RWKV-7's, 2 tracks state better`,
    );
  }
  const { activation = "squaredRelu" } = options;
  if (!activations.includes(activation)) {
    throw new ConfigurationError(`activation is "${String(activation)}", wanted one of ${activations.join(", ")}`);
  }
  const mixture = completeMixture(options.mixture ?? null, parameterTokens);
  const idle = variant.name !== "none" ? undefined : mixture ? "mixture" : mul ? "mul" : undefined;
  if (idle) {
    throw new ConfigurationError(
      `${idle} has no effect with sse "none": it works on what the SSE adds to the token, and "none" adds nothing`,
    );
  }
  const lowRank = { ...defaultLowRank(width), ...options.lowRank };
  positiveInteger({ ...prefixed("lowRank.", lowRank) });
  const configuration: ModelConfiguration = Object.freeze({
    ...{ vocabSize, width, layers, headSize, heads, parameterTokens },
    ...{ sse: variant.name, rho, mixture, mul, aScale, activation, lowRank, learnedState },
  });
  bindVariant(configuration, variant);
  return configuration;
}

function completeMixture(mixture: MixtureOptions | null, parameterTokens: number): Mixture | null {
  if (mixture === null) return null;
  const { groups, topK = groups } = mixture;
  positiveInteger({ "mixture.groups": groups, "mixture.topK": topK });
  if (topK > groups) {
    throw new ConfigurationError(`mixture.topK is ${topK}, wanted at most mixture.groups, ${groups}`);
  }
  if (parameterTokens % groups !== 0) {
    const fitting = Math.ceil(parameterTokens / groups) * groups;
    throw new ConfigurationError(
      `mixture.groups is ${groups}, wanted a divisor of parameterTokens, ${parameterTokens}: try parameterTokens ${fitting}`,
    );
  }
  return Object.freeze({ groups, topK });
}

/**
 * The published sizes, 2.5√C, 2.5√C, 1.7√C and 5√C, rounded to 32 at published widths. Below those, where a multiple
 * of 32 would be most of the model, to 8.
 */
function defaultLowRank(width: number): LowRank {
  const unit = width >= 512 ? 32 : 8;
  const rank = (factor: number): number => Math.max(unit, Math.round((factor * Math.sqrt(width)) / unit) * unit);
  return { decay: rank(2.5), rate: rank(2.5), value: rank(1.7), gate: rank(5) };
}

function prefixed(prefix: string, record: object): Record<string, number> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [prefix + name, value as number]));
}

function positiveInteger(values: Record<string, number>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ConfigurationError(`${name} is ${String(value)}, wanted a positive integer`);
    }
  }
}
