/** Learning a byte-level BPE vocabulary from text: again and again the most frequent pair of neighbours becomes a token. */
import { setImmediate } from "node:timers/promises";

import { expectOptions, type OptionNames } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { BpeTokenizer, checkSpecialTokens, endOfTextToken, pairKey, specialPattern } from "./bpe-tokenizer.js";
import { byteAlphabet, piecesOf } from "./byte-level.js";
import { Heap } from "./heap.js";
import { expectText } from "./tokenizer.js";

/** How far `ms.tokenizers.trainBpe` is. */
export interface BpeProgress {
  /** `count`: reading the text, `merge`: making tokens */
  readonly stage: "count" | "merge";
  /** characters read, or tokens there are */
  readonly done: number;
  /** characters or tokens in all; characters of an iterable are not known before */
  readonly total: number | undefined;
}

/** What `ms.tokenizers.trainBpe` makes. */
export interface TrainBpeOptions {
  /** V: how many tokens at most, special tokens and the 256 bytes among them. Fewer when no pair is left to merge */
  vocabSize: number;
  /** texts that are one token each wherever they stand; default `["<|endoftext|>"]`, which separates documents */
  specialTokens?: readonly string[];
  /** a pair that is there less often is not merged; default 2 */
  minimumCount?: number;
  /** called now and then, and at the end */
  onProgress?: (progress: BpeProgress) => void;
  /** ends between steps; the promise then rejects with the signal's reason */
  signal?: AbortSignal;
}

const optionNames: OptionNames<TrainBpeOptions> = {
  ...{ vocabSize: true, specialTokens: true, minimumCount: true, onProgress: true, signal: true },
};

/**
 * Learns a vocabulary. The same text and options give the same one on every machine: of pairs that are equally frequent
 * the one of the lower ids goes first, as in Hugging Face's trainer. Other work gets its turn while it runs.
 *
 * @param text a text, or documents one by one: no token reaches from one into the next
 * @throws ConfigurationError when vocabSize leaves no room for the bytes and the special tokens
 */
export async function trainBpe(
  text: string | Iterable<string> | AsyncIterable<string>,
  options: TrainBpeOptions,
): Promise<BpeTokenizer> {
  expectOptions("trainBpe", options, optionNames);
  const { vocabSize, specialTokens = [endOfTextToken], minimumCount = 2, onProgress, signal } = options;
  const least = 256 + specialTokens.length;
  if (!Number.isSafeInteger(vocabSize) || vocabSize < least || vocabSize > 2 ** 24) {
    throw new ConfigurationError(
      `trainBpe: vocabSize is ${vocabSize}, wanted an integer from ${least} (256 bytes and ` +
        `${specialTokens.length} special tokens) to ${2 ** 24}`,
    );
  }
  if (!(minimumCount >= 1)) throw new ConfigurationError(`trainBpe: minimumCount is ${minimumCount}, wanted 1 or more`);
  checkSpecialTokens(specialTokens);
  if (
    typeof text !== "string" &&
    !(typeof text === "object" && (Symbol.iterator in text || Symbol.asyncIterator in text))
  ) {
    expectText("trainBpe", text);
  }
  const pause = turns(signal);
  const counts = await countPieces(text, specialTokens, pause, onProgress);
  const merger = new Merger(counts, specialTokens.length, minimumCount);
  let size = least;
  for (; size < vocabSize && merger.step(); size++) {
    const turn = pause();
    if (!turn) continue;
    await turn;
    onProgress?.({ stage: "merge", done: size, total: vocabSize });
  }
  onProgress?.({ stage: "merge", done: size, total: size });
  return new BpeTokenizer(merger.merges, specialTokens);
}

/** Every 50 ms a promise to await, so that other work runs; else nothing. */
type Pause = () => Promise<void> | undefined;

function turns(signal: AbortSignal | undefined): Pause {
  let last = performance.now();
  const pause = async (): Promise<void> => {
    await setImmediate();
    signal?.throwIfAborted();
    last = performance.now();
  };
  return () => (performance.now() - last > 50 ? pause() : undefined);
}

