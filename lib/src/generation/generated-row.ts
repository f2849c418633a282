/** One text of a batch while it is generated: what it chooses from, what it has said, and whether it has ended. */
import { Random } from "../random.js";
import type { TokenDecoder, TokenIds, Tokenizer } from "../tokenizers/tokenizer.js";
import { logProbabilities, type TokenLogProbability } from "./log-probabilities.js";
import { hasPenalty, type TokenHistory } from "./penalties.js";
import { sampleToken, type SamplingOptions } from "./sampling.js";
import { StopFilter } from "./stop-filter.js";

/** Why a text ended: as many tokens as asked for, a stop text, or a token that ends texts. */
export type GenerationEnd = "tokens" | "stop" | "endToken";

/** A generated token and the text that became certain with it: whole characters, none of a stop text. */
export interface GeneratedPiece {
  /** which prompt it goes on from; 0 when there is one */
  readonly row: number;
  readonly token: number;
  /** empty without a tokenizer, while a character is incomplete or a stop text may have begun, and of an end token */
  readonly text: string;
  /** natural logarithm of the model's own probability of the token, when asked for */
  readonly logProbability?: number;
  /** the tokens the model held most likely here, most likely first, when asked for */
  readonly mostLikely?: readonly TokenLogProbability[];
  /** on the row's last piece: why it is the last */
  readonly end?: GenerationEnd;
}

/** Which tokens may come: a set, or a function of what the row has generated so far; `undefined` allows all. */
export type AllowedTokens =
  Iterable<number> | ((generated: readonly number[], row: number) => Iterable<number> | undefined);

/** What all rows have in common, checked. */
export interface RowOptions {
  readonly sampling: SamplingOptions;
  readonly tokenizer: Tokenizer | undefined;
  readonly tokens: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly endTokens: ReadonlySet<number>;
  readonly allowed: AllowedTokens | undefined;
  readonly logProbabilities: number | undefined;
}

/** A row. Its memory does not grow with what it says, unless `allowed` is a function and wants to see it. */
export class GeneratedRow {
  /** chosen, but not yet in the state */
  pending: number | undefined;
  private readonly random: Random;
  private readonly decoder: TokenDecoder | undefined;
  private readonly filter: StopFilter;
  private readonly history: TokenHistory & { output: Map<number, number> };
  private readonly generated: number[] = [];
  private readonly penalised: boolean;
  private count = 0;
  private ended: GenerationEnd | undefined;

  constructor(
    readonly row: number,
    prompt: TokenIds,
    private readonly options: RowOptions,
  ) {
    this.random = new Random(options.seed + row);
    this.decoder = options.tokenizer?.decoder();
    this.filter = new StopFilter(options.stop);
    this.penalised = hasPenalty(options.sampling);
    this.history = { prompt: new Set(this.penalised ? prompt : []), output: new Map() };
    if (options.tokens === 0) this.ended = "tokens";
  }

  /** Why it ended; `undefined` while it goes on. */
  get end(): GenerationEnd | undefined {
    return this.ended;
  }

  /** Chooses the next token. */
  choose(logits: Float32Array): GeneratedPiece {
    const { sampling, tokenizer, endTokens, allowed: rule } = this.options;
    const allowed = typeof rule === "function" ? rule(this.generated, this.row) : rule;
    // A model may have more tokens than its tokenizer, which would not know what they say.
    const known = tokenizer && tokenizer.vocabSize < logits.length ? logits.subarray(0, tokenizer.vocabSize) : logits;
    const token = sampleToken(known, this.random, sampling, { history: this.history, allowed });
    this.count++;
    this.pending = token;
    if (typeof rule === "function") this.generated.push(token);
    if (this.penalised) this.history.output.set(token, (this.history.output.get(token) ?? 0) + 1);
    let text = endTokens.has(token) ? "" : this.filter.push(this.decoder?.push(token) ?? "");
    if (endTokens.has(token)) this.ended = "endToken";
    else if (this.filter.done) this.ended = "stop";
    else if (this.count >= this.options.tokens) this.ended = "tokens";
    if (this.ended) text += this.filter.end();
    const wanted = this.options.logProbabilities;
    const { logProbability, mostLikely } = wanted === undefined ? {} : logProbabilities(logits, token, wanted);
    return {
      row: this.row,
      token,
      text,
      ...(logProbability !== undefined && { logProbability }),
      ...(wanted && { mostLikely }),
      ...(this.ended && { end: this.ended }),
    };
  }
}
