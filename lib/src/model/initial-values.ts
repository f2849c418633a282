/**
 * Initial values, as META_STATE.md and the published RWKV-7 training code set them. Each function gives a filler, which
 * writes a parameter's values in row-major order.
 */
import type { Random } from "../random.js";
import { orthonormal } from "./orthonormal.js";

/** Writes a parameter's values. `shape` is known from the specification; matrices need their row length. */
export type Filler = (random: Random, values: Float32Array, shape: readonly number[]) => void;

/** Where a layer stands: 0 at the first to 1 at the last; 1 at the first to 1/layers at the last. */
export interface Depth {
  readonly zeroToOne: number;
  readonly oneToAlmostZero: number;
}

/** All elements the same. */
export function constant(value: number): Filler {
  return (_random, values) => void values.fill(value);
}

/** Uniform in ±edge. */
export function uniform(edge: number): Filler {
  return (random, values) => {
    for (let i = 0; i < values.length; i++) values[i] = random.uniform(-edge, edge);
  };
}

/** Token-shift mixes: 1 − (c / C)^(power · depth), more of the previous token in the first channels. */
export function mix(power: number, { oneToAlmostZero }: Depth): Filler {
  return (_random, values) => {
    for (let c = 0; c < values.length; c++) values[c] = 1 - (c / values.length) ** (power * oneToAlmostZero);
  };
}

/** Channel mixing's mix: 1 − (c / C)^(depth⁴). */
export function channelMix({ oneToAlmostZero }: Depth): Filler {
  return (_random, values) => {
    for (let c = 0; c < values.length; c++) values[c] = 1 - (c / values.length) ** (oneToAlmostZero ** 4);
  };
}

/** From −1/2 at the first channel to 1/2 at the last. */
function linearRamp(c: number, count: number): number {
  return count > 1 ? c / (count - 1) - 0.5 : 0;
}

/** Within each head from −1 to 1, flat in the middle: z |z| of a straight line. */
function zigzagRamp(c: number, headSize: number): number {
  if (headSize === 1) return 0;
  const half = (headSize - 1) / 2;
  const line = ((c % headSize) - half) / half;
  return line * Math.abs(line);
}

/** offset + zigzag · (ramp in each head) + linear · (ramp over all channels). */
export function channels(
  headSize: number,
  { offset, zigzag = 0, linear = 0 }: { offset: number; zigzag?: number; linear?: number },
): Filler {
  return (_random, values) => {
    for (let c = 0; c < values.length; c++) {
      values[c] = offset + zigzag * zigzagRamp(c, headSize) + linear * linearRamp(c, values.length);
    }
  };
}

/** Decay logits: from long memory (−6) in the first channels to short, bent by depth, plus the ramp in each head. */
export function decay(headSize: number, { zeroToOne }: Depth): Filler {
  return (_random, values) => {
    const last = Math.max(1, values.length - 1);
    for (let c = 0; c < values.length; c++) {
      values[c] = -6 + 6 * (c / last) ** (1 + zeroToOne ** 0.3) + 0.5 + 2.5 * zigzagRamp(c, headSize);
    }
  };
}

/**
 * Orthonormal rows or columns, whichever are fewer, times `scale`, and times √(rows / columns) when there are more rows
 * than columns (so that outputs keep the inputs' scale).
 */
export function orthogonal(scale: number): Filler {
  return (random, values, [rows = 1, columns = 1]) => {
    const count = Math.min(rows, columns);
    const length = Math.max(rows, columns);
    const { values: vectors, stride } = orthonormal(random, count, length);
    const gain = scale * Math.sqrt(Math.max(1, rows / columns));
    if (rows <= columns) {
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) values[i * columns + j] = gain * vectors[i * stride + j]!;
      }
      return;
    }
    // Eight rows at a time: a vector's values for them share a cache line.
    for (let block = 0; block < rows; block += 8) {
      const end = Math.min(rows, block + 8);
      for (let j = 0; j < columns; j++) {
        for (let i = block; i < end; i++) values[i * columns + j] = gain * vectors[j * stride + i]!;
      }
    }
  };
}