async function countPieces(
  text: string | Iterable<string> | AsyncIterable<string>,
  specialTokens: readonly string[],
  pause: Pause,
  onProgress: TrainBpeOptions["onProgress"],
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const special = specialTokens.length > 0 ? specialPattern(specialTokens) : undefined;
  const total = typeof text === "string" ? text.length : undefined;
  let done = 0;
  for await (const document of typeof text === "string" ? [text] : text) {
    if (typeof document !== "string") {
      throw new ConfigurationError(`trainBpe: a document is ${typeof document}, wanted a text: give their texts`);
    }
    const wellFormed = document.toWellFormed();
    const parts = special ? wellFormed.split(special) : [wellFormed];
    for (let i = 0; i < parts.length; i++) {
      // Every second part is a special token.
      if (i % 2 === 1) done += parts[i]!.length;
      else {
        for (const piece of piecesOf(parts[i]!)) {
          counts.set(piece, (counts.get(piece) ?? 0) + 1);
          done += piece.length;
          const turn = pause();
          if (!turn) continue;
          await turn;
          onProgress?.({ stage: "count", done, total });
        }
      }
    }
  }
  return counts;
}

interface Candidate {
  readonly key: number;
  readonly left: number;
  readonly right: number;
  readonly count: number;
}

/**
 * The distinct pieces as symbols with their counts, and for each pair of neighbours how often it is there and in which
 * pieces it was. A merge changes those pieces only. The heap holds counts as they were when they were pushed; counts of a
 * pair only fall after that, so one that is no longer true is pushed again when it comes out.
 */
class Merger {
  readonly merges: [number, number][] = [];
  private readonly words: { symbols: number[]; readonly count: number }[] = [];
  private readonly counts = new Map<number, number>();
  private readonly places = new Map<number, Set<number>>();
  private readonly heap = new Heap<Candidate>((a, b) => a.count > b.count || (a.count === b.count && a.key < b.key));
  private next: number;

  constructor(
    pieces: ReadonlyMap<string, number>,
    specialTokens: number,
    private readonly minimumCount: number,
  ) {
    const byteIds = new Int32Array(256);
    byteAlphabet.forEach((byte, i) => (byteIds[byte] = specialTokens + i));
    this.next = specialTokens + 256;
    const encoder = new TextEncoder();
    const fresh = new Set<number>();
    for (const [piece, count] of pieces) {
      const symbols = Array.from(encoder.encode(piece), (byte) => byteIds[byte]!);
      this.add(this.words.push({ symbols, count }) - 1, 1, fresh);
    }
    this.pushAll(fresh);
  }

  /** Merges the most frequent pair; false when none is frequent enough. */
  step(): boolean {
    for (let top = this.heap.pop(); top && top.count >= this.minimumCount; top = this.heap.pop()) {
      const count = this.counts.get(top.key)!;
      if (count < top.count) {
        this.heap.push({ ...top, count });
        continue;
      }
      this.merge(top);
      return true;
    }
    return false;
  }

  private merge({ key, left, right }: Candidate): void {
    const token = this.next++;
    this.merges.push([left, right]);
    const fresh = new Set<number>();
    for (const index of this.places.get(key)!) {
      const word = this.words[index]!;
      this.add(index, -1);
      const merged: number[] = [];
      const { symbols } = word;
      for (let i = 0; i < symbols.length; i++) {
        if (symbols[i] === left && symbols[i + 1] === right) {
          merged.push(token);
          i++;
        } else merged.push(symbols[i]!);
      }
      word.symbols = merged;
      this.add(index, 1, fresh, token);
    }
    this.places.delete(key);
    this.counts.set(key, 0);
    this.pushAll(fresh);
  }

  /** Counts the pairs of a word, or takes them away; notes those that have the new token. */
  private add(index: number, sign: 1 | -1, fresh?: Set<number>, token?: number): void {
    const { symbols, count } = this.words[index]!;
    for (let i = 0; i + 1 < symbols.length; i++) {
      const [left, right] = [symbols[i]!, symbols[i + 1]!];
      const key = pairKey(left, right);
      this.counts.set(key, (this.counts.get(key) ?? 0) + sign * count);
      if (!fresh || (token !== undefined && left !== token && right !== token)) continue;
      fresh.add(key);
      const places = this.places.get(key);
      if (places) places.add(index);
      else this.places.set(key, new Set([index]));
    }
  }

  private pushAll(keys: Iterable<number>): void {
    for (const key of keys) {
      const left = Math.floor(key / 2 ** 26);
      this.heap.push({ key, left, right: key - left * 2 ** 26, count: this.counts.get(key)! });
    }
  }
}
