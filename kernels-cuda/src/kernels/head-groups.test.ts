/** Wkv7 and the Meta-State pass take neighbouring heads through time side by side: that changes no bit of any of them. */
import assert from "node:assert/strict";
import test from "node:test";
import type { NativeBinding } from "../addon/binding.js";
import { configured, needsNative, testedInstructionSets } from "../testing/native.js";
import {
  gradientNames,
  randomCase,
  referenceBackward,
  referenceForward,
  type Wkv7Case,
  type Wkv7Shape,
} from "../testing/wkv7-reference.js";
import { nativeBackward, nativeForward, relativeError } from "../testing/wkv7-runs.js";

const decays = [0.545, 0.999] as const;

/** As in wkv7.test.ts: 4 × 2^-24 √(4 T N). */
const tolerance = ({ time, headSize }: Wkv7Shape): number => 4 * 2 ** -24 * Math.sqrt(4 * time * headSize);

function run(binding: NativeBinding, shape: Wkv7Shape, c: Wkv7Case): Record<string, Float32Array> {
  const forward = nativeForward(binding, shape, c);
  return { ...forward, ...nativeBackward(binding, shape, c, forward.checkpoints) };
}

/** What belongs to one head of values by step ([B, T, H, N]) or by head ([B, H, ...]). */
function ofHead<Values extends Float32Array | Float64Array>(
  { batch, time, heads, headSize }: Wkv7Shape,
  entry: number,
  head: number,
  values: Values,
): Values {
  if (values.length !== batch * time * heads * headSize) {
    const own = values.length / (batch * heads);
    return values.slice((entry * heads + head) * own, (entry * heads + head + 1) * own) as Values;
  }
  const picked = values.slice(0, time * headSize) as Values;
  for (let t = 0; t < time; ++t) {
    const from = ((entry * time + t) * heads + head) * headSize;
    picked.set(values.subarray(from, from + headSize), t * headSize);
  }
  return picked;
}

// Odd numbers of heads and lengths, checkpoints that meet the tiles of steps and that do not; of 64 and 128 more heads than a
// group takes. No time is the head size: lengths tell what is by step.
const shapes: Wkv7Shape[] = [
  { batch: 3, time: 37, heads: 5, headSize: 16, checkpointInterval: 16 },
  { batch: 1, time: 7, heads: 3, headSize: 16, checkpointInterval: 5 },
  { batch: 2, time: 50, heads: 7, headSize: 8, checkpointInterval: 20 },
  { batch: 1, time: 33, heads: 9, headSize: 32, checkpointInterval: 16 },
  { batch: 2, time: 21, heads: 3, headSize: 24, checkpointInterval: 7 },
  { batch: 1, time: 18, heads: 11, headSize: 64, checkpointInterval: 16 },
  { batch: 5, time: 17, heads: 1, headSize: 128, checkpointInterval: 16 },
];

for (const simd of testedInstructionSets()) {
  test(`heads side by side give the bits of each head alone: ${simd}`, () => {
    for (const shape of shapes) {
      const c = randomCase(shape, shape.time, decays);
      const together = configured({ simd, threads: 1 }, (binding) => run(binding, shape, c));
      for (let head = 0; head < shape.batch * shape.heads; ++head) {
        const place = [Math.floor(head / shape.heads), head % shape.heads] as const;
        const own = Object.fromEntries(
          Object.entries(c).map(([name, values]) => [name, ofHead(shape, ...place, values)]),
        ) as Wkv7Case;
        const alone = configured({ simd, threads: 1 }, (binding) =>
          run(binding, { ...shape, batch: 1, heads: 1 }, own),
        );
        for (const [name, values] of Object.entries(together)) {
          const told = `${name} of head ${place.join(", ")} of ${JSON.stringify(shape)}`;
          assert.deepEqual(ofHead(shape, ...place, values), alone[name], told);
        }
      }
    }
  });
}

test("whole heads give the same bits for any number of threads", needsNative, () => {
  // Fifteen heads leave 1 to 4 threads hardly a rest, so that no head's rows are shared; enough work to wake the threads.
  for (const headSize of [16, 32]) {
    const shape = { batch: 3, time: 70, heads: 5, headSize, checkpointInterval: 16 };
    const c = randomCase(shape, headSize, decays);
    const first = configured({ threads: 1 }, (binding) => run(binding, shape, c));
    for (const threads of [2, 3, 4]) {
      assert.deepEqual(
        configured({ threads }, (binding) => run(binding, shape, c)),
        first,
        `${threads} threads`,
      );
    }
  }
});

test("a share of a head that is one slab of rows agrees with float64", needsNative, () => {
  // One head: its rows go to threads by eights, or sixteens where there are more of them.
  for (const [headSize, time] of [
    [16, 121],
    [32, 45],
    [64, 35],
  ] as const) {
    const shape = { batch: 1, time, heads: 1, headSize, checkpointInterval: 16 };
    const c = randomCase(shape, headSize, decays);
    const expected: Record<string, Float64Array> = { ...referenceForward(shape, c), ...referenceBackward(shape, c) };
    for (const threads of [1, 2, 3, 4, 8]) {
      const actual = configured({ threads }, (binding) => run(binding, shape, c));
      for (const name of ["y", "finalState", "checkpoints", ...gradientNames]) {
        const error = relativeError(actual[name]!, expected[name]!);
        const told = `${name} of ${JSON.stringify(shape)}, ${threads} threads: off by ${error}`;
        assert.ok(error <= tolerance(shape), told);
      }
    }
  }
});
