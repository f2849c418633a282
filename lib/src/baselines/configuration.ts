/** What a baseline is made of: sizes, the names of its parts, and their options. Plain JSON, kept in files. */
import { ConfigurationError } from "../errors.js";
import type { MixerOptions } from "./mixer-options.js";
import { norms, type NormName } from "./norms.js";
import { mixer } from "./registry.js";

/** A complete, checked configuration. */
export interface BaselineConfiguration {
  /** `transformer`, `rwkv4`, `tokenformer`, or `mixers` for a combination of one's own */
  readonly kind: BaselineKind;
  /** V: tokens are 0 … V − 1 */
  readonly vocabSize: number;
  /** C: size of the residual stream */
  readonly width: number;
  /** number of blocks */
  readonly layers: number;
  /** N: channels a head */
  readonly headSize: number;
  /** H: width / headSize */
  readonly heads: number;
  /** the channel mixer's inner size: hidden channels, or parameter tokens */
  readonly hidden: number;
  readonly norm: NormName;
  /** whether the embedding is normalised (`ln0`) before the first block */
  readonly embeddingNorm: boolean;
  /** the embedding starts uniform in ± this */
  readonly embeddingScale: number;
  readonly tokenMixer: string;
  readonly channelMixer: string;
  /** what the mixers add */
  readonly mixerOptions: MixerOptions;
}

/** The kinds of baselines that share the skeleton. */
export type BaselineKind = "transformer" | "rwkv4" | "tokenformer" | "mixers";

/** The kinds by what they are called. */
export const baselineTitles: Readonly<Record<BaselineKind, string>> = {
  transformer: "Transformer",
  rwkv4: "RWKV-4",
  tokenformer: "TokenFormer",
  mixers: "Model of mixers",
};

/** A configuration whose mixers have not had their say about their options. */
export type BaselineSizes = Omit<BaselineConfiguration, "heads" | "mixerOptions"> & {
  readonly mixerOptions: Readonly<Record<string, number | string | boolean | undefined>>;
};

/**
 * Checks a configuration and lets the mixers complete their options.
 *
 * @throws ConfigurationError naming the option, its value and what would do
 */
export function completeBaseline(given: BaselineSizes): BaselineConfiguration {
  const { kind, vocabSize, width, layers, headSize, hidden, norm, embeddingNorm, embeddingScale } = given;
  for (const [name, value] of Object.entries({ vocabSize, width, layers, headSize, hidden })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ConfigurationError(`${name} is ${String(value)}, wanted a positive integer`);
    }
  }
  if (width % headSize !== 0) {
    throw new ConfigurationError(
      `width is ${width}, wanted a multiple of headSize, ${headSize}: try width ${Math.ceil(width / headSize) * headSize}`,
    );
  }
  if (!Object.hasOwn(norms, norm)) {
    throw new ConfigurationError(`norm is ${JSON.stringify(norm)}, wanted one of ${Object.keys(norms).join(", ")}`);
  }
  if (!(embeddingScale > 0)) throw new ConfigurationError(`embeddingScale is ${embeddingScale}, wanted more than 0`);
  const { tokenMixer, channelMixer } = given;
  const parts = [mixer("att", tokenMixer), mixer("ffn", channelMixer)];
  const sizes = { kind, vocabSize, width, layers, headSize, heads: width / headSize, hidden, norm };
  const rest = { ...sizes, embeddingNorm, embeddingScale, tokenMixer, channelMixer };
  const said = Object.entries(given.mixerOptions).filter(([, value]) => value !== undefined) as [string, never][];
  const options: Record<string, number | string | boolean> = Object.fromEntries(said);
  for (const part of parts) if (part.options) Object.assign(options, part.options(options, rest));
  const configuration = Object.freeze({ ...rest, mixerOptions: Object.freeze(options) });
  const names = parts.flatMap((part) => part.state?.(configuration) ?? []).map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new ConfigurationError(
      `tokenMixer "${tokenMixer}" and channelMixer "${channelMixer}" both keep a state called "${twice}": rename one`,
    );
  }
  return configuration;
}
