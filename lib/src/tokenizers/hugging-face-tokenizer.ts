/**
 * Any `tokenizer.json`, by Hugging Face's own implementation for JavaScript, `@huggingface/tokenizers`: pure JavaScript
 * without dependencies. (`@huggingface/transformers` has the same tokenizers, and ONNX Runtime, which downloads binaries
 * when it is installed.)
 */
import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { DataError, TokenError } from "../errors.js";
import { unreadable } from "../io/lines.js";
import { bpeFromJson } from "./bpe-from-json.js";
import { endOfTextToken, type BpeTokenizer } from "./bpe-tokenizer.js";
import { isRecord } from "./tokenizer-json.js";
import {
  expectText,
  tokenIds,
  ShownTokenizer,
  unknownToken,
  type TokenDecoder,
  type TokenIds,
  type Tokenizer,
} from "./tokenizer.js";

/**
 * What is used of the implementation. Its own types import each other without file endings, which TypeScript's `nodenext`
 * does not resolve.
 */
interface Implementation {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: (number | undefined)[]; tokens: string[] };
  decode(
    ids: readonly number[],
    options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean },
  ): string;
  token_to_id(token: string): number | undefined;
  get_vocab(withAddedTokens: boolean): Map<string, number>;
}

/** How a text becomes tokens, and back, where a `tokenizer.json` leaves a choice. */
export interface HuggingFaceTokenizerOptions {
  /** whether `encode` adds what the file's post-processor adds, such as a token for the beginning; default no */
  addSpecialTokens?: boolean;
  /** whether `decode` leaves special tokens out; default no */
  skipSpecialTokens?: boolean;
}

/**
 * A tokenizer from a `tokenizer.json`. Whether a text comes back as it was is up to the file: one that normalises (lower
 * case, accents) or has no token for a character cannot give it back.
 */
export class HuggingFaceTokenizer extends ShownTokenizer implements Tokenizer {
  readonly name = "hugging face";
  readonly vocabSize: number;
  readonly endOfText?: number;
  private readonly ids: ReadonlySet<number>;

  /**
   * @param file what errors name
   * @param config of `tokenizer_config.json`
   * @hidden
   */
  constructor(
    private readonly file: string,
    private readonly implementation: Implementation,
    config: Readonly<Record<string, unknown>>,
    private readonly options: HuggingFaceTokenizerOptions,
  ) {
    super();
    this.ids = new Set(implementation.get_vocab(true).values());
    // Not Math.max(...): that many arguments overflow the stack.
    let largest = 0;
    for (const id of this.ids) largest = Math.max(largest, id);
    this.vocabSize = largest + 1;
    const eos = isRecord(config.eos_token) ? config.eos_token.content : config.eos_token;
    const endOfText = implementation.token_to_id(typeof eos === "string" ? eos : endOfTextToken);
    if (endOfText !== undefined) this.endOfText = endOfText;
  }

  /**
   * @throws TokenError when the file has no token for a word, and none for what is unknown. (Of BPE without such a token
   *   Hugging Face's implementations leave out the characters that it does not know.)
   */
  encode(text: string): TokenIds {
    expectText("hugging face tokenizer", text);
    const { addSpecialTokens = false } = this.options;
    const { ids, tokens } = this.guarded(() =>
      this.implementation.encode(text.toWellFormed(), { add_special_tokens: addSpecialTokens }),
    );
    const known = ids.map((id, i) => {
      if (id !== undefined) return id;
      throw new TokenError(`hugging face tokenizer: ${JSON.stringify(tokens[i])} is not in the vocabulary`);
    });
    return tokenIds(known, this.vocabSize);
  }

  decode(tokens: ArrayLike<number>): string {
    return this.text(Array.from(tokens));
  }

  decoder(): TokenDecoder {
    return new WindowDecoder((tokens) => this.text(tokens));
  }

  private text(tokens: number[]): string {
    const unknown = tokens.find((token) => !this.ids.has(token));
    if (unknown !== undefined) {
      throw unknownToken("hugging face tokenizer", unknown, `one of its ids from 0 to ${this.vocabSize - 1}`);
    }
    if (tokens.length === 0) return "";
    return this.guarded(() =>
      this.implementation.decode(tokens, {
        skip_special_tokens: this.options.skipSpecialTokens ?? false,
        // Cleaning up changes spaces before tokens that come later: what was shown could not be taken back.
        clean_up_tokenization_spaces: false,
      }),
    );
  }

  /** The implementation notices some damage only when a part is used. */
  private guarded<T>(use: () => T): T {
    try {
      return use();
    } catch (cause) {
      const detail = `Hugging Face's implementation cannot use it: ${(cause as Error).message}`;
      throw new DataError(this.file, null, detail, { cause });
    }
  }
}

