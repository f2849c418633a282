/** RWKV-4's average in float64 as a sum over all tokens before, as the paper writes it: what the kernels are tested against. */

/** Flat operands: `w`, `u` of C values, `k`, `v` of `[T, C]`; what lies before them as sums A and B under e^p. */
export interface Wkv4Operands {
  readonly w: ArrayLike<number>;
  readonly u: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  readonly numerator: ArrayLike<number>;
  readonly denominator: ArrayLike<number>;
  readonly exponent: ArrayLike<number>;
}

/** y of `[T, C]`, of one row. */
export function wkv4Reference(
  width: number,
  { w, u, k, v, numerator, denominator, exponent }: Wkv4Operands,
): Float64Array {
  const time = k.length / width;
  const y = new Float64Array(k.length);
  for (let c = 0; c < width; c++) {
    for (let t = 0; t < time; t++) {
      const terms = [{ log: exponent[c]! + t * w[c]!, value: numerator[c]!, weight: denominator[c]! }];
      for (let s = 0; s < t; s++) {
        terms.push({ log: k[s * width + c]! + (t - 1 - s) * w[c]!, value: v[s * width + c]!, weight: 1 });
      }
      terms.push({ log: u[c]! + k[t * width + c]!, value: v[t * width + c]!, weight: 1 });
      const largest = Math.max(...terms.map(({ log }) => log));
      let top = 0;
      let bottom = 0;
      for (const { log, value, weight } of terms) {
        top += Math.exp(log - largest) * value;
        bottom += Math.exp(log - largest) * weight;
      }
      y[t * width + c] = top / bottom;
    }
  }
  return y;
}
