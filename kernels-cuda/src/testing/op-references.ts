/**
 * For tests: the library's ops in float64, written as the equations stand, forward only: gradients to compare with come
 * from their central differences, which in float64 are good to about 1e-9.
 */

/** Operands by name, flat. */
export type Operands = Readonly<Record<string, Float64Array>>;

/** Sizes of a case: rows of `width` in `heads` parts; rows are `batch` times `time`; matrices to `out` columns. */
export interface OpShape {
  readonly batch: number;
  readonly time: number;
  readonly width: number;
  readonly heads: number;
  readonly out: number;
}

/** Outputs of an op from its operands. */
export type Reference = (operands: Operands, shape: OpShape) => Float64Array[];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Element by element over rows; vectors of `width` repeat. */
function map(length: number, value: (i: number) => number): Float64Array {
  return Float64Array.from({ length }, (_, i) => value(i));
}

/** For each head of each row: value(i, start of the head, channel of i). */
function overHeads(
  { batch, time, width, heads }: OpShape,
  head: (start: number, channel: number) => (j: number) => number,
): Float64Array {
  const size = width / heads;
  const result = new Float64Array(batch * time * width);
  for (let start = 0; start < result.length; start += size) {
    const value = head(start, start % width);
    for (let j = 0; j < size; j++) result[start + j] = value(j);
  }
  return result;
}

/** term(0) + … + term(count − 1). */
export function sum(count: number, term: (j: number) => number): number {
  let total = 0;
  for (let j = 0; j < count; j++) total += term(j);
  return total;
}

export const tokenShiftReference =
  (count: number): Reference =>
  (o, { time, width }) =>
    Array.from({ length: count }, (_, m) =>
      map(o["x"]!.length, (i) => {
        const row = Math.floor(i / width);
        const c = i % width;
        const before = row % time === 0 ? o["previous"]![Math.floor(row / time) * width + c]! : o["x"]![i - width]!;
        return o["x"]![i]! + o[`mix${m}`]![c]! * (before - o["x"]![i]!);
      }),
    );

export const groupNormReference =
  (epsilon: number): Reference =>
  (o, shape) => [
    overHeads(shape, (start, channel) => {
      const size = shape.width / shape.heads;
      const mean = sum(size, (j) => o["x"]![start + j]!) / size;
      const variance = sum(size, (j) => (o["x"]![start + j]! - mean) ** 2) / size;
      const inverse = 1 / Math.sqrt(variance + epsilon);
      return (j) => (o["x"]![start + j]! - mean) * inverse * o["weight"]![channel + j]! + o["bias"]![channel + j]!;
    }),
  ];

export const keyPreparationReference: Reference = (o, shape) => {
  const size = shape.width / shape.heads;
  const unit = overHeads(shape, (start, channel) => {
    const scaled = (j: number): number => o["k"]![start + j]! * o["kk"]![channel + j]!;
    const length = Math.max(Math.sqrt(sum(size, (j) => scaled(j) ** 2)), 1e-12);
    return (j) => scaled(j) / length;
  });
  return [
    map(unit.length, (i) => o["k"]![i]! * (1 + (o["rate"]![i]! - 1) * o["ka"]![i % shape.width]!)),
    unit.map((x) => -x),
    unit.map((x, i) => x * o["rate"]![i]!),
  ];
};

export const decayReference: Reference = (o, { width }) => {
  const s = map(o["x"]!.length, (i) => sigmoid(o["x"]![i]! + o["bias"]![i % width]!));
  return [s.map((x) => Math.exp(-Math.exp(-0.5) * x)), s];
};

export const biasedSigmoidReference: Reference = (o, { width }) => [
  map(o["x"]!.length, (i) => sigmoid(o["x"]![i]! + o["bias"]![i % width]!)),
];

export const interpolateReference: Reference = (o) => [
  map(o["from"]!.length, (i) => o["from"]![i]! + (o["to"]![i]! - o["from"]![i]!) * o["gate"]![i]!),
];

export const bonusGateReference: Reference = (o, shape) => [
  overHeads(shape, (start, channel) => {
    const term = (j: number): number => o["r"]![start + j]! * o["k"]![start + j]! * o["rk"]![channel + j]!;
    const bonus = sum(shape.width / shape.heads, term);
    return (j) => (o["x"]![start + j]! + bonus * o["v"]![start + j]!) * o["gate"]![start + j]!;
  }),
];

export const squaredReluReference: Reference = (o) => [o["x"]!.map((x) => Math.max(x, 0) ** 2)];

/** The targets are rows' numbers modulo the width, so that they need no operand. */
export const crossEntropyReference: Reference = (o, { width }) => {
  const rows = o["logits"]!.length / width;
  const probabilities = new Float64Array(o["logits"]!.length);
  let loss = 0;
  for (let row = 0; row < rows; row++) {
    const x = o["logits"]!.subarray(row * width, (row + 1) * width);
    const largest = Math.max(...x);
    const total = sum(width, (j) => Math.exp(x[j]! - largest));
    x.forEach((value, j) => (probabilities[row * width + j] = Math.exp(value - largest) / total));
    loss += (Math.log(total) + largest - x[row % width]!) / rows;
  }
  return [Float64Array.of(loss), probabilities];
};

/** y = x Wᵀ, W `[out, width]`. */
export const linearReference: Reference = (o, { width, out }) => [
  map((o["x"]!.length / width) * out, (i) => {
    const row = Math.floor(i / out) * width;
    const column = (i % out) * width;
    return sum(width, (p) => o["x"]![row + p]! * o["weight"]![column + p]!);
  }),
];

/**
 * The gradient of Σ outputs ⊙ adjoints in one operand, by central differences. Exact up to h² and to rounding over h: with
 * h = 1e-5 about 1e-10 of values near 1.
 */
export function differences(
  reference: Reference,
  operands: Operands,
  shape: OpShape,
  adjoints: readonly (Float64Array | undefined)[],
  name: string,
): Float64Array {
  const h = 1e-5;
  const value = (moved: Float64Array): number =>
    reference({ ...operands, [name]: moved }, shape).reduce(
      (total, output, k) => total + (adjoints[k] ? sum(output.length, (i) => output[i]! * adjoints[k]![i]!) : 0),
      0,
    );
  return operands[name]!.map((x, i, values) => {
    const moved = (by: number): number => {
      const copy = values.slice();
      copy[i] = x + by;
      return value(copy);
    };
    return (moved(h) - moved(-h)) / (2 * h);
  });
}
