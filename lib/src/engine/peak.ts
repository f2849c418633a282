/** What a device can do, seen through tfjs alone: for engines that do not measure themselves. */
import * as tf from "@tensorflow/tfjs-core";

import type { EnginePeak } from "./controls.js";

/** A side of the product: large enough that launching it costs nothing, small enough for plain JavaScript. */
const SIDE = 256;
/** Elements of the addition: three arrays of 16 MiB lie beyond most caches. */
const LENGTH = 2 ** 22;

/** The fastest matrix product and the fastest addition of a quarter of a second each. */
export async function measureThroughTfjs(milliseconds = 250): Promise<EnginePeak> {
  const square = tf.ones([SIDE, SIDE]);
  const long = tf.ones([LENGTH]);
  try {
    const product = await least(() => tf.matMul(square, square), milliseconds);
    const addition = await least(() => tf.add(long, long), milliseconds);
    return { gflops: (2 * SIDE ** 3) / product / 1e6, gigabytesPerSecond: (3 * 4 * LENGTH) / addition / 1e6 };
  } finally {
    tf.dispose([square, long]);
  }
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
