/** For tests: runs ops of an addon on random operands and compares with float64, outputs and gradients. */
import type { OpCase } from "./op-cases.js";
import { differences, type OpShape } from "./op-references.js";
import { randomNumbers } from "./wkv7-reference.js";
import { poisoned, relativeError } from "./wkv7-runs.js";

/** Odd lengths, one row, one head, one channel in a head's last vector; the last has several runs of rows. */
export const opShapes: readonly OpShape[] = [
  { batch: 1, time: 1, width: 4, heads: 1, out: 1 },
  { batch: 1, time: 7, width: 12, heads: 3, out: 5 },
  { batch: 2, time: 5, width: 17, heads: 1, out: 33 },
  { batch: 3, time: 3, width: 34, heads: 2, out: 7 },
  { batch: 2, time: 3, width: 64, heads: 2, out: 16 },
];

/**
 * Roundings of 2^-24 along the longest sum of an op, the rows for gradients of vectors and the width for the others, and a
 * dozen operations besides. Errors at random add as the square root of their number; four times that for the worst of
 * some hundred elements and for terms that cancel.
 */
export function opTolerance({ batch, time, width, out }: OpShape): number {
  return 4 * 2 ** -24 * Math.sqrt(12 + Math.max(batch * time, width, out));
}

const narrow = (values: Float64Array): Float32Array => Float32Array.from(values);

/**
 * A case with what float64 says of it.
 *
 * @returns what runs it on an addon: the largest relative error of each output (`y0`, …) and gradient (`d` and the operand)
 */
export function preparedOp<Binding>(
  c: OpCase<Binding>,
  shape: OpShape,
  seed: number,
): (binding: Binding) => Map<string, number> {
  const random = randomNumbers(seed);
  const values = (length: number, [low, high]: readonly [number, number] = [-1, 1]): Float64Array =>
    Float64Array.from({ length }, () => Math.fround(low + (high - low) * random()));
  const operands = Object.fromEntries(
    Object.entries(c.operands).map(([name, { length, range }]) => [name, values(length(shape), range)]),
  );
  const given = Object.fromEntries(Object.entries(operands).map(([name, x]) => [name, narrow(x)]));
  const expected = c.reference(operands, shape);
  const adjoints = expected.map((y, i) => (!c.adjoints || c.adjoints.includes(i) ? values(y.length) : undefined));
  const dys = adjoints.filter((dy) => dy !== undefined).map(narrow);
  const gradients = (c.differentiated ?? Object.keys(operands)).map(
    (name) => [name, differences(c.reference, operands, shape, adjoints, name)] as const,
  );
  return (binding) => {
    const outputs = expected.map(({ length }) => poisoned(length));
    c.forward(binding, shape, given, outputs);
    const found = new Map(expected.map((y, i) => [`y${i}`, relativeError(outputs[i]!, y)]));
    const actual = Object.fromEntries(Object.entries(given).map(([name, x]) => [name, poisoned(x.length)]));
    c.backward?.(binding, shape, given, dys, actual, outputs);
    for (const [name, gradient] of gradients) found.set(`d${name}`, relativeError(actual[name]!, gradient));
    return found;
  };
}
