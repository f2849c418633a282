/** Every native op of the library against its float64 reference over random shapes, in one table. */
import assert from "node:assert/strict";
import test from "node:test";
import { native, needsNative } from "../testing/native.js";
import { baselineCases } from "../testing/baseline-cases.js";
import { opCases, type OpCase } from "../testing/op-cases.js";
import { differences, type OpShape } from "../testing/op-references.js";
import { randomNumbers } from "../testing/wkv7-reference.js";
import { poisoned, relativeError } from "../testing/wkv7-runs.js";

/** Odd lengths, one row, one head, one channel in a head's last vector; the last has several runs of rows. */
const shapes: readonly OpShape[] = [
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
function tolerance({ batch, time, width, out }: OpShape): number {
  return 4 * 2 ** -24 * Math.sqrt(12 + Math.max(batch * time, width, out));
}

const narrow = (values: Float64Array): Float32Array => Float32Array.from(values);

/** A case with what float64 says of it; `errors` runs it on the addon as that is set. */
function prepared(c: OpCase, shape: OpShape, seed: number): { errors: () => Map<string, number> } {
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
  return {
    errors() {
      const outputs = expected.map(({ length }) => poisoned(length));
      c.forward(native(), shape, given, outputs);
      const found = new Map(expected.map((y, i) => [`y${i}`, relativeError(outputs[i]!, y)]));
      const actual = Object.fromEntries(Object.entries(given).map(([name, x]) => [name, poisoned(x.length)]));
      c.backward?.(native(), shape, given, dys, actual, outputs);
      for (const [name, gradient] of gradients) found.set(`d${name}`, relativeError(actual[name]!, gradient));
      return found;
    },
  };
}

test("every op and every gradient agrees with float64, with every instruction set", needsNative, (t) => {
  const binding = native();
  const { simd, simdAvailable } = binding.info();
  const lines: string[] = [];
  try {
    for (const c of [...opCases, ...baselineCases]) {
      const worst = new Map<string, number>();
      shapes.forEach((shape, seed) => {
        if (c.fits?.(shape) === false) return;
        const run = prepared(c, shape, seed + 1);
        const allowed = tolerance(shape);
        for (const path of simdAvailable) {
          binding.configure({ simd: path });
          for (const [name, error] of run.errors()) {
            assert.ok(
              error <= allowed,
              `${c.name} ${name} ${JSON.stringify(shape)} ${path}: ${error}, allowed ${allowed}`,
            );
            worst.set(name, Math.max(worst.get(name) ?? 0, error / allowed));
          }
        }
      });
      const told = [...worst].map(([name, share]) => `${name} ${share.toFixed(2)}`).join("  ");
      lines.push(`${c.name.padEnd(16)} ${told}`);
    }
  } finally {
    binding.configure({ simd });
  }
  t.diagnostic(`largest relative errors, as shares of what is allowed:\n${lines.join("\n")}`);
});

test("sums over many rows are the same bits on one thread and on five", needsNative, () => {
  const binding = native();
  const { threads } = binding.info();
  const shape = { batch: 8, time: 256, width: 96, heads: 3, out: 40 };
  const random = randomNumbers(3);
  const x = Float32Array.from({ length: 8 * 256 * 96 }, () => random() - 0.5);
  const vector = x.subarray(0, 96);
  const run = (count: number): Float32Array[] => {
    binding.configure({ threads: count });
    const outputs = [poisoned(x.length), poisoned(96), poisoned(96)];
    binding.groupNormGrad(8 * 256, shape.width, shape.heads, 1e-3, x, vector, x, outputs[0]!, outputs[1]!, outputs[2]!);
    return outputs;
  };
  try {
    assert.deepEqual(run(1), run(5));
  } finally {
    binding.configure({ threads });
  }
});
