/** Byte-level byte-pair encoding: pieces of text, from their bytes up, are joined by merges in the order they were learned. */
import { ConfigurationError } from "../errors.js";
import { writeAtomically } from "../io/atomic-write.js";
import { byteAlphabet, bytesToCharacters, piecesOf } from "./byte-level.js";
import { Heap } from "./heap.js";
import { tokenizerJson } from "./tokenizer-json.js";
import {
  BytesDecoder,
  expectText,
  tokenIds,
  ShownTokenizer,
  unknownToken,
  type TokenDecoder,
  type TokenIds,
  type Tokenizer,
} from "./tokenizer.js";

/** The text of the token that {@link BpeTokenizer.endOfText} is, where there is one. */
export const endOfTextToken = "<|endoftext|>";

/** How many pieces keep their encoding for the next time they come. */
const cachedPieces = 2 ** 16;

/** A tokenizer of ids 0 … V − 1: special tokens, then the 256 bytes, then one token a merge. */
export class BpeTokenizer extends ShownTokenizer implements Tokenizer {
  readonly name = "bpe";
  readonly endOfText?: number;
  private readonly bytesById: Uint8Array[];
  private readonly byteIds = new Int32Array(256);
  /** by `left · 2^26 + right`: the merge's place in the order, which also tells the new token's id */
  private readonly ranks = new Map<number, number>();
  private readonly firstMerged: number;
  private readonly special: RegExp | undefined;
  private readonly cache = new Map<string, readonly number[]>();

  /**
   * @param merges pairs of ids that become one token, in order; the token of merge i has id S + 256 + i
   * @param specialTokens texts that are one token each, wherever they stand: ids 0 … S − 1
   * @throws ConfigurationError when a merge's ids come after it, a merge comes twice, or a special token is empty
   */
  constructor(
    readonly merges: readonly (readonly [left: number, right: number])[],
    readonly specialTokens: readonly string[] = [],
  ) {
    super();
    this.bytesById = specialTokens.map((text) => new TextEncoder().encode(text));
    for (const byte of byteAlphabet) this.byteIds[byte] = this.bytesById.push(Uint8Array.of(byte)) - 1;
    this.firstMerged = this.bytesById.length;
    merges.forEach(([left, right], rank) => {
      const [a, b] = [left, right].map((id) => (id >= specialTokens.length ? this.bytesById[id] : undefined));
      if (!a || !b)
        throw new ConfigurationError(`bpe: merge ${rank} joins ${left} and ${right}, not both known by then`);
      this.bytesById.push(Buffer.concat([a, b]));
      this.ranks.set(pairKey(left, right), rank);
    });
    if (this.ranks.size < merges.length) throw new ConfigurationError("bpe: a merge is there twice");
    checkSpecialTokens(specialTokens);
    const written = new Set(this.bytesById.slice(specialTokens.length).map(bytesToCharacters));
    const ambiguous = specialTokens.find((token) => written.has(token));
    if (ambiguous !== undefined) {
      throw new ConfigurationError(`bpe: the special token ${ambiguous} is a token of text too; name it like <|this|>`);
    }
    this.special = specialTokens.length > 0 ? specialPattern(specialTokens) : undefined;
    const endOfText = specialTokens.indexOf(endOfTextToken);
    if (endOfText >= 0) this.endOfText = endOfText;
  }

  get vocabSize(): number {
    return this.bytesById.length;
  }

  encode(text: string): TokenIds {
    expectText("bpe", text);
    const ids: number[] = [];
    const parts = this.special ? text.toWellFormed().split(this.special) : [text.toWellFormed()];
    parts.forEach((part, i) => {
      // The pattern has one group, so that every second part is a special token.
      if (i % 2 === 1) ids.push(this.specialTokens.indexOf(part));
      else for (const piece of piecesOf(part)) for (const id of this.encodePiece(piece)) ids.push(id);
    });
    return tokenIds(ids, this.vocabSize);
  }

  decode(tokens: ArrayLike<number>): string {
    return BytesDecoder.decode(tokens, (token) => this.bytes(token));
  }

