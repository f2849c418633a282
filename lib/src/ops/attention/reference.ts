/** Causal attention in float64 with all weights kept, as the equation stands: what the kernels are tested against. */

/** The sizes of a call: batch, queries, keys, heads, head size. */
export interface AttentionReferenceSizes {
  readonly batch: number;
  readonly time: number;
  readonly keys: number;
  readonly heads: number;
  readonly size: number;
}

/** Flat row-major operands: `q` of `[B, T, H, N]`, `k` and `v` of `[B, S, H, N]`, the first key of each row. */
export interface AttentionOperands {
  readonly q: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  readonly starts: ArrayLike<number>;
}

/** y of `[B, T, H, N]`. */
export function attentionReference(sizes: AttentionReferenceSizes, operands: AttentionOperands): Float64Array {
  const { batch, time, keys, heads, size } = sizes;
  const { q, k, v, starts } = operands;
  const y = new Float64Array(batch * time * heads * size);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const key = (j: number): number => ((b * keys + j) * heads + h) * size;
      for (let t = 0; t < time; t++) {
        const query = ((b * time + t) * heads + h) * size;
        const seen: number[] = [];
        for (let j = starts[b]!; j <= keys - time + t; j++) seen.push(j);
        const scores = seen.map((j) => {
          let dot = 0;
          for (let i = 0; i < size; i++) dot += q[query + i]! * k[key(j) + i]!;
          return dot / Math.sqrt(size);
        });
        const largest = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - largest));
        const sum = weights.reduce((total, weight) => total + weight, 0);
        seen.forEach((j, at) => {
          for (let i = 0; i < size; i++) y[query + i]! += (weights[at]! / sum) * v[key(j) + i]!;
        });
      }
    }
  }
  return y;
}