/**
 * Streams from a decoder that only knows whole sequences, and may treat the first token its own way (a space goes away).
 * A window of the last tokens is decoded, and what is longer than before is new. U+FFFD at the end may be an incomplete
 * character, and waits; such a character has at most 3 bytes, so more of these signs are not waited for.
 */
class WindowDecoder implements TokenDecoder {
  private window: number[] = [];
  /** how many tokens of the window are there for context only */
  private context = 0;
  /** how much of the window's text is out */
  private shown = 0;

  constructor(private readonly text: (tokens: number[]) => string) {}

  push(token: number): string {
    this.window.push(token);
    const text = this.text(this.window);
    const waits = this.window.length < longestWindow ? /\ufffd{0,3}$/u.exec(text)![0].length : 0;
    const fresh = text.slice(this.shown, text.length - waits);
    this.shown += fresh.length;
    // Tokens without text are no context: the next one would be taken for the first.
    if (waits === 0 && (fresh !== "" || this.window.length >= longestWindow)) {
      this.window = this.window.slice(this.context);
      this.context = this.window.length;
      this.shown = this.text(this.window).length;
    }
    return fresh;
  }

  end(): string {
    return this.text(this.window).slice(this.shown);
  }
}

/** Nothing waits longer than this many tokens. */
const longestWindow = 64;

/**
 * Reads a `tokenizer.json`. One that the library trained becomes its own {@link BpeTokenizer}; for any other, the
 * `tokenizer_config.json` beside it is read too, where there is one.
 *
 * @param path of the file, or of the folder it is in
 * @throws DataError when it cannot be read, is no JSON, or is none that Hugging Face's implementation understands
 */
export async function loadTokenizer(
  path: string,
  options: HuggingFaceTokenizerOptions = {},
): Promise<BpeTokenizer | HuggingFaceTokenizer> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const file = isFolder ? join(path, "tokenizer.json") : path;
  const content = await readJson(file);
  const own = bpeFromJson(content);
  if (own) return own;
  const model = isRecord(content) ? content.model : undefined;
  if (!isRecord(content) || !isRecord(model) || typeof model.vocab !== "object" || model.vocab === null) {
    throw new DataError(file, null, `this is no tokenizer.json: it has no "model" with a "vocab"`);
  }
  if (model.type !== undefined && !modelTypes.includes(model.type)) {
    throw new DataError(
      file,
      null,
      `the model is ${JSON.stringify(model.type)}, wanted one of ${modelTypes.join(", ")}`,
    );
  }
  checkIds(file, model.vocab, content.added_tokens);
  const configFile = join(dirname(file), "tokenizer_config.json");
  const config = await readJson(configFile, true);
  if (!isRecord(config)) throw new DataError(configFile, null, "wanted a JSON object");
  const parts = { added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  try {
    // Loaded when it is needed: most sessions have no use for it.
    const { Tokenizer } = (await import("@huggingface/tokenizers")) as unknown as {
      Tokenizer: new (tokenizer: object, config: object) => Implementation;
    };
    return new HuggingFaceTokenizer(file, new Tokenizer({ ...parts, ...content }, config), config, options);
  } catch (cause) {
    throw new DataError(file, null, `Hugging Face's implementation refuses it: ${(cause as Error).message}`, { cause });
  }
}

/** What the implementation knows; of another it would make something without a word. Older files name none. */
const modelTypes: readonly unknown[] = ["BPE", "WordPiece", "Unigram"];

/** Ids above this are taken for a damaged file; the implementation would fill an array up to them. */
const largestId = 2 ** 22;

/** @throws DataError naming a token whose id is none */
function checkIds(file: string, vocab: object, added: unknown): void {
  const check = (token: unknown, id: unknown): void => {
    if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= largestId) return;
    throw new DataError(
      file,
      null,
      `the token ${JSON.stringify(token)} has the id ${JSON.stringify(id)}, wanted an integer from 0 to ${largestId}`,
    );
  };
  // Unigram lists its tokens with their scores; a token's id is its place.
  if (!Array.isArray(vocab)) for (const [token, id] of Object.entries(vocab)) check(token, id);
  else if (!vocab.every((entry) => Array.isArray(entry) && typeof entry[0] === "string")) {
    throw new DataError(file, null, `"vocab" is a list of something else than tokens with their scores`);
  }
  if (!Array.isArray(added)) return;
  for (const token of added as unknown[]) check(isRecord(token) ? token.content : token, isRecord(token) && token.id);
}

async function readJson(path: string, optional = false): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (optional && (cause as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw unreadable(path, cause);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new DataError(path, null, `the file is no JSON: ${(cause as Error).message}`, { cause });
  }
}
