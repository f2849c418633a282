/** The tokenizer that needs no vocabulary: a token is a byte of UTF-8. */
import {
  BytesDecoder,
  expectText,
  ShownTokenizer,
  unknownToken,
  type TokenDecoder,
  type Tokenizer,
} from "./tokenizer.js";

/** A token is a byte of the text's UTF-8 form: any text, 256 tokens. */
export class ByteTokenizer extends ShownTokenizer implements Tokenizer {
  readonly name = "bytes";
  readonly vocabSize = 256;

  encode(text: string): Uint8Array {
    expectText("byteTokenizer", text);
    return new TextEncoder().encode(text);
  }

  decode(tokens: ArrayLike<number>): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(tokens, expectByte));
  }

  decoder(): TokenDecoder {
    return new BytesDecoder((token) => Uint8Array.of(expectByte(token)));
  }
}

function expectByte(token: number): number {
  if (Number.isInteger(token) && token >= 0 && token < 256) return token;
  throw unknownToken("byteTokenizer", token, "a byte, 0 to 255");
}

/** A tokenizer whose tokens are the bytes of UTF-8. */
export function byteTokenizer(): ByteTokenizer {
  return new ByteTokenizer();
}
