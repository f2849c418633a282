/** Attention over several blocks of queries, with a cache and padding, against float64. */
import assert from "node:assert/strict";
import test from "node:test";
import { native, needsNative, testedInstructionSets } from "../testing/native.js";
import { randomNumbers } from "../testing/wkv7-reference.js";
import { poisoned, relativeError } from "../testing/wkv7-runs.js";

interface Sizes {
  readonly batch: number;
  readonly time: number;
  readonly keys: number;
  readonly heads: number;
  readonly size: number;
}

type Operands = Record<"q" | "k" | "v" | "dy", Float64Array>;

/** y and the gradients of Σ y dy, as the equations stand. */
function reference({ batch, time, keys, heads, size }: Sizes, o: Operands, starts: Int32Array) {
  const y = new Float64Array(o.q.length);
  const [dq, dk, dv] = [o.q, o.k, o.v].map(({ length }) => new Float64Array(length)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const dot = (x: Float64Array, at: number, by: Float64Array, there: number): number => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += x[at + i]! * by[there + i]!;
    return sum;
  };
  const scale = 1 / Math.sqrt(size);
  for (let row = 0; row < batch * time * heads; row++) {
    const [h, t, b] = [row % heads, Math.floor(row / heads) % time, Math.floor(row / (heads * time))];
    const [first, last] = [starts[b]!, keys - time + t];
    const key = (j: number): number => ((b * keys + j) * heads + h) * size;
    const query = row * size;
    const scores = Array.from({ length: last - first + 1 }, (_, i) => dot(o.q, query, o.k, key(first + i)) * scale);
    const largest = Math.max(...scores);
    const total = scores.reduce((sum, s) => sum + Math.exp(s - largest), 0);
    const weights = scores.map((s) => Math.exp(s - largest) / total);
    const dweights = weights.map((_, i) => dot(o.dy, query, o.v, key(first + i)));
    const inner = weights.reduce((sum, w, i) => sum + w * dweights[i]!, 0);
    weights.forEach((weight, n) => {
      const at = key(first + n);
      const dscore = weight * (dweights[n]! - inner) * scale;
      for (let i = 0; i < size; i++) {
        y[query + i]! += weight * o.v[at + i]!;
        dv[at + i]! += weight * o.dy[query + i]!;
        dq[query + i]! += dscore * o.k[at + i]!;
        dk[at + i]! += dscore * o.q[query + i]!;
      }
    });
  }
  return { y, dq, dk, dv };
}

const cases: readonly (readonly [name: string, sizes: Sizes, starts: readonly number[]])[] = [
  ["three blocks of queries", { batch: 1, time: 150, keys: 150, heads: 2, size: 16 }, [0]],
  ["a cache and padding", { batch: 3, time: 70, keys: 103, heads: 1, size: 32 }, [0, 33, 7]],
  ["one token with a long cache", { batch: 2, time: 1, keys: 300, heads: 3, size: 64 }, [0, 240]],
  ["fewer keys that one product takes at once, then more", { batch: 1, time: 328, keys: 328, heads: 1, size: 64 }, [0]],
  ["one channel a head", { batch: 1, time: 66, keys: 66, heads: 1, size: 1 }, [0]],
];

for (const [name, sizes, starts] of cases) {
  test(`attention and its gradient agree with float64: ${name}`, needsNative, () => {
    const { batch, time, keys, heads, size } = sizes;
    const random = randomNumbers(5);
    const values = (length: number): Float64Array => Float64Array.from({ length }, () => Math.fround(2 * random() - 1));
    const queries = batch * time * heads * size;
    const cached = batch * keys * heads * size;
    const o = { q: values(queries), k: values(cached), v: values(cached), dy: values(queries) };
    const list = Int32Array.from(starts);
    const expected = reference(sizes, o, list);
    const [q, k, v, dy] = [o.q, o.k, o.v, o.dy].map((x) => Float32Array.from(x)) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const binding = native();
    const { simd, threads } = binding.info();
    try {
      for (const path of testedInstructionSets()) {
        for (const count of [1, 3]) {
          binding.configure({ simd: path, threads: count });
          const [y, logSums] = [poisoned(queries), poisoned(queries / size)];
          const all = [batch, time, keys, heads, size, q, k, v, list, y, logSums] as const;
          binding.attention(...all);
          const [dq, dk, dv] = [poisoned(queries), poisoned(cached), poisoned(cached)];
          binding.attentionGrad(...all, dy, dq, dk, dv);
          // Roundings of 2^-24 along sums over keys and channels, at random; eight times for the worst and what cancels.
          const allowed = 8 * 2 ** -24 * Math.sqrt(12 + keys + size);
          for (const [output, actual] of Object.entries({ y, dq, dk, dv })) {
            const error = relativeError(actual, expected[output as "y"]);
            assert.ok(error <= allowed, `${output}, ${path}, ${count} threads: off by ${error}, allowed ${allowed}`);
          }
        }
      }
    } finally {
      binding.configure({ simd, threads });
    }
  });
}

test("a row's start that is no key is refused", needsNative, () => {
  const one = new Float32Array(4);
  const cache = new Float32Array(8);
  const call = (start: number) => (): void =>
    native().attention(
      1,
      1,
      2,
      1,
      4,
      one,
      cache,
      cache,
      Int32Array.of(start),
      new Float32Array(4),
      new Float32Array(1),
    );
  assert.throws(call(2), /starts must be from 0 to 1, not 2/);
  assert.throws(call(-1), /starts must be from 0 to 1, not -1/);
});
