/** What every tokenizer can do, and what they share: from tokens' bytes to text. */
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { ConfigurationError, TokenError } from "../errors.js";

/** Token ids in a typed array. */
export type TokenIds = Uint8Array | Uint16Array | Int32Array;

/** Turns tokens that come one by one into text, without ever showing half a character. */
export interface TokenDecoder {
  /** The text that this token completes; empty while a character is incomplete. */
  push(token: number): string;
  /** What is left when no more tokens come: incomplete characters, as U+FFFD. All that was pushed, and this, is `decode`. */
  end(): string;
}

/**
 * Text to tokens and back. Tokens stand for UTF-8, which has no lone surrogates (halves of a character that JavaScript's
 * strings may hold): each becomes U+FFFD on the way in. Any other text comes back as it was, unless a tokenizer says
 * otherwise.
 */
export interface Tokenizer {
  /** the kind of tokenizer, for messages */
  readonly name: string;
  /** V: ids are 0 … V − 1 */
  readonly vocabSize: number;
  /** the id that stands between documents, where the vocabulary has one */
  readonly endOfText?: number;
  /** The ids that stand for a text. */
  encode(text: string): TokenIds;
  /** @throws TokenError when an id is not in the vocabulary */
  decode(tokens: ArrayLike<number>): string;
  /** A new decoder for tokens that come one by one. */
  decoder(): TokenDecoder;
}

/** Decodes tokens that each stand for some bytes of UTF-8. Bytes that are not UTF-8 become U+FFFD. */
export class BytesDecoder implements TokenDecoder {
  // With ignoreBOM the mark stays in the text.
  private readonly decoder = new TextDecoder("utf-8", { ignoreBOM: true });

  /** @param bytesOf the bytes of an id; throws when there is no such id */
  constructor(private readonly bytesOf: (token: number) => Uint8Array) {}

  push(token: number): string {
    return this.decoder.decode(this.bytesOf(token), { stream: true });
  }

  end(): string {
    return this.decoder.decode();
  }

  /** The text of all tokens at once. */
  static decode(tokens: ArrayLike<number>, bytesOf: (token: number) => Uint8Array): string {
    const parts = Array.from(tokens, bytesOf);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(parts));
  }
}

/** Ids in the smallest array that can hold every id of the vocabulary. */
export function tokenIds(ids: ArrayLike<number>, vocabSize: number): TokenIds {
  if (vocabSize <= 2 ** 8) return Uint8Array.from(ids);
  return vocabSize <= 2 ** 16 ? Uint16Array.from(ids) : Int32Array.from(ids);
}

/**
 * Throws unless it is a text: a promise of one, or a number, would become the text of its name.
 *
 * @throws ConfigurationError that says what it is
 */
export function expectText(tokenizer: string, text: unknown): void {
  if (typeof text === "string") return;
  const given = text instanceof Promise ? "a promise: await it, as in await ms.data.textFile(path)" : typeof text;
  throw new ConfigurationError(`${tokenizer}: wanted a text, not ${given}`);
}

/** The error for an id that a vocabulary lacks. */
export function unknownToken(tokenizer: string, token: number, wanted: string): TokenError {
  return new TokenError(`${tokenizer}: token ${token} is not in the vocabulary, wanted ${wanted}`);
}

/** A tokenizer that shows what it is, and none of its vocabulary. */
export abstract class ShownTokenizer extends Shown {
  abstract readonly name: string;
  abstract readonly vocabSize: number;

  /** What a notebook shows: name and sizes. */
  [jupyterDisplay](): MimeBundle {
    const { name, vocabSize, endOfText }: Pick<Tokenizer, "name" | "vocabSize" | "endOfText"> = this;
    const rows = [
      ["tokenizer", name],
      ["vocabulary", `${vocabSize.toLocaleString("en")} tokens`],
      ...(endOfText === undefined ? [] : [["end of text", `token ${endOfText}`]]),
    ];
    return tableForms(rows);
  }
}
