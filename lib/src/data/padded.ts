/** Batches with a document a row, of their own lengths. */
import { expectOptions } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { Random } from "../random.js";
import {
  batchOf,
  batchSizeNames,
  checkIntegers,
  type Batch,
  type BatchSizeOptions,
  type SequenceRow,
} from "./batch.js";
import { Corpus } from "./corpus.js";

/** The size and the order of batches. */
export interface PaddedOptions extends BatchSizeOptions {
  /** longer documents are cut to so many tokens and the one after; default: none is cut */
  maximumLength?: number;
}

/**
 * An endless iterator: every document once, in an order drawn by the seed, then all again in another. A batch is as long
 * as its longest document; what the others lack is filled with token 0, which the mask leaves out. Documents of a single
 * token, which have nothing to predict, are left out.
 *
 * @throws ConfigurationError when there are fewer documents than a batch takes, or the data are no corpus
 */
export function padded(corpus: Corpus, options: PaddedOptions): IterableIterator<Batch, never> {
  expectOptions("padded", options, { ...batchSizeNames, maximumLength: true });
  const { batchSize, maximumLength = Infinity, seed = 0, start = 0 } = options;
  if (!(corpus instanceof Corpus)) {
    throw new ConfigurationError(
      "padded: the data are no corpus, whose documents it gives a row each: await ms.data.corpus(texts, tokenizer) makes one",
    );
  }
  checkIntegers("padded", { batchSize, ...(maximumLength !== Infinity && { maximumLength }) }, { start });
  const usable = [...corpus.starts.keys()].filter((document) => corpus.document(document).length > 1);
  const batchesPerEpoch = Math.floor(usable.length / batchSize);
  if (batchesPerEpoch < 1) {
    throw new ConfigurationError(
      `padded: ${usable.length} documents of two tokens or more are too few for a batch of ${batchSize}; lower batchSize`,
    );
  }
  return documents(corpus, usable, batchSize, maximumLength, seed, start);
}

function* documents(
  corpus: Corpus,
  usable: readonly number[],
  batchSize: number,
  maximumLength: number,
  seed: number,
  start: number,
): Generator<Batch, never> {
  const batchesPerEpoch = Math.floor(usable.length / batchSize);
  for (let number = start; ; number++) {
    const order = Random.at(seed, Math.floor(number / batchesPerEpoch)).shuffle([...usable]);
    const first = (number % batchesPerEpoch) * batchSize;
    const texts = order.slice(first, first + batchSize).map((document) => corpus.document(document));
    const length = Math.min(maximumLength, Math.max(...texts.map((text) => text.length)) - 1);
    yield batchOf(
      texts.map((text): SequenceRow => {
        const used = Math.min(length, text.length - 1);
        const fill = <T extends Int32Array | Uint8Array>(into: T, from: ArrayLike<number>): T => {
          into.set(from);
          return into;
        };
        return {
          inputs: fill(new Int32Array(length), text.subarray(0, used)),
          targets: fill(new Int32Array(length), text.subarray(1, used + 1)),
          mask: new Uint8Array(length).fill(1, 0, used),
          starts: Uint8Array.from({ length }, (_, t) => (t === 0 ? 1 : 0)),
        };
      }),
    );
  }
}
