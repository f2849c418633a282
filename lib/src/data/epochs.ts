/** Batches that show every passage once before any comes again. */
import { expectOptions } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { Random } from "../random.js";
import type { TokenIds } from "../tokenizers/tokenizer.js";
import { batchOf, batchSizeNames, checkIntegers, type Batch, type BatchSizeOptions } from "./batch.js";
import { Corpus, passageOf, tokensOf } from "./corpus.js";

/** The size and the order of batches. */
export interface EpochsOptions extends BatchSizeOptions {
  /** T: tokens a passage */
  length: number;
  /** how many times the data are gone through; default endlessly */
  epochs?: number;
}

/** Batches of whole epochs, and how many make one. */
export interface EpochBatches extends IterableIterator<Batch, void> {
  readonly batchesPerEpoch: number;
}

/**
 * Cuts the data into passages without overlap and gives them in an order drawn anew for each epoch. Of a corpus, the
 * documents are shuffled first and packed one after the other, so that passages hold other neighbours each time. What does
 * not fill a last batch waits for another epoch's order.
 *
 * @throws ConfigurationError when the data are too short for one batch
 */
export function epochs(source: TokenIds | Corpus, options: EpochsOptions): EpochBatches {
  expectOptions("epochs", options, { ...batchSizeNames, length: true, epochs: true });
  const { batchSize, length, seed = 0, start = 0, epochs: count = Infinity } = options;
  checkIntegers("epochs", { batchSize, length, ...(count !== Infinity && { epochs: count }) }, { start });
  const available = Math.floor((tokensOf(source).length - 1) / length);
  const batchesPerEpoch = Math.floor(available / batchSize);
  if (batchesPerEpoch < 1) {
    throw new ConfigurationError(
      `epochs: ${tokensOf(source).length} tokens make ${Math.max(0, available)} passages of ${length}, ` +
        `too few for a batch of ${batchSize}; lower length or batchSize`,
    );
  }
  function* make(): Generator<Batch, void> {
    for (let epoch = Math.floor(start / batchesPerEpoch); epoch < count; epoch++) {
      const random = Random.at(seed, epoch);
      const packed = source instanceof Corpus ? source.select(random.shuffle([...source.starts.keys()])) : source;
      const order = random.shuffle(Int32Array.from({ length: available }, (_, i) => i));
      const first = Math.max(0, start - epoch * batchesPerEpoch);
      for (let batch = first; batch < batchesPerEpoch; batch++) {
        const chosen = order.subarray(batch * batchSize, (batch + 1) * batchSize);
        yield batchOf(Array.from(chosen, (passage) => passageOf(packed, passage * length, length)));
      }
    }
  }
  return Object.assign(make(), { batchesPerEpoch });
}
