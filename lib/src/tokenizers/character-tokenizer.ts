/** A token is a character (a Unicode code point) of a text that was seen before. */
import { expectOptions } from "../arguments.js";
import { ConfigurationError, TokenError } from "../errors.js";
import {
  expectText,
  tokenIds,
  ShownTokenizer,
  unknownToken,
  type TokenDecoder,
  type TokenIds,
  type Tokenizer,
} from "./tokenizer.js";

/** Options of `ms.tokenizers.characters`. */
export interface CharacterTokenizerOptions {
  /**
   * the character that stands for all those the vocabulary lacks, e.g. `"\ufffd"`; it joins the vocabulary. Left out,
   * such a character is an error
   */
  unknown?: string;
}

/** A vocabulary of characters, in the order of their code points. */
export class CharacterTokenizer extends ShownTokenizer implements Tokenizer {
  readonly name = "characters";
  private readonly ids: ReadonlyMap<string, number>;
  private readonly unknownId: number | undefined;

  /**
   * @param characters one code point each, none twice; a token is an index into them
   * @param options `unknown`: the one of them that stands for characters outside the vocabulary
   * @throws ConfigurationError when they are not single characters, or one comes twice
   */
  constructor(
    readonly characters: readonly string[],
    { unknown }: CharacterTokenizerOptions = {},
  ) {
    super();
    for (const character of characters) {
      if ([...character].length !== 1 || !character.isWellFormed()) {
        throw new ConfigurationError(
          `characterTokenizer: ${JSON.stringify(character)} in the vocabulary is no single character`,
        );
      }
    }
    this.ids = new Map(characters.map((character, id) => [character, id]));
    if (this.ids.size === 0) throw new ConfigurationError("characterTokenizer: the text is empty, wanted characters");
    if (this.ids.size < characters.length) {
      throw new ConfigurationError("characterTokenizer: a character is twice in the vocabulary");
    }
    this.unknownId = unknown === undefined ? undefined : this.ids.get(unknown);
    if (unknown !== undefined && this.unknownId === undefined) {
      throw new ConfigurationError(
        `characterTokenizer: unknown is ${JSON.stringify(unknown)}, wanted a character of the vocabulary`,
      );
    }
  }

  get vocabSize(): number {
    return this.characters.length;
  }

  /** @throws TokenError naming a character that the vocabulary lacks, and where it is, unless there is an `unknown` */
  encode(text: string): TokenIds {
    expectText("characterTokenizer", text);
    const ids: number[] = [];
    let at = 0;
    for (const character of text.toWellFormed()) {
      const id = this.ids.get(character) ?? this.unknownId;
      if (id === undefined) {
        throw new TokenError(
          `characterTokenizer: ${JSON.stringify(character)} (${codePoint(character)}, at ${at}) is not in the vocabulary ` +
            `of ${this.vocabSize} characters: make it from a text that has all, or give unknown: "\\ufffd"`,
        );
      }
      ids.push(id);
      at += character.length;
    }
    return tokenIds(ids, this.vocabSize);
  }

  decode(tokens: ArrayLike<number>): string {
    return Array.from(tokens, (token) => this.character(token)).join("");
  }

  decoder(): TokenDecoder {
    return { push: (token) => this.character(token), end: () => "" };
  }

  private character(token: number): string {
    const character = this.characters[token];
    if (character === undefined) throw unknownToken("characterTokenizer", token, `0 to ${this.vocabSize - 1}`);
    return character;
  }
}

function codePoint(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
}

/**
 * A tokenizer whose vocabulary is the characters of a text (lone surrogates count as U+FFFD).
 *
 * @throws ConfigurationError when the text is empty, or `unknown` is not one character
 */
export function characterTokenizer(text: string, options: CharacterTokenizerOptions = {}): CharacterTokenizer {
  expectText("characters", text);
  expectOptions("characters", options, { unknown: true });
  const characters = new Set(text.toWellFormed());
  if (options.unknown !== undefined) characters.add(options.unknown);
  const sorted = [...characters].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  return new CharacterTokenizer(sorted, options);
}
