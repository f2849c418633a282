import assert from "node:assert/strict";
import test from "node:test";
import type { NativeBinding } from "../addon/binding.js";
import { configured, native, needsNative, testedInstructionSets } from "../testing/native.js";
import {
  gradientNames,
  randomCase,
  randomNumbers,
  referenceBackward,
  referenceForward,
  stepNames,
  type Wkv7Case,
  type Wkv7Shape,
} from "../testing/wkv7-reference.js";
import { nativeBackward, nativeForward, relativeError } from "../testing/wkv7-runs.js";

/** Lowest decay of RWKV-7, exp(-exp(-1/2)) = 0.545; nearly none; and the range of a model. */
const decays = { strong: [0.545, 0.546], none: [0.9999, 1], model: [0.545, 0.999] } as const;

/**
 * The largest error allowed, against the largest value of the reference. Each step rounds every element about four
 * times, and sums over N elements add sqrt(N) roundings' worth; with decays near 1 the errors of all T steps remain.
 * Roundings of 2^-24 at random add as the square root of their number: 2^-24 sqrt(4 T N). Four times
 * that, for the worst of thousands of elements and for terms that cancel; the worst error measured over these shapes and
 * decays is 0.3 of what is allowed.
 */
function tolerance({ time, headSize }: Wkv7Shape): number {
  return 4 * 2 ** -24 * Math.sqrt(4 * time * headSize);
}

function compare(binding: NativeBinding, shape: Wkv7Shape, c: Wkv7Case, told: string): void {
  const allowed = tolerance(shape);
  const check = (name: string, actual: Float32Array, expected: Float64Array) => {
    const error = relativeError(actual, expected);
    assert.ok(error <= allowed, `${told} ${JSON.stringify(shape)}: ${name} is off by ${error}, allowed ${allowed}`);
  };
  const expected = referenceForward(shape, c);
  const actual = nativeForward(binding, shape, c);
  check("y", actual.y, expected.y);
  check("finalState", actual.finalState, expected.finalState);
  check("checkpoints", actual.checkpoints, expected.checkpoints);
  const expectedGradients = referenceBackward(shape, c);
  const gradients = nativeBackward(binding, shape, c, actual.checkpoints);
  for (const name of gradientNames) check(name, gradients[name], expectedGradients[name]);
}

const lengths = [1, 15, 16, 17, 33];
const headSizes = [1, 3, 16, 32, 64, 128];
const shape = (batch: number, time: number, heads: number, headSize: number, checkpointInterval = 16): Wkv7Shape => ({
  batch,
  time,
  heads,
  headSize,
  checkpointInterval,
});

test("the float64 gradients agree with finite differences", () => {
  const s = shape(2, 5, 2, 3);
  const c = randomCase(s, 1, decays.model);
  const gradients = referenceBackward(s, c);
  const loss = () => {
    const { y, finalState } = referenceForward(s, c);
    return (
      y.reduce((sum, value, i) => sum + value * c.dy[i]!, 0) +
      finalState.reduce((sum, value, i) => sum + value * c.dFinalState[i]!, 0)
    );
  };
  const h = 1e-5; // central: error of order h^2 = 1e-10 and eps/h = 1e-11, times values of order 10
  for (const name of [...stepNames, "state"] as const) {
    const gradient = gradients[name === "state" ? "dState" : (`d${name}` as const)];
    for (let i = 0; i < gradient.length; ++i) {
      const value = c[name][i]!;
      c[name][i] = value + h;
      const above = loss();
      c[name][i] = value - h;
      const below = loss();
      c[name][i] = value;
      assert.ok(Math.abs((above - below) / (2 * h) - gradient[i]!) < 1e-7, `d${name}[${i}]`);
    }
  }
});

