import assert from "node:assert/strict";
import test from "node:test";
import type { NativeBinding } from "../addon/binding.js";
import {
  metaGradientNames,
  metaOperandNames,
  metaReferenceBackward,
  metaReferenceForward,
  metaShape,
  metaTolerance,
  randomMetaCase,
  type MetaPassCase,
  type MetaPassShape,
} from "../testing/meta-pass-reference.js";
import { configured, native, needsNative, testedInstructionSets } from "../testing/native.js";
import { randomNumbers } from "../testing/wkv7-reference.js";
import { checkpointLength, poisoned, relativeError, sizesOf } from "../testing/wkv7-runs.js";

const decays = { strong: [0.545, 0.546], none: [0.9999, 1], model: [0.545, 0.999] } as const;

const narrow = (values: Float64Array): Float32Array => Float32Array.from(values);

function inputsOf(c: MetaPassCase): Inputs {
  return Object.fromEntries(Object.entries(c).map(([name, values]) => [name, narrow(values)])) as Inputs;
}

type Inputs = Record<keyof MetaPassCase, Float32Array>;
type Kept = Record<"u" | "o" | "wkvCheckpoints" | "metaCheckpoints", Float32Array>;
type Outputs = Record<"added" | "metaAfter", Float32Array> & Kept;

const sharedOf = ({ r, w, k, v, a, b, x, q, readGain, memoryGain }: Inputs) => [
  r,
  w,
  k,
  v,
  a,
  b,
  x,
  q,
  readGain,
  memoryGain,
];

/** The call with arrays by name; what is kept is left out without an interval. */
function callForward(binding: NativeBinding, shape: MetaPassShape, inputs: Inputs, outputs: Outputs): void {
  const { added, metaAfter, u, o, wkvCheckpoints, metaCheckpoints } = outputs;
  const kept = [u, o, wkvCheckpoints, metaCheckpoints].map((values) => (shape.checkpointInterval > 0 ? values : null));
  const given = [...sharedOf(inputs), inputs.wkv, inputs.meta];
  binding.metaPass(...sizesOf(shape), shape.epsilon, ...given, added, metaAfter, ...kept);
}

/** The call with arrays by name. */
function callBackward(
  binding: NativeBinding,
  shape: MetaPassShape,
  inputs: Inputs & Kept,
  g: Record<(typeof metaGradientNames)[number], Float32Array>,
): void {
  const { u, o, wkvCheckpoints, metaCheckpoints, dAdded, dMetaAfter } = inputs;
  const given = [...sharedOf(inputs), u, o, wkvCheckpoints, metaCheckpoints, dAdded, dMetaAfter];
  const gradients = metaGradientNames.map((name) => g[name]);
  binding.metaPassGrad(...sizesOf(shape), shape.epsilon, ...given, ...gradients);
}

function run(binding: NativeBinding, shape: MetaPassShape, c: MetaPassCase) {
  const inputs = inputsOf(c);
  const checkpoints = () => poisoned(checkpointLength(shape));
  const outputs = {
    added: poisoned(c.r.length),
    metaAfter: poisoned(c.meta.length),
    u: poisoned(c.r.length),
    o: poisoned(c.r.length),
    wkvCheckpoints: checkpoints(),
    metaCheckpoints: checkpoints(),
  };
  callForward(binding, shape, inputs, outputs);
  const gradients = Object.fromEntries(
    metaGradientNames.map((name, i) => [name, poisoned(c[metaOperandNames[i]!].length)]),
  ) as Record<(typeof metaGradientNames)[number], Float32Array>;
  if (shape.checkpointInterval > 0) callBackward(binding, shape, { ...inputs, ...outputs }, gradients);
  return { outputs, gradients };
}

let worst = 0;

function compare(binding: NativeBinding, shape: MetaPassShape, c: MetaPassCase, told: string): void {
  const allowed = metaTolerance(shape);
  const { outputs, gradients } = run(binding, shape, c);
  const check = (name: string, actual: Float32Array, expected: Float64Array): void => {
    const error = relativeError(actual, expected);
    worst = Math.max(worst, error / allowed);
    assert.ok(error <= allowed, `${told} ${JSON.stringify(shape)}: ${name} is off by ${error}, allowed ${allowed}`);
  };
  const expected = metaReferenceForward(shape, c);
  for (const [name, values] of Object.entries(expected)) check(name, outputs[name as keyof typeof outputs], values);
  const expectedGradients = metaReferenceBackward(shape, c);
  for (const name of metaGradientNames) check(name, gradients[name], expectedGradients[name]);
}

test("the float64 gradients of the Meta-State pass agree with finite differences", () => {
  const shape = metaShape(2, 4, 2, 3);
  const c = randomMetaCase(shape, 1, decays.model);
  const gradients = metaReferenceBackward(shape, c);
  const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const loss = (): number => {
    const { added, metaAfter } = metaReferenceForward(shape, c);
    return dot(added, c.dAdded) + dot(metaAfter, c.dMetaAfter);
  };
  const h = 1e-6; // central: eps/h = 1e-10 and h² of a curvature that epsilon bounds
  metaOperandNames.forEach((name, which) => {
    gradients[metaGradientNames[which]!].forEach((gradient, i) => {
      const value = c[name][i]!;
      c[name][i] = value + h;
      const above = loss();
      c[name][i] = value - h;
      const below = loss();
      c[name][i] = value;
      const numeric = (above - below) / (2 * h);
      assert.ok(Math.abs(numeric - gradient) < 1e-6 * Math.max(1, Math.abs(gradient)), `d${name}[${i}]`);
    });
  });
});

