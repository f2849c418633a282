/** Tokenizers' common interface, and the one that needs no vocabulary: a token is a byte of UTF-8. */
import { TokenError } from "../errors.js";

/** Token ids in a typed array. */
export type TokenIds = Uint8Array | Uint16Array | Int32Array;

/** Turns tokens that come one by one into text, without ever showing half a character. */
export interface TokenDecoder {
  /** The text that this token completes; empty while a character is incomplete. */
  push(token: number): string;
}

/** Text to tokens and back. */
export interface Tokenizer {
  readonly name: string;
  readonly vocabSize: number;
  encode(text: string): TokenIds;
  decode(tokens: ArrayLike<number>): string;
  decoder(): TokenDecoder;
}

/** A token is a byte of the text's UTF-8 form: any text, 256 tokens. */
export class ByteTokenizer implements Tokenizer {
  readonly name = "bytes";
  readonly vocabSize = 256;

  /** The UTF-8 bytes. A lone surrogate becomes U+FFFD, as everywhere in the platform. */
  encode(text: string): Uint8Array {
    return new TextEncoder().encode(text);
  }

  /**
   * The text; bytes that are not UTF-8 become U+FFFD.
   *
   * @throws TokenError when a token is no byte
   */
  decode(tokens: ArrayLike<number>): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(tokens, expectByte));
  }

  decoder(): TokenDecoder {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return { push: (token) => decoder.decode(Uint8Array.of(expectByte(token)), { stream: true }) };
  }
}

function expectByte(token: number): number {
  if (Number.isInteger(token) && token >= 0 && token < 256) return token;
  throw new TokenError(`byteTokenizer: token ${token} is no byte, wanted an integer from 0 to 255`);
}

/** A tokenizer whose tokens are the bytes of UTF-8. */
export function byteTokenizer(): ByteTokenizer {
  return new ByteTokenizer();
}
