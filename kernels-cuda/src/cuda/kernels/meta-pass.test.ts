import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { cuda, needsCuda, useCuda } from "../../testing/cuda.js";
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
} from "../../testing/meta-pass-reference.js";
import { cudaMetaBackward, cudaMetaForward, metaOutputNames } from "../../testing/recurrence-runs.js";
import { relativeError } from "../../testing/wkv7-runs.js";
import { hostFallbacks } from "../host-fallback.js";

const decays = { strong: [0.54, 0.541], none: [0.9999, 1], model: [0.545, 0.999] } as const;

/** The largest errors seen, by head size, way and decays: as part of what is allowed, and as they are. */
const worst = new Map<string, { part: number; error: number }>();

function check(shape: MetaPassShape, row: string, name: string, actual: Float32Array, expected: Float64Array): void {
  const allowed = metaTolerance(shape);
  const error = relativeError(actual, expected);
  const before = worst.get(row);
  if (!before || error > before.error) worst.set(row, { part: error / allowed, error });
  assert.ok(error <= allowed, `${row} ${JSON.stringify(shape)}: ${name} is off by ${error}, allowed ${allowed}`);
}

function compare(shape: MetaPassShape, c: MetaPassCase, told: string): void {
  const expected = metaReferenceForward(shape, c);
  const actual = cudaMetaForward(cuda(), shape, c);
  for (const name of metaOutputNames)
    check(shape, `N ${shape.headSize} forward ${told}`, name, actual[name], expected[name]);
  const expectedGradients = metaReferenceBackward(shape, c);
  const gradients = cudaMetaBackward(cuda(), shape, c, actual);
  for (const name of metaGradientNames) {
    check(shape, `N ${shape.headSize} backward ${told}`, name, gradients[name], expectedGradients[name]);
  }
}

/** Lengths about the tiles of 8 and 16 steps, one step, and three chunks; fewer of the large heads. */
const lengthsOf = (headSize: number): number[] => (headSize < 64 ? [1, 8, 17, 35] : headSize === 64 ? [1, 18] : [18]);

for (const headSize of [16, 32, 64, 128]) {
  test(`head size ${headSize}: the Meta-State pass and its gradients agree with float64`, needsCuda, () => {
    for (const time of lengthsOf(headSize)) {
      for (const [told, range] of Object.entries(decays)) {
        if (headSize === 128 && told !== "model") continue; // it takes the emulator longest
        const shape = metaShape(time === 8 ? 2 : 1, time, headSize < 64 && time !== 17 ? 2 : 1, headSize);
        compare(shape, randomMetaCase(shape, 7 * time + headSize, range), told);
      }
    }
  });
}

test(
  "intervals other than 16, and more steps between checkpoints than a sweep takes, in the Meta-State pass",
  needsCuda,
  () => {
    for (const [time, interval] of [
      [11, 4],
      [40, 37],
      [9, 30],
    ] as const) {
      const shape = metaShape(2, time, 1, 16, interval);
      compare(shape, randomMetaCase(shape, interval, decays.model), "model");
    }
  },
);

test("checkpoints of the Meta-State pass further apart than any sequence is long are one", needsCuda, () => {
  const near = metaShape(1, 5, 1, 16, 5);
  const far = { ...near, checkpointInterval: 2 ** 31 - 1 };
  const c = randomMetaCase(near, 4, decays.model);
  const [expected, actual] = [near, far].map((shape) => {
    const forward = cudaMetaForward(cuda(), shape, c);
    return { ...forward, ...cudaMetaBackward(cuda(), shape, c, forward) };
  });
  assert.deepEqual(actual, expected);
});

test("the gradients of the Meta-State pass are those of finite differences in float64", needsCuda, () => {
  const shape = metaShape(1, 3, 1, 16);
  const c = randomMetaCase(shape, 1, decays.model);
  const gradients = cudaMetaBackward(cuda(), shape, c, cudaMetaForward(cuda(), shape, c));
  const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const loss = (): number => {
    const { added, metaAfter } = metaReferenceForward(shape, c);
    return dot(added, c.dAdded) + dot(metaAfter, c.dMetaAfter);
  };
  const h = 1e-6; // central: eps/h = 1e-10 and h² of a curvature that epsilon bounds
  metaOperandNames.forEach((name, which) => {
    const expected = c[name].map((value, i) => {
      c[name][i] = value + h;
      const above = loss();
      c[name][i] = value - h;
      const below = loss();
      c[name][i] = value;
      return (above - below) / (2 * h);
    });
    const error = relativeError(gradients[metaGradientNames[which]!], expected);
    assert.ok(error <= metaTolerance(shape) + 1e-7, `the gradient of ${name} is off by ${error}`);
  });
});

