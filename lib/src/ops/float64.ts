/**
 * The ops in float64, written from their equations with plain loops: what the property tests hold the kernels to. Not
 * exported from the package.
 */

/** Sizes of a random case. A = heads · size. */
export interface OpSizes {
  readonly batch: number;
  readonly time: number;
  readonly heads: number;
  /** N */
  readonly size: number;
  /** of a matrix, or classes */
  readonly columns: number;
}

/** Operands by name, row-major. */
export type Float64Operands = Readonly<Record<string, Float64Array>>;

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** A function of each position of a `[B, T, A]` result: row b·T + t, channel c. */
function sequence({ batch, time, heads, size }: OpSizes, value: (row: number, c: number) => number): Float64Array {
  const width = heads * size;
  return Float64Array.from({ length: batch * time * width }, (_, i) => value(Math.floor(i / width), i % width));
}

function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}

/** x Wᵀ for W `[columns, A]`, or x W for W `[A, columns]`. */
export function linear(
  { batch, time, heads, size, columns }: OpSizes,
  { x, weight }: Float64Operands,
  layout: "outIn" | "inOut",
): Float64Array[] {
  const width = heads * size;
  const at = (from: number, to: number): number => (layout === "outIn" ? to * width + from : from * columns + to);
  const y = Float64Array.from({ length: batch * time * columns }, (_, i) => {
    const row = Math.floor(i / columns);
    return sum(width, (c) => x![row * width + c]! * weight![at(c, i % columns)]!);
  });
  return [y];
}

/** (x − mean) / √(variance + ε) ⊙ weight + bias over each head. */
export function groupNorm(
  sizes: OpSizes,
  { x, weight, bias }: Float64Operands,
  groups: number,
  epsilon: number,
): Float64Array[] {
  const width = sizes.heads * sizes.size;
  const count = width / groups;
  const y = sequence(sizes, (row, c) => {
    const start = row * width + Math.floor(c / count) * count;
    const mean = sum(count, (j) => x![start + j]!) / count;
    const variance = sum(count, (j) => (x![start + j]! - mean) ** 2) / count;
    return ((x![row * width + c]! - mean) / Math.sqrt(variance + epsilon)) * weight![c]! + bias![c]!;
  });
  return [y];
}

/** x + mix ⊙ (the row before − x), for each mix. */
export function tokenShift(sizes: OpSizes, operands: Float64Operands, mixes: readonly string[]): Float64Array[] {
  const width = sizes.heads * sizes.size;
  const { x, previous } = operands;
  return mixes.map((name) =>
    sequence(sizes, (row, c) => {
      const own = x![row * width + c]!;
      const isFirst = row % sizes.time === 0;
      const before = isFirst ? previous![(row / sizes.time) * width + c]! : x![(row - 1) * width + c]!;
      return own + (before - own) * operands[name]![c]!;
    }),
  );
}

/** key = k (1 + (rate − 1) ka), alpha = −κ̂, beta = κ̂ rate, κ̂ the unit vector of a head's k ⊙ kk. */
export function prepareKeys(sizes: OpSizes, { k, kk, rate, ka }: Float64Operands): Float64Array[] {
  const width = sizes.heads * sizes.size;
  const unit = (row: number, c: number): number => {
    const start = c - (c % sizes.size);
    const length = Math.sqrt(sum(sizes.size, (j) => (k![row * width + start + j]! * kk![start + j]!) ** 2));
    return (k![row * width + c]! * kk![c]!) / Math.max(length, 1e-12);
  };
  return [
    sequence(sizes, (row, c) => k![row * width + c]! * (1 + (rate![row * width + c]! - 1) * ka![c]!)),
    sequence(sizes, (row, c) => -unit(row, c)),
    sequence(sizes, (row, c) => unit(row, c) * rate![row * width + c]!),
  ];
}

/** σ(x + bias). */
export function biasedSigmoid(sizes: OpSizes, { x, bias }: Float64Operands): Float64Array[] {
  const width = sizes.heads * sizes.size;
  return [sequence(sizes, (row, c) => sigmoid(x![row * width + c]! + bias![c]!))];
}

/** exp(−e^{−1/2} σ(x + bias)). */
export function decay(sizes: OpSizes, operands: Float64Operands): Float64Array[] {
  return [biasedSigmoid(sizes, operands)[0]!.map((s) => Math.exp(-Math.exp(-0.5) * s))];
}

/** from + (to − from) gate. */
export function interpolate(_: OpSizes, { from, to, gate }: Float64Operands): Float64Array[] {
  return [from!.map((value, i) => value + (to![i]! - value) * gate![i]!)];
}

/** (x + (Σ_j r_j k_j rk_j) v) gate, the sum over a head. */
export function bonusGate(sizes: OpSizes, { x, r, k, v, gate, rk }: Float64Operands): Float64Array[] {
  const width = sizes.heads * sizes.size;
  const y = sequence(sizes, (row, c) => {
    const start = c - (c % sizes.size);
    const bonus = sum(sizes.size, (j) => {
      const at = row * width + start + j;
      return r![at]! * k![at]! * rk![start + j]!;
    });
    const at = row * width + c;
    return (x![at]! + bonus * v![at]!) * gate![at]!;
  });
  return [y];
}

/** relu(x)². */
export function squaredRelu(_: OpSizes, { x }: Float64Operands): Float64Array[] {
  return [x!.map((value) => Math.max(value, 0) ** 2)];
}

/** The rows of the table that the tokens name. */
export function embedding(sizes: OpSizes, { weight }: Float64Operands, tokens: readonly number[]): Float64Array[] {
  const width = sizes.heads * sizes.size;
  return [sequence(sizes, (row, c) => weight![tokens[row]! * width + c]!)];
}

/** The mean over positions of −log softmax(logits)[target]. */
export function crossEntropy(
  { columns }: OpSizes,
  { logits }: Float64Operands,
  targets: readonly number[],
): Float64Array[] {
  const losses = targets.map((target, row) => {
    const own = logits!.subarray(row * columns, (row + 1) * columns);
    const largest = own.reduce((most, x) => Math.max(most, x), -Infinity);
    return Math.log(sum(columns, (c) => Math.exp(own[c]! - largest))) + largest - own[target]!;
  });
  return [Float64Array.of(sum(losses.length, (i) => losses[i]!) / losses.length)];
}

/** RWKV-7's recurrence, and its last state. */
export function wkv7(sizes: OpSizes, operands: Float64Operands): Float64Array[] {
  const { batch, time, heads, size } = sizes;
  const { r, w, k, v, a, b } = operands;
  const state = Float64Array.from(operands["state"]!);
  const y = new Float64Array(r!.length);
  for (let row = 0; row < batch; row++) {
    for (let t = 0; t < time; t++) {
      for (let h = 0; h < heads; h++) {
        const at = ((row * time + t) * heads + h) * size;
        for (let i = 0; i < size; i++) {
          const from = ((row * heads + h) * size + i) * size;
          const removed = sum(size, (j) => state[from + j]! * a![at + j]!);
          for (let j = 0; j < size; j++) {
            state[from + j] = state[from + j]! * w![at + j]! + removed * b![at + j]! + v![at + i]! * k![at + j]!;
          }
          y[at + i] = sum(size, (j) => state[from + j]! * r![at + j]!);
        }
      }
    }
  }
  return [y, state];
}
