/** Text from a model, as it comes. */
import { expectModel, expectOptions, type OptionNames } from "../arguments.js";
import { ConfigurationError, TokenError } from "../errors.js";
import type { LanguageModel, SequenceState } from "../model/language-model.js";
import type { TokenIds, Tokenizer } from "../tokenizers/tokenizer.js";
import { GeneratedRow, type AllowedTokens, type GeneratedPiece, type RowOptions } from "./generated-row.js";
import { Generation } from "./generation.js";
import { forward, prefill } from "./prefill.js";
import { checkSampling, type SamplingOptions } from "./sampling.js";
import { joinRows, selectRows } from "./state-rows.js";

/** What to go on from: a text, or tokens; at least one token. */
export type Prompt = string | TokenIds | readonly number[];

/** What {@link generate} is asked for. */
export interface GenerateOptions<S extends SequenceState = SequenceState> extends SamplingOptions {
  /** one prompt or several, of any lengths, which then run as one batch */
  prompt: Prompt | readonly Prompt[];
  /** needed for text: as a prompt, in the pieces, in `stop` */
  tokenizer?: Tokenizer;
  /** how many tokens to generate at most, of each prompt; default 256 */
  tokens?: number;
  /** decides every choice; row i of a batch has the seed `seed + i`. Default 0 */
  seed?: number;
  /** texts that end the output; they are not part of it. Default none */
  stop?: string | readonly string[];
  /** tokens that end the output; default the tokenizer's `endOfText`, if it has one */
  endTokens?: readonly number[];
  /** the tokens to choose from, or a function that gives them for what a row has generated so far; default all */
  allowed?: AllowedTokens;
  /** adds to each piece the log-probability of its token, and this many of the most likely ones (0: none). Default neither */
  logProbabilities?: number;
  /**
   * the state before the prompt, of one row for all or a row a prompt; left out, the beginning of a text. It is not
   * changed and stays the caller's
   */
  state?: S;
  /** whether {@link Generation.state} is there at the end; then dispose of it. Default no */
  keepState?: boolean;
  /** how many tokens of a prompt run at once; bounds the memory that long prompts take. Default 256 */
  prefillChunk?: number;
  /** ends between tokens; the iterator then throws the signal's reason */
  signal?: AbortSignal;
}

/** What {@link generate} may be told. */
export const generateOptionNames: OptionNames<GenerateOptions> = {
  ...{ prompt: true, tokenizer: true, tokens: true, seed: true, stop: true, endTokens: true, allowed: true },
  ...{ temperature: true, topK: true, topP: true, minP: true },
  ...{ repetitionPenalty: true, presencePenalty: true, frequencyPenalty: true },
  ...{ logProbabilities: true, state: true, keepState: true, prefillChunk: true, signal: true },
};

/**
 * Streams tokens. Prompts run in parallel form, then one token at a time from the state: time and memory a token do not
 * grow. With several prompts, each step gives a piece of each row that has not ended, in order. Leaving the loop early
 * frees everything.
 *
 * @throws ConfigurationError when an option makes no sense, a prompt is empty, or the tokenizer's tokens exceed the model's
 *
 * @example
 * ```ts
 * let text = "";
 * const options = { prompt: "Call me ", tokenizer: ms.byteTokenizer(), tokens: 200, temperature: 0.8, seed: 1 };
 * for await (const piece of ms.generate(model, options)) text += piece.text;
 * ```
 */
export function generate<S extends SequenceState>(model: LanguageModel<S>, options: GenerateOptions<S>): Generation<S> {
  expectModel("generate", model);
  expectOptions("generate", options, generateOptionNames);
  const { state, keepState = false, prefillChunk = 256, signal } = options;
  const { rows, prompts } = preparedRows(model, options);
  return new Generation(rows.length, (keep) =>
    run(model, rows, prompts, { state, chunk: prefillChunk, signal, keep: keepState ? keep : undefined }),
  );
}

/**
 * What is to be generated, checked: a row a prompt, before its first choice.
 *
 * @throws ConfigurationError as {@link generate}
 */
export function preparedRows<S extends SequenceState>(
  model: LanguageModel<S>,
  options: GenerateOptions<S>,
): { rows: GeneratedRow[]; prompts: TokenIds[] } {
  const { tokenizer, state } = options;
  const stop = typeof options.stop === "string" ? [options.stop] : (options.stop ?? []);
  checkOptions(options, model.configuration.vocabSize, stop);
  const prompts = promptTokens(options.prompt, tokenizer);
  if (state && state.batchSize !== 1 && state.batchSize !== prompts.length) {
    throw new ConfigurationError(
      `generate: the state has ${state.batchSize} rows, wanted 1 or as many as prompts, ${prompts.length}`,
    );
  }
  const endOfText = tokenizer?.endOfText;
  const rowOptions: RowOptions = {
    sampling: options,
    tokenizer,
    tokens: options.tokens ?? 256,
    seed: options.seed ?? 0,
    stop,
    endTokens: new Set(options.endTokens ?? (endOfText === undefined ? [] : [endOfText])),
    // An iterator would be empty at the second token.
    allowed: typeof options.allowed === "object" ? [...options.allowed] : options.allowed,
    logProbabilities: options.logProbabilities,
  };
  return { rows: prompts.map((prompt, row) => new GeneratedRow(row, prompt, rowOptions)), prompts };
}

interface RunOptions<S extends SequenceState> {
  readonly state: S | undefined;
  readonly chunk: number;
  readonly signal: AbortSignal | undefined;
  /** takes the state after every row's last token, in the order of the rows */
  readonly keep: ((state: S) => void) | undefined;
}

