/** Batches taken one by one, and counted, so that a training can go on where another stopped. */
import { setImmediate } from "node:timers/promises";

import type { Batch } from "../data/batch.js";
import { ConfigurationError } from "../errors.js";
import type { TrainBatches } from "./training-options.js";

/** The batches of a training. */
export class BatchSource {
  private constructor(
    private readonly iterator: Iterator<Batch> | AsyncIterator<Batch>,
    private count: number,
  ) {}

  /**
   * Opens the batches at a place.
   *
   * @param skip how many were taken before: a function is asked for those after, of others they are taken and dropped
   * @throws ConfigurationError when there are not so many
   */
  static async open(batches: TrainBatches, skip: number, signal: AbortSignal | undefined): Promise<BatchSource> {
    const list = typeof batches === "function" ? batches(skip) : batches;
    // Not for await: that would close the caller's iterator, and a second training with it would get nothing.
    const iterator = Symbol.asyncIterator in list ? list[Symbol.asyncIterator]() : list[Symbol.iterator]();
    for (let dropped = 0; typeof batches !== "function" && dropped < skip; dropped++) {
      if ((await iterator.next()).done) {
        throw new ConfigurationError(
          `train: the checkpoint was made after ${skip} batches, and there are only ${dropped}: give the batches from ` +
            `the beginning, or a function (start) => batches from that number on`,
        );
      }
      if (dropped % 64 === 63) {
        await setImmediate();
        signal?.throwIfAborted();
      }
    }
    return new BatchSource(iterator, skip);
  }

  /** How many batches were taken, the skipped ones too. */
  get taken(): number {
    return this.count;
  }

  /** The next batches; fewer, or none, when they end. */
  async take(count: number): Promise<Batch[]> {
    const batches: Batch[] = [];
    while (batches.length < count) {
      const next = await this.iterator.next();
      if (next.done) break;
      batches.push(next.value);
      this.count++;
    }
    return batches;
  }
}