test("without an interval the Meta-State pass keeps nothing, and gives the same bits", needsCuda, () => {
  const c = randomMetaCase(metaShape(2, 19, 2, 32), 5, decays.model);
  const kept = cudaMetaForward(cuda(), metaShape(2, 19, 2, 32), c);
  const { added, metaAfter, u } = cudaMetaForward(cuda(), metaShape(2, 19, 2, 32, 0), c);
  assert.deepEqual([added, metaAfter, u.length], [kept.added, kept.metaAfter, 0]);
});

test("no barrier of the Meta-State pass is missing: threads in another order give the same bits", needsCuda, (t) => {
  const addon = cuda();
  if (!addon.setOrder) return t.skip("only the emulator can change the order of threads");
  const shape = metaShape(1, 19, 2, 32);
  const c = randomMetaCase(shape, 5, decays.model);
  const run = () => {
    const forward = cudaMetaForward(addon, shape, c);
    return [forward, cudaMetaBackward(addon, shape, c, forward)];
  };
  const expected = run();
  try {
    for (const order of ["reverse", "shuffled", "forward"] as const) {
      addon.setOrder(order);
      assert.deepEqual(run(), expected, order);
    }
  } finally {
    addon.setOrder("forward");
  }
});

test(
  "heads of a size without a kernel of its own take the Meta-State pass on the GPU too, both ways",
  needsCuda,
  async () => {
    await useCuda();
    // As many heads as the padded size has channels: what ends with a matrix must not be told by its lengths.
    for (const [batch, heads, headSize] of [
      [2, 1, 4],
      [1, 16, 5],
      [1, 2, 24],
      [1, 1, 33],
    ] as const) {
      const shape = metaShape(batch, 18, heads, headSize);
      const c = randomMetaCase(shape, headSize, decays.model);
      const shapes = {
        ...{ wkv: [batch, heads, headSize, headSize], meta: [batch, heads, headSize, headSize] },
        ...{ dMetaAfter: [batch, heads, headSize, headSize] },
        ...{ readGain: [heads * headSize], memoryGain: [heads * headSize] },
      } as Partial<Record<string, number[]>>;
      const tensors = Object.fromEntries(
        Object.entries(c).map(([name, values]) => [
          name,
          tf.tensor(Float32Array.from(values), shapes[name] ?? [batch, 18, heads, headSize]),
        ]),
      ) as Record<keyof MetaPassCase, tf.Tensor>;
      const { dAdded, dMetaAfter, ...inputs } = tensors;
      const attributes = { checkpointInterval: 16, epsilon: shape.epsilon };
      hostFallbacks.clear();
      const { numTensors } = tf.memory();
      const run = (name: string, given: tf.NamedTensorMap): tf.Tensor[] =>
        tf.engine().runKernel<tf.Tensor[]>(name, given, attributes);
      const outputs = run("MetaPass", inputs);
      const [, , u, o, wkvCheckpoints, metaCheckpoints] = outputs;
      const { wkv: _, meta: __, ...steps } = inputs;
      const kept = { u: u!, o: o!, wkvCheckpoints: wkvCheckpoints!, metaCheckpoints: metaCheckpoints! };
      const gradients = run("MetaPassGrad", { ...steps, ...kept, dAdded, dMetaAfter });
      const expected = metaReferenceForward(shape, c);
      const row = `N ${headSize} padded`;
      for (const [i, name] of metaOutputNames.entries()) {
        check(shape, `${row} forward`, name, outputs[i]!.dataSync<"float32">(), expected[name]);
      }
      const expectedGradients = metaReferenceBackward(shape, c);
      for (const [i, name] of metaGradientNames.entries()) {
        check(shape, `${row} backward`, name, gradients[i]!.dataSync<"float32">(), expectedGradients[name]);
        assert.deepEqual(gradients[i]!.shape, inputs[metaOperandNames[i]!].shape, name);
      }
      assert.deepEqual([...hostFallbacks], [], "kernels that ran on the CPU");
      tf.dispose([outputs, gradients]);
      assert.equal(tf.memory().numTensors, numTensors);
      tf.dispose(Object.values(tensors));
    }
  },
);

test("a gain of a wrong size, and more channels than a head has, are refused by name", needsCuda, () => {
  const shape = metaShape(1, 2, 2, 16);
  const c = { ...randomMetaCase(shape, 1, decays.model), readGain: new Float64Array(16) };
  assert.throws(
    () => cudaMetaForward(cuda(), shape, c),
    /readGain has 64 bytes on the GPU; the shape given wants 32 values/,
  );
  const given = { ...randomMetaCase(shape, 1, decays.model) };
  assert.throws(() => cudaMetaForward(cuda(), shape, given, 17), /channels must be at most headSize, 16, not 17/);
});

test("table of the largest errors of the Meta-State pass", needsCuda, (t) => {
  const table = [...worst].map(([row, { part, error }]) => `${row}: ${error.toExponential(1)} (${part.toFixed(2)})`);
  t.diagnostic(`largest error against the largest value, and its part of what is allowed:\n${table.join("\n")}`);
  assert.ok(
    Math.max(...[...worst.values()].map(({ part }) => part)) < 0.5,
    "twice the measured errors and more are allowed",
  );
});