async function* run<S extends SequenceState>(
  model: LanguageModel<S>,
  all: readonly GeneratedRow[],
  prompts: readonly TokenIds[],
  { state: initial, chunk, signal, keep }: RunOptions<S>,
): AsyncGenerator<GeneratedPiece, void, undefined> {
  const tiled =
    initial && initial.batchSize < all.length
      ? selectRows(
          initial,
          all.map(() => 0),
        )
      : undefined;
  let ahead = await prefill(model, prompts, tiled ?? initial, { chunk, signal }).finally(() => tiled?.dispose());
  let rows = all;
  /** states of rows that have ended, when they are kept */
  const ended = new Map<GeneratedRow, S>();
  let failed = false;
  try {
    while (rows.some(({ end }) => end === undefined)) {
      signal?.throwIfAborted();
      for (let i = 0; i < rows.length; i++) yield rows[i]!.choose(ahead.logits[i]!);
      const going = rows.filter(({ end }) => end === undefined);
      if (keep) {
        // The state is to hold every token, the last ones too.
        ahead = await advance(model, rows, ahead.state);
        for (const row of rows) if (row.end) ended.set(row, selectRows(ahead.state, [rows.indexOf(row)]));
      }
      if (going.length === 0) break;
      if (going.length < rows.length) {
        const places = going.map((row) => rows.indexOf(row));
        const selected = selectRows(ahead.state, places);
        ahead.state.dispose();
        ahead = { logits: keep ? places.map((place) => ahead.logits[place]!) : [], state: selected };
      }
      rows = going;
      if (!keep) ahead = await advance(model, rows, ahead.state);
    }
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    if (keep && !failed) keep(await finalState(model, all, rows, ahead.state, ended));
    ahead.state.dispose();
    for (const state of ended.values()) state.dispose();
  }
}

/** Runs the rows' new tokens; the state before is freed, unless it fails. */
async function advance<S extends SequenceState>(model: LanguageModel<S>, rows: readonly GeneratedRow[], state: S) {
  const ahead = await forward(
    model,
    rows.map(({ pending }) => [pending!]),
    state,
  );
  state.dispose();
  for (const row of rows) row.pending = undefined;
  return ahead;
}

/** One state of all rows, also when the caller left in the middle of a step: after all tokens that it has seen. */
async function finalState<S extends SequenceState>(
  model: LanguageModel<S>,
  all: readonly GeneratedRow[],
  rows: readonly GeneratedRow[],
  state: S,
  ended: ReadonlyMap<GeneratedRow, S>,
): Promise<S> {
  const parts: S[] = [];
  for (const row of all) {
    const place = rows.indexOf(row);
    const known = ended.get(row);
    let part = known ? selectRows(known, [0]) : selectRows(state, [place]);
    if (row.pending !== undefined) part = (await advance(model, [row], part)).state;
    parts.push(part);
  }
  const joined = joinRows(parts);
  for (const part of parts) part.dispose();
  return joined;
}

function checkOptions(options: GenerateOptions, vocabSize: number, stop: readonly string[]): void {
  checkSampling(options);
  const { tokenizer, tokens = 256, prefillChunk = 256, logProbabilities = 0, endTokens = [] } = options;
  const whole = (name: string, value: number, least: number): void => {
    if (Number.isInteger(value) && value >= least) return;
    throw new ConfigurationError(`generate: ${name} is ${value}, wanted an integer of ${least} or more`);
  };
  if (tokens !== Infinity) whole("tokens", tokens, 0);
  whole("prefillChunk", prefillChunk, 1);
  whole("logProbabilities", logProbabilities, 0);
  if (tokenizer && tokenizer.vocabSize > vocabSize) {
    throw new ConfigurationError(
      `generate: the tokenizer has ${tokenizer.vocabSize} tokens, the model's vocabSize is ${vocabSize}: wanted the one that ` +
        `the model was trained with`,
    );
  }
  if (!tokenizer && stop.length > 0) throw new ConfigurationError("generate: stop needs a tokenizer: pass tokenizer");
  const wrong = endTokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabSize));
  if (wrong !== undefined) {
    throw new ConfigurationError(`generate: endTokens has ${wrong}, wanted tokens from 0 to ${vocabSize - 1}`);
  }
}

function promptTokens(prompt: GenerateOptions["prompt"], tokenizer: Tokenizer | undefined): TokenIds[] {
  const prompts = isOnePrompt(prompt) ? [prompt] : prompt;
  if (prompts.length === 0) throw new ConfigurationError("generate: there is no prompt, wanted at least one");
  return prompts.map((one: Prompt | undefined | null, row) => {
    if (one === undefined || one === null) {
      throw new ConfigurationError(`generate: the prompt is ${one}, wanted a text or tokens`);
    }
    if (typeof one === "string" && !tokenizer) {
      throw new ConfigurationError(
        "generate: the prompt is a text, which needs a tokenizer: pass tokenizer, or tokens",
      );
    }
    const ids = typeof one === "string" ? tokenizer!.encode(one) : one;
    if (ids.length === 0) {
      const which = prompts.length > 1 ? `prompt ${row}` : "the prompt";
      throw new ConfigurationError(`generate: ${which} is empty, wanted at least one token`);
    }
    if (!isTokenArray(ids)) return ids;
    const wrong = ids.find((id) => id !== (id | 0));
    if (wrong !== undefined) throw new TokenError(`generate: the prompt has the token ${wrong}, wanted integers`);
    return Int32Array.from(ids);
  });
}

function isTokenArray(ids: TokenIds | readonly number[]): ids is readonly number[] {
  return Array.isArray(ids);
}

function isOnePrompt(prompt: GenerateOptions["prompt"]): prompt is Prompt {
  return !Array.isArray(prompt) || typeof prompt[0] === "number";
}
