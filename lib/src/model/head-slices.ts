/** Which channels of the residual stream a head reads and writes: head h has slice h mod (C / N). */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

/**
 * Channels as heads see them.
 *
 * @param channels `[B, T, C]`, C a multiple of `size`
 * @returns `[B, T, heads, size]`
 */
export function headsOfChannels(channels: Tensor3D, heads: number, size: number): Tensor4D {
  const [batch, time, width] = channels.shape;
  const slices = width / size;
  const perSlice: Tensor4D = tf.reshape(channels, [batch, time, slices, size]);
  if (heads === slices) return perSlice;
  const repeats = Math.ceil(heads / slices);
  const repeated = repeats > 1 ? tf.concat(new Array<Tensor4D>(repeats).fill(perSlice), 2) : perSlice;
  return heads % slices === 0 ? repeated : tf.slice(repeated, [0, 0, 0, 0], [-1, -1, heads, -1]);
}

/**
 * What heads write, as channels: heads of one slice add up, a slice without a head gets zero.
 *
 * @param perHead `[B, T, heads, N]`
 * @param width C, a multiple of N
 * @returns `[B, T, C]`
 */
export function channelsOfHeads(perHead: Tensor4D, width: number): Tensor3D {
  const [batch, time, heads, size] = perHead.shape;
  const slices = width / size;
  if (heads === slices) return tf.reshape(perHead, [batch, time, width]);
  const missing = (slices - (heads % slices)) % slices;
  const padded = missing === 0 ? perHead : tf.concat([perHead, tf.zeros([batch, time, missing, size])], 2);
  const rounds = (heads + missing) / slices;
  const summed = rounds === 1 ? padded : tf.sum(tf.reshape(padded, [batch, time, rounds, slices * size]), 2);
  return tf.reshape(summed, [batch, time, width]);
}
