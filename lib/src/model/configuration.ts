/** What a model is made of: sizes and the SSE variant, checked and completed. */
import { ConfigurationError } from "../errors.js";
import { sseVariant } from "../sse/registry.js";

/** Ranks of the low-rank parts of time mixing: decay, in-context learning rate, value residual, gate. */
export interface LowRank {
  readonly decay: number;
  readonly rate: number;
  readonly value: number;
  readonly gate: number;
}

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
  sse?: string;
  /** ρ in (0, 1]: the portion of heads, from the first, that carries the SSE; default 1 */
  rho?: number;
  /** ranks of the low-rank parts; default by width as the published training code sets them */
  lowRank?: Partial<LowRank>;
  /**
   * whether the state before any token (S, and M where there is one) is learned: parameters `blocks.0.att.time_state` and
   * `blocks.0.meta.time_state`, zero at the start. Default false: it is zero
   */
  learnedState?: boolean;
}

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
  readonly lowRank: LowRank;
  readonly learnedState: boolean;
}

/** A: the width inside time mixing, heads × headSize. */
export function attentionWidth({ heads, headSize }: ModelConfiguration): number {
  return heads * headSize;
}

/** The number of heads that carry the SSE: round(ρ H), at least one. */
export function sseHeads({ heads, rho }: ModelConfiguration): number {
  return Math.max(1, Math.round(rho * heads));
}

/**
 * Checks options and fills in what they leave out.
 *
 * @throws ConfigurationError naming the option, its value and what would do
 */
export function completeConfiguration(options: ModelOptions): ModelConfiguration {
  const { vocabSize, width, layers, headSize = 64, sse = "sse", rho = 1, learnedState = false } = options;
  positiveInteger({ vocabSize, width, layers, headSize });
  if (width % headSize !== 0) {
    throw new ConfigurationError(
      `width is ${width}, wanted a multiple of headSize, ${headSize}: try width ${Math.ceil(width / headSize) * headSize}`,
    );
  }
  const { heads = width / headSize, parameterTokens = 4 * width } = options;
  positiveInteger({ heads, parameterTokens });
  if (!(rho > 0 && rho <= 1)) throw new ConfigurationError(`rho is ${rho}, wanted a portion of the heads in (0, 1]`);
  if (typeof learnedState !== "boolean") {
    throw new ConfigurationError(`learnedState is ${String(learnedState)}, wanted true or false`);
  }
  sseVariant(sse);
  const lowRank = { ...defaultLowRank(width), ...options.lowRank };
  positiveInteger({ ...prefixed("lowRank.", lowRank) });
  return Object.freeze({ vocabSize, width, layers, headSize, heads, parameterTokens, sse, rho, lowRank, learnedState });
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
