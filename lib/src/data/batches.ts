/** Batches of passages drawn from anywhere in a long token sequence. */
import { expectOptions } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { Random } from "../random.js";
import type { TokenIds } from "../tokenizers/tokenizer.js";
import { batchOf, batchSizeNames, checkIntegers, type Batch, type BatchSizeOptions } from "./batch.js";
import { passageOf, tokensOf, type Corpus } from "./corpus.js";

/** The size and the order of batches. */
export interface BatchesOptions extends BatchSizeOptions {
  /** T: tokens a passage; of several, each batch draws one */
  length: number | readonly number[];
}

/**
 * An endless iterator of batches whose passages start anywhere, drawn uniformly by the seed. Each call starts anew.
 *
 * @param source tokens, or a corpus, whose document boundaries the batches then carry
 * @throws ConfigurationError when the data are shorter than one passage and its next token
 */
export function batches(source: TokenIds | Corpus, options: BatchesOptions): IterableIterator<Batch, never> {
  expectOptions("batches", options, { ...batchSizeNames, length: true });
  const { batchSize, length, seed = 0, start = 0 } = options;
  const lengths = typeof length === "number" ? [length] : length;
  if (lengths.length === 0) throw new ConfigurationError("batches: length is an empty list, wanted at least one");
  for (const one of lengths) {
    checkIntegers("batches", { batchSize, length: one }, { start });
    const { length: available } = tokensOf(source);
    if (available <= one) {
      throw new ConfigurationError(
        `batches: ${available} tokens are too few for passages of ${one} and the token after; lower length`,
      );
    }
  }
  return passages(source, batchSize, lengths, start, new Random(seed));
}

function* passages(
  source: TokenIds | Corpus,
  batchSize: number,
  lengths: readonly number[],
  start: number,
  random: Random,
): Generator<Batch, never> {
  const available = tokensOf(source).length;
  for (let number = 0; ; number++) {
    const length = lengths.length === 1 ? lengths[0]! : lengths[random.integer(lengths.length)]!;
    const offsets = Array.from({ length: batchSize }, () => random.integer(available - length));
    // Batches before the first wanted are drawn, not made.
    if (number >= start) yield batchOf(offsets.map((offset) => passageOf(source, offset, length)));
  }
}