  decoder(): TokenDecoder {
    return new BytesDecoder((token) => this.bytes(token));
  }

  /**
   * The bytes that a token stands for; a special token's, those of its text.
   *
   * @throws TokenError when there is no such token
   */
  bytes(token: number): Uint8Array {
    const bytes = this.bytesById[token];
    if (!bytes) throw unknownToken("bpe", token, `0 to ${this.vocabSize - 1}`);
    return bytes;
  }

  /** What a Hugging Face `tokenizer.json` of this tokenizer holds. */
  toJSON(): object {
    return tokenizerJson(this);
  }

  /**
   * Writes a `tokenizer.json` that Hugging Face's tokenizers read, and `ms.tokenizers.load` too. The file is whole or not
   * there.
   *
   * @throws ModelFileError when it cannot be written
   */
  async save(path: string): Promise<void> {
    const text = new TextEncoder().encode(`${JSON.stringify(this, null, 1)}\n`);
    await writeAtomically(path, (sink) => sink.write(text));
  }

  private encodePiece(piece: string): readonly number[] {
    const known = this.cache.get(piece);
    if (known) return known;
    const ids = this.merge(Array.from(new TextEncoder().encode(piece), (byte) => this.byteIds[byte]!));
    if (this.cache.size >= cachedPieces) this.cache.clear();
    this.cache.set(piece, ids);
    return ids;
  }

  /**
   * Applies the earliest merge that fits, at its leftmost place, until none does. The symbols are a linked list and the
   * merges that fit a heap, so that a piece of n bytes takes n log n and not n² steps: a text may be one long piece.
   */
  private merge(ids: number[]): readonly number[] {
    if (ids.length < 2) return ids;
    const next = Int32Array.from(ids, (_, i) => i + 1);
    const previous = Int32Array.from(ids, (_, i) => i - 1);
    const heap = new Heap<{ rank: number; at: number; left: number; right: number }>(
      (a, b) => a.rank < b.rank || (a.rank === b.rank && a.at < b.at),
    );
    const consider = (at: number): void => {
      const other = next[at]!;
      if (at < 0 || other >= ids.length) return;
      const [left, right] = [ids[at]!, ids[other]!];
      const rank = this.ranks.get(pairKey(left, right));
      if (rank !== undefined) heap.push({ rank, at, left, right });
    };
    for (let at = 0; at + 1 < ids.length; at++) consider(at);
    for (let best = heap.pop(); best; best = heap.pop()) {
      const { at, left, right, rank } = best;
      const other = next[at]!;
      // Symbols that were merged meanwhile hold −1.
      if (ids[at] !== left || other >= ids.length || ids[other] !== right) continue;
      ids[at] = this.firstMerged + rank;
      ids[other] = -1;
      next[at] = next[other]!;
      if (next[at] < ids.length) previous[next[at]] = at;
      consider(at);
      if (previous[at]! >= 0) consider(previous[at]!);
    }
    return ids.filter((id) => id >= 0);
  }
}

/** One number for a pair of ids below 2^26. Ascending as pairs are. */
export function pairKey(left: number, right: number): number {
  return left * 2 ** 26 + right;
}

/**
 * Throws unless the special tokens can be told apart from other text.
 *
 * @throws ConfigurationError naming the token
 */
export function checkSpecialTokens(specialTokens: readonly string[]): void {
  specialTokens.forEach((token, i) => {
    const wrong = token === "" ? "empty" : !token.isWellFormed() ? "not well-formed" : undefined;
    if (wrong) throw new ConfigurationError(`bpe: special token ${i} is ${wrong}`);
    if (specialTokens.indexOf(token) < i) throw new ConfigurationError(`bpe: special token ${token} is there twice`);
  });
}

/** Any of the special tokens, in a group; where one begins another, the longer. */
export function specialPattern(specialTokens: readonly string[]): RegExp {
  const escaped = [...specialTokens]
    .sort((a, b) => b.length - a.length)
    .map((token) => token.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"));
  return new RegExp(`(${escaped.join("|")})`, "u");
}