for (const simd of needsNative.skip ? [] : native().info().simdCompiled) {
  const tested = testedInstructionSets().includes(simd);
  test(
    `every length and head size agrees with the float64 reference: ${simd}`,
    {
      skip: tested ? false : `this CPU cannot run ${simd}, or METASTATE_TEST_SIMD leaves it out`,
    },
    () => {
      for (const [index, headSize] of headSizes.entries()) {
        for (const time of lengths) {
          const s = shape(1 + (index % 2), time, 1 + (time % 3), headSize);
          for (const [name, range] of Object.entries(decays)) {
            configured({ simd }, (binding) => compare(binding, s, randomCase(s, 7 * time + headSize, range), name));
          }
        }
      }
    },
  );

  test(
    `random shapes agree with the float64 reference: ${simd}`,
    {
      skip: tested ? false : `this CPU cannot run ${simd}, or METASTATE_TEST_SIMD leaves it out`,
    },
    () => {
      const random = randomNumbers(2);
      const upTo = (most: number) => 1 + Math.floor(random() * most);
      for (let round = 0; round < 60; ++round) {
        const s = shape(upTo(3), upTo(40), upTo(4), upTo(70), upTo(20));
        configured({ simd, threads: upTo(5) }, (binding) =>
          compare(binding, s, randomCase(s, round, decays.model), "random"),
        );
      }
    },
  );

  test(
    `a single step without checkpoints agrees with the float64 reference: ${simd}`,
    {
      skip: tested ? false : `this CPU cannot run ${simd}, or METASTATE_TEST_SIMD leaves it out`,
    },
    () => {
      // On several threads too: 12 heads of 64 are shared out, and the rows of one of 192.
      for (const [batch, heads, headSize] of [
        ...[1, 3, 4, 16, 30, 32, 64, 128].map((size) => [2, 3, size] as const),
        ...([
          [1, 12, 64],
          [1, 1, 192],
        ] as const),
      ]) {
        const s = shape(batch, 1, heads, headSize, 0);
        const c = randomCase(s, headSize, decays.model);
        const expected = referenceForward(s, c);
        for (const threads of [1, 2, 5]) {
          const actual = configured({ simd, threads }, (binding) => nativeForward(binding, s, c));
          for (const name of ["y", "finalState"] as const) {
            const error = relativeError(actual[name], expected[name]);
            assert.ok(error <= tolerance(s), `${heads} heads of ${headSize}, ${threads} threads: ${name} by ${error}`);
          }
        }
      }
    },
  );
}

test("a thousand steps agree with the float64 reference", needsNative, () => {
  const s = shape(1, 1000, 1, 32);
  for (const [name, range] of Object.entries(decays)) compare(native(), s, randomCase(s, 3, range), name);
});

for (const threads of [1, 2, 5]) {
  test(`${threads} threads give what the reference gives, rows of one head shared between them`, needsNative, () => {
    // Enough work to wake the threads; 1, 2 and 3 heads leave 5 threads to share rows.
    for (const s of [shape(1, 64, 1, 64), shape(1, 40, 2, 128), shape(3, 50, 1, 40), shape(2, 33, 5, 32)]) {
      configured({ threads }, (binding) =>
        compare(binding, s, randomCase(s, threads, decays.model), `${threads} threads`),
      );
    }
  });
}

test("the same call gives the same bits every time", needsNative, () => {
  const s = shape(1, 100, 3, 64);
  const c = randomCase(s, 4, decays.model);
  configured({ threads: 5 }, (binding) => {
    const forward = nativeForward(binding, s, c);
    const backward = nativeBackward(binding, s, c, forward.checkpoints);
    for (let round = 0; round < 20; ++round) {
      assert.deepEqual(nativeForward(binding, s, c), forward);
      assert.deepEqual(nativeBackward(binding, s, c, forward.checkpoints), backward);
    }
  });
});

test("inference without checkpoints gives the same y and state, and goes on from a state", needsNative, () => {
  const whole = shape(2, 37, 2, 32, 0);
  const c = randomCase(whole, 5, decays.model);
  const all = nativeForward(native(), whole, c);
  assert.deepEqual(all.y, nativeForward(native(), shape(2, 37, 2, 32, 16), c).y);
  assert.equal(all.checkpoints.length, 0);

  const single = shape(2, 1, 2, 32, 0);
  const length = 2 * 2 * 32;
  let state = c.state;
  for (let t = 0; t < 37; ++t) {
    const ofStep = (values: Float64Array) => {
      const picked = new Float64Array(length);
      for (let batch = 0; batch < 2; ++batch) {
        picked.set(values.subarray((batch * 37 + t) * 64, (batch * 37 + t + 1) * 64), batch * 64);
      }
      return picked;
    };
    const step = Object.fromEntries(stepNames.map((name) => [name, ofStep(c[name])])) as Wkv7Case;
    const after = nativeForward(native(), single, { ...c, ...step, state });
    assert.ok(relativeError(after.y, ofStep(Float64Array.from(all.y))) <= tolerance(whole), `step ${t}`);
    state = Float64Array.from(after.finalState);
  }
  assert.ok(relativeError(state, all.finalState) <= tolerance(whole));
});

test("threads that share a head's rows beyond 2^16 floats of partial sums add them all", needsNative, () => {
  const s = shape(1, 600, 1, 64);
  configured({ threads: 4 }, (binding) => compare(binding, s, randomCase(s, 6, decays.model), "long"));
});
