/** What a device can do, seen through tfjs alone: for engines that do not measure themselves. */
import * as tf from "@tensorflow/tfjs-core";

import type { EnginePeak } from "./controls.js";

/** Sides of the product: the first is small enough for plain JavaScript, the last fills a GPU. */
const sides = [256, 512, 1024, 2048, 4096];
/** Elements of the addition: three arrays of 16 MiB lie beyond most caches, of 128 MiB beyond all. */
const lengths = [2 ** 22, 2 ** 25];
/** Milliseconds that a call must take for what surrounds it, reading an element among it, to be little. */
const enough = 4;

/** The fastest matrix product and the fastest addition of a quarter of a second each. */
export async function measureThroughTfjs(milliseconds = 250): Promise<EnginePeak> {
  const product = await fastest(sides, milliseconds, (side) => {
    const square = tf.ones([side, side]);
    return { operands: square, run: () => tf.matMul(square, square), work: 2 * side ** 3 };
  });
  const addition = await fastest(lengths, milliseconds, (length) => {
    const long = tf.ones([length]);
    return { operands: long, run: () => tf.add(long, long), work: 3 * 4 * length };
  });
  return { gflops: product / 1e6, gigabytesPerSecond: addition / 1e6 };
}

interface Work {
  readonly operands: tf.Tensor;
  readonly run: () => tf.Tensor;
  readonly work: number;
}

/** The most work in a millisecond, of the first size whose calls take long enough. */
async function fastest(sizes: readonly number[], milliseconds: number, of: (size: number) => Work): Promise<number> {
  let rate = 0;
  for (const size of sizes) {
    const { operands, run, work } = of(size);
    try {
      const first = await least(run, 0);
      if (first < enough && size !== sizes.at(-1)) continue;
      rate = work / Math.min(first, await least(run, milliseconds));
      break;
    } finally {
      operands.dispose();
    }
  }
  return rate;
}

/** The shortest time of a run in milliseconds; one element is read, so that an asynchronous engine has ended. */
async function least(run: () => tf.Tensor, milliseconds: number): Promise<number> {
  let best = Infinity;
  const until = performance.now() + milliseconds;
  for (let round = 0; round < 3 || performance.now() < until; ++round) {
    const begin = performance.now();
    const result = run();
    const first = tf.tidy(() => tf.slice(tf.reshape(result, [-1]), 0, 1));
    await first.data();
    best = Math.min(best, performance.now() - begin);
    tf.dispose([result, first]);
  }
  return best;
}
