/** Batches taken one by one, and counted, so that a training can go on where another stopped. */
import { setImmediate } from "node:timers/promises";

import { expectBatch, expectBatches, type Batch, type BatchLike } from "../data/batch.js";
import { ConfigurationError } from "../errors.js";
import type { TrainBatches } from "./training-options.js";

/** What was taken. */
export interface TakenBatches {
  readonly batches: number;
  /** tokens in them; left out where a checkpoint from before did not tell */
  readonly tokens?: number;
}

/** The batches of a training. */
export class BatchSource {
  private constructor(
    private readonly iterator: Iterator<BatchLike> | AsyncIterator<BatchLike>,
    private batches = 0,
    private tokens: number | undefined = 0,
  ) {}

  /**
   * Opens the batches at a place.
   *
   * @param before what was taken before: a function is asked for the batches after, of others they are taken and dropped
   * @throws ConfigurationError when there are not so many, or when they are not of the size they were
   */
  static async open(
    batches: TrainBatches,
    before: TakenBatches | undefined,
    signal: AbortSignal | undefined,
  ): Promise<BatchSource> {
    const skip = before?.batches ?? 0;
    const list = typeof batches === "function" ? batches(skip) : batches;
    expectBatches("train", list);
    // Not for await: that would close the caller's iterator, and a second training with it would get nothing.
    const iterator = Symbol.asyncIterator in list ? list[Symbol.asyncIterator]() : list[Symbol.iterator]();
    if (typeof batches === "function") return new BatchSource(iterator, skip, before?.tokens);
    const source = new BatchSource(iterator);
    while (source.batches < skip) {
      if ((await source.take(1)).length === 0) {
        throw new ConfigurationError(
          `train: the checkpoint was made after ${skip} batches, and there are only ${source.batches}: give the batches ` +
            `from the beginning, or a function (start) => batches from that number on`,
        );
      }
      if (source.batches % 64 === 0) {
        await setImmediate();
        signal?.throwIfAborted();
      }
    }
    if (before?.tokens !== undefined && before.tokens !== source.tokens) {
      throw new ConfigurationError(
        `train: the checkpoint was made after ${skip} batches of ${before.tokens} tokens in all, and the first ${skip} of those ` +
          `given have ${source.tokens}: the place in the data would be another. Give the same batches, or a function ` +
          `(start) => batches to go on with`,
      );
    }
    return source;
  }

  /** What was taken, skipped batches too. */
  get taken(): TakenBatches {
    const { batches, tokens } = this;
    return { batches, ...(tokens !== undefined && { tokens }) };
  }

  /** The next batches; fewer, or none, when they end. */
  async take(count: number): Promise<Batch[]> {
    const taken: Batch[] = [];
    while (taken.length < count) {
      const next = await this.iterator.next();
      if (next.done) break;
      const batch = expectBatch("train", next.value);
      taken.push(batch);
      const [rows, length] = batch.inputs.shape;
      this.batches++;
      if (this.tokens !== undefined) this.tokens += rows * length;
    }
    return taken;
  }
}
