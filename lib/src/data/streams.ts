/** Batches whose rows go on from batch to batch, for training that carries the state over. */
import { expectOptions } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import type { TokenIds } from "../tokenizers/tokenizer.js";
import { batchOf, checkIntegers, type Batch, type SequenceRow } from "./batch.js";
import { passageOf, tokensOf, type Corpus } from "./corpus.js";

/** The size of batches. */
export interface StreamsOptions {
  /** B: streams side by side */
  batchSize: number;
  /** T: tokens of each stream a batch */
  length: number;
  /** the number of the batch to begin with, from 0; default 0 */
  start?: number;
}

/**
 * Cuts the data into B streams; row b of each batch goes on where row b of the batch before ended. At the end of the
 * streams all begin again; batches in which they begin say so in `starts`, though it may be in the middle of a document.
 *
 * @throws ConfigurationError when the data are too short for one batch
 */
export function streams(source: TokenIds | Corpus, options: StreamsOptions): IterableIterator<Batch, never> {
  expectOptions("streams", options, { batchSize: true, length: true, start: true });
  const { batchSize, length, start = 0 } = options;
  checkIntegers("streams", { batchSize, length }, { start });
  const available = tokensOf(source).length;
  const steps = Math.floor((available - 1) / batchSize / length);
  if (steps < 1) {
    throw new ConfigurationError(
      `streams: ${available} tokens are too few for ${batchSize} streams of ${length}; lower length or batchSize`,
    );
  }
  function* make(): Generator<Batch, never> {
    for (let number = start; ; number++) {
      const step = number % steps;
      const offsets = Array.from({ length: batchSize }, (_, row) => (row * steps + step) * length);
      const rows = offsets.map((offset) => passageOf(source, offset, length));
      yield batchOf(step === 0 ? rows.map(beginning) : rows);
    }
  }
  return make();
}

/** The row as the beginning of a stream: what was before is not what stands before it in the text. */
function beginning(row: SequenceRow): SequenceRow {
  const starts = Uint8Array.from(row.starts ?? new Uint8Array(row.inputs.length));
  starts[0] = 1;
  return { ...row, starts };
}