for (const simd of testedInstructionSets()) {
  test(`the Meta-State pass and its gradients agree with float64: ${simd}`, (t) => {
    for (const [index, headSize] of [2, 3, 16, 21, 32, 64, 128].entries()) {
      for (const time of headSize > 32 ? [17] : [1, 33]) {
        const shape = metaShape(1 + (index % 2), time, 1 + (time % 3), headSize);
        for (const [name, range] of Object.entries(decays)) {
          configured({ simd }, (binding) =>
            compare(binding, shape, randomMetaCase(shape, 7 * time + headSize, range), name),
          );
        }
      }
    }
    const random = randomNumbers(2);
    const upTo = (most: number): number => 1 + Math.floor(random() * most);
    for (let round = 0; round < 15; ++round) {
      const shape = metaShape(upTo(3), upTo(40), upTo(4), upTo(50), upTo(20));
      configured({ simd, threads: upTo(5) }, (binding) =>
        compare(binding, shape, randomMetaCase(shape, round, decays.model), "random"),
      );
    }
    t.diagnostic(`the worst error is ${worst.toFixed(2)} of what is allowed`);
  });

  test(`the Meta-State pass of a single step without checkpoints agrees with float64: ${simd}`, () => {
    // Of one head of 192 the rows are shared between threads; of twelve of 64, heads.
    for (const [batch, heads, headSize] of [
      ...[2, 3, 4, 16, 30, 32, 64, 128].map((size) => [2, 3, size] as const),
      ...([
        [1, 12, 64],
        [1, 1, 192],
      ] as const),
    ]) {
      const shape = metaShape(batch, 1, heads, headSize, 0);
      const c = randomMetaCase(shape, headSize, decays.model);
      const expected = metaReferenceForward(shape, c);
      for (const threads of [1, 2, 5]) {
        const { outputs } = configured({ simd, threads }, (binding) => run(binding, shape, c));
        for (const name of ["added", "metaAfter"] as const) {
          const error = relativeError(outputs[name], expected[name]);
          const told = `${heads} heads of ${headSize}, ${threads} threads: ${name} is off by ${error}`;
          assert.ok(error <= metaTolerance(shape), told);
        }
      }
    }
  });
}

for (const threads of [1, 2, 5]) {
  test(`the Meta-State pass on ${threads} threads, heads whole or shared between them`, needsNative, () => {
    for (const shape of [
      metaShape(1, 64, 1, 64),
      metaShape(1, 40, 2, 128),
      metaShape(3, 50, 5, 40),
      metaShape(5, 33, 2, 32),
      metaShape(2, 37, 7, 16),
    ]) {
      configured({ threads }, (binding) =>
        compare(binding, shape, randomMetaCase(shape, threads, decays.model), `${threads} threads`),
      );
    }
  });
}

test("the Meta-State pass without checkpoints gives the same bits; so does every call", needsNative, () => {
  const c = randomMetaCase(metaShape(2, 37, 3, 32), 5, decays.model);
  configured({ threads: 3 }, (binding) => {
    const first = run(binding, metaShape(2, 37, 3, 32), c);
    assert.deepEqual(run(binding, metaShape(2, 37, 3, 32), c), first);
    const { outputs } = run(binding, metaShape(2, 37, 3, 32, 0), c);
    assert.deepEqual([outputs.added, outputs.metaAfter], [first.outputs.added, first.outputs.metaAfter]);
  });
});

test("an array of a wrong length is refused by name before anything is written", needsNative, () => {
  const shape = metaShape(1, 2, 2, 4);
  const inputs = inputsOf(randomMetaCase(shape, 1, decays.model));
  const outputs = { added: poisoned(16), metaAfter: poisoned(32) } as Outputs;
  const inference = { ...shape, checkpointInterval: 0 };
  assert.throws(
    () => callForward(native(), inference, { ...inputs, readGain: new Float32Array(4) }, outputs),
    /readGain has 4 values; the shape given wants 8/,
  );
  assert.throws(() => callForward(native(), shape, inputs, outputs), /u is missing: give a Float32Array/);
  assert.throws(
    () => callForward(native(), shape, inputs, { ...outputs, u: null } as unknown as Outputs),
    /u must be a Float32Array/,
  );
  const given = [...sharedOf(inputs), inputs.wkv, inputs.meta, outputs.added, outputs.metaAfter] as const;
  assert.throws(
    () => native().metaPass(...sizesOf(inference), 1e-5, ...given, new Float32Array(16), null, null, null),
    /u has 16 values; the shape given wants 0/,
  );
  assert.ok(outputs.added.every(Number.isNaN));
});
