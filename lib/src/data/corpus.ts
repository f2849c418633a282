/** Documents as one token sequence that knows where each begins, and how many bytes of text it stands for. */
import { setImmediate } from "node:timers/promises";

import { expectOptions } from "../arguments.js";
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { ConfigurationError } from "../errors.js";
import type { TokenIds, Tokenizer } from "../tokenizers/tokenizer.js";
import { tokenIds } from "../tokenizers/tokenizer.js";
import type { SequenceRow } from "./batch.js";

/** Options of `ms.data.corpus`. */
export interface CorpusOptions {
  /**
   * a token after each document, or `null` for none; default the tokenizer's `endOfText`, if it has one. What follows it
   * counts in the loss, as the beginning of a text; without it, the first token of a document is not learned from what
   * happened to stand before
   */
  separator?: number | null;
}

/** Tokens of documents, one after the other, each with its separator. */
export class Corpus extends Shown {
  /** 1 where a document begins */
  private readonly begins: Uint8Array;

  constructor(
    readonly tokens: TokenIds,
    /** where each document begins, ascending from 0 */
    readonly starts: readonly number[],
    /** UTF-8 bytes of each document's text */
    private readonly documentBytes: readonly number[],
    /** the token after each document; `undefined` when there is none */
    readonly separator: number | undefined,
  ) {
    super();
    this.begins = new Uint8Array(tokens.length);
    for (const start of starts) this.begins[start] = 1;
  }

  /** How many documents there are. */
  get documents(): number {
    return this.starts.length;
  }

  /** UTF-8 bytes of all texts. */
  get bytes(): number {
    return this.documentBytes.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** How many bytes of text a token (separators too) stands for: bits per byte are bits per token divided by it. */
  get bytesPerToken(): number {
    return this.bytes / this.tokens.length;
  }

  /** The tokens of a document, with its separator. */
  document(index: number): TokenIds {
    return this.tokens.subarray(this.starts[index], this.starts[index + 1] ?? this.tokens.length);
  }

  /** A corpus of some of the documents, in this order. */
  select(documents: readonly number[]): Corpus {
    const parts = documents.map((index) => this.document(index));
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const tokens = new (this.tokens.constructor as new (length: number) => TokenIds)(length);
    const starts: number[] = [];
    let at = 0;
    for (const part of parts) {
      starts.push(at);
      tokens.set(part, at);
      at += part.length;
    }
    const bytes = documents.map((index) => this.documentBytes[index]!);
    return new Corpus(tokens, starts, bytes, this.separator);
  }

  /** A passage, and the token after it, as a row of a batch, with its document boundaries. */
  passage(offset: number, length: number): SequenceRow {
    return {
      inputs: this.tokens.subarray(offset, offset + length),
      targets: this.tokens.subarray(offset + 1, offset + length + 1),
      starts: this.begins.subarray(offset, offset + length),
      // Without a separator, nothing in a text tells how the next one begins.
      ...(this.separator === undefined && {
        mask: this.begins.subarray(offset + 1, offset + length + 1).map((begins) => 1 - begins),
      }),
    };
  }

  [jupyterDisplay](): MimeBundle {
    const number = (value: number): string => value.toLocaleString("en");
    const rows = [
      ["corpus", `${number(this.documents)} documents`],
      ["tokens", number(this.tokens.length)],
      ["bytes", `${number(this.bytes)}, ${this.bytesPerToken.toFixed(2)} a token`],
      ["separator", this.separator === undefined ? "none" : `token ${this.separator}`],
    ];
    return tableForms(rows);
  }
}

/**
 * Tokenizes documents. Other work gets its turn between them.
 *
 * @param documents a text, or texts one by one: an array, or what `data.jsonLines` gives; empty ones are left out
 * @throws ConfigurationError when there is no text, or the separator is not in the vocabulary
 */
export async function corpus(
  documents: string | Iterable<string> | AsyncIterable<string>,
  tokenizer: Tokenizer,
  options: CorpusOptions = {},
): Promise<Corpus> {
  expectOptions("corpus", options, { separator: true });
  const separator = (options.separator === undefined ? tokenizer.endOfText : options.separator) ?? undefined;
  if (separator !== undefined && !(Number.isInteger(separator) && separator >= 0 && separator < tokenizer.vocabSize)) {
    throw new ConfigurationError(
      `corpus: separator is ${separator}, wanted a token from 0 to ${tokenizer.vocabSize - 1}, or null for none`,
    );
  }
  const parts: TokenIds[] = [];
  const starts: number[] = [];
  const bytes: number[] = [];
  let length = 0;
  let turn = performance.now();
  for await (const text of typeof documents === "string" ? [documents] : documents) {
    if (typeof text !== "string") {
      throw new ConfigurationError(`corpus: a document is ${typeof text}, wanted texts: with JSONL, name the field`);
    }
    if (text === "") continue;
    const ids = tokenizer.encode(text);
    starts.push(length);
    bytes.push(Buffer.byteLength(text));
    parts.push(ids);
    length += ids.length + (separator === undefined ? 0 : 1);
    if (performance.now() - turn > 50) {
      await setImmediate();
      turn = performance.now();
    }
  }
  if (length === 0) throw new ConfigurationError("corpus: there is no text, wanted at least one document");
  const tokens = tokenIds(new Int32Array(length), tokenizer.vocabSize);
  parts.forEach((part, i) => {
    tokens.set(part, starts[i]);
    if (separator !== undefined) tokens[starts[i]! + part.length] = separator;
  });
  return new Corpus(tokens, starts, bytes, separator);
}

/** How many bytes of text a token stands for, on average over these tokens. */
export function bytesPerToken(tokens: TokenIds, tokenizer: Tokenizer): number {
  return Buffer.byteLength(tokenizer.decode(tokens)) / tokens.length;
}

/** A passage and the token after it, of a corpus or of plain tokens. */
export function passageOf(source: TokenIds | Corpus, offset: number, length: number): SequenceRow {
  if (source instanceof Corpus) return source.passage(offset, length);
  return {
    inputs: source.subarray(offset, offset + length),
    targets: source.subarray(offset + 1, offset + length + 1),
  };
}

/**
 * The tokens of either.
 *
 * @throws ConfigurationError when it is neither, which a type check would have said
 */
export function tokensOf(source: TokenIds | Corpus): TokenIds {
  const tokens: unknown = source instanceof Corpus ? source.tokens : source;
  if (ArrayBuffer.isView(tokens)) return tokens as TokenIds;
  const given = Array.isArray(tokens) ? "a list" : tokens instanceof Promise ? "a promise: await it" : typeof tokens;
  throw new ConfigurationError(
    `the data are ${given}, wanted a corpus, or tokens in a typed array: tokenizer.encode gives them of a text, ` +
      `Int32Array.from of a list of numbers`,
  );
}
