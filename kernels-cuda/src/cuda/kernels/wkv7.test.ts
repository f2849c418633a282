import assert from "node:assert/strict";
import test from "node:test";
import * as tf from "@tensorflow/tfjs-core";
import { cuda, needsCuda, useCuda } from "../../testing/cuda.js";
import { hostFallbacks } from "../host-fallback.js";
import { cudaBackward, cudaForward } from "../../testing/recurrence-runs.js";
import {
  gradientNames,
  randomCase,
  referenceBackward,
  referenceForward,
  stepNames,
  type Wkv7Case,
  type Wkv7Shape,
} from "../../testing/wkv7-reference.js";
import { relativeError } from "../../testing/wkv7-runs.js";

/** Lowest decay of RWKV-7 over whole chunks; nearly none; below what RWKV-7 can have; and the range of a model. */
const decays = {
  strong: [0.54, 0.541],
  none: [0.9999, 1],
  stronger: [0.05, 0.06],
  model: [0.545, 0.999],
} as const;

/**
 * As of the native kernels: roundings of 2^-24 at random add as the square root of their number, 2^-24 sqrt(4 T N), and four
 * times that for the worst of thousands of elements. The chunked form takes dw from sums that it divides by w
 * (`cuda/wkv7/chunked_backward.cuh`): its gradients may be off by 1/w times that. What is measured over these shapes and decays
 * is in the table of the last test: a tenth of what is allowed and less, but for single steps, where y may cancel (0.30).
 */
function tolerance({ time, headSize }: Wkv7Shape, lowestDivisor = 1): number {
  return (4 * 2 ** -24 * Math.sqrt(4 * time * headSize)) / lowestDivisor;
}

const shapeOf = (batch: number, time: number, heads: number, headSize: number, checkpointInterval = 16): Wkv7Shape => ({
  batch,
  time,
  heads,
  headSize,
  checkpointInterval,
});

/** The largest errors seen: by head size, form or gradient, and decays; as part of what is allowed, and as they are. */
const worst = new Map<string, { part: number; error: number }>();

function check(
  shape: Wkv7Shape,
  row: string,
  name: string,
  actual: Float32Array,
  expected: Float64Array,
  allowed = tolerance(shape),
): void {
  const error = relativeError(actual, expected);
  const before = worst.get(row);
  if (!before || error > before.error) worst.set(row, { part: error / allowed, error });
  assert.ok(error <= allowed, `${row} ${JSON.stringify(shape)}: ${name} is off by ${error}, allowed ${allowed}`);
}

type Form = "recurrent" | "chunked";

function compareForward(shape: Wkv7Shape, c: Wkv7Case, form: Form, told: string): Float32Array {
  const expected = referenceForward(shape, c);
  const actual = cudaForward(cuda(), shape, c, form);
  const row = `N ${shape.headSize} ${form} forward ${told}`;
  check(shape, row, "y", actual.y, expected.y);
  check(shape, row, "finalState", actual.finalState, expected.finalState);
  check(shape, row, "checkpoints", actual.checkpoints, expected.checkpoints);
  return actual.checkpoints;
}

function compareBackward(shape: Wkv7Shape, c: Wkv7Case, checkpoints: Float32Array, form: Form, told: string): void {
  const expected = referenceBackward(shape, c);
  const actual = cudaBackward(cuda(), shape, c, checkpoints, form);
  const allowed = tolerance(shape, form === "chunked" ? Math.min(...c.w) : 1);
  const row = `N ${shape.headSize} ${form} backward ${told}`;
  for (const name of gradientNames) check(shape, row, name, actual[name], expected[name], allowed);
}

/** Lengths about the chunk of 16 and the tile of 8, one step, and more than two chunks; fewer of the large heads. */
const lengthsOf = (headSize: number): number[] =>
  headSize < 64 ? [1, 7, 16, 17, 40] : headSize === 64 ? [1, 15, 33] : [1, 18];

for (const headSize of [16, 32, 64, 128]) {
  test(
    `head size ${headSize}: both forms, forward and backward, agree with float64 at every length and decay`,
    needsCuda,
    () => {
      for (const time of lengthsOf(headSize)) {
        for (const [told, range] of Object.entries(decays)) {
          // The large head with two of the four decays: its blocks take the emulator longest.
          if (headSize === 128 && (told === "stronger" || told === "model") && time > 1) continue;
          const isSmall = headSize < 64;
          const shape = shapeOf(isSmall && time === 7 ? 2 : 1, time, isSmall && time !== 17 ? 2 : 1, headSize);
          const c = randomCase(shape, 7 * time + headSize, range);
          for (const form of ["recurrent", "chunked"] as const) {
            compareBackward(shape, c, compareForward(shape, c, form, told), form, told);
          }
        }
      }
    },
  );
}

test("intervals other than 16, and more steps between checkpoints than a sweep takes", needsCuda, () => {
  for (const [time, interval] of [
    [11, 4],
    [40, 37],
    [20, 19],
    [9, 30],
  ] as const) {
    const shape = shapeOf(2, time, 1, 16, interval);
    const c = randomCase(shape, interval, decays.model);
    compareBackward(shape, c, compareForward(shape, c, "recurrent", "model"), "recurrent", "model");
  }
});

test("the gradients are those of finite differences of the float64 recurrence", needsCuda, () => {
  const shape = shapeOf(1, 3, 1, 16);
  const c = randomCase(shape, 1, decays.model);
  const { checkpoints } = cudaForward(cuda(), shape, c, "recurrent");
  const gradients = { recurrent: gradientsOf("recurrent"), chunked: gradientsOf("chunked") };
  function gradientsOf(form: Form) {
    return cudaBackward(cuda(), shape, c, checkpoints, form);
  }
  const loss = (): number => {
    const { y, finalState } = referenceForward(shape, c);
    return (
      y.reduce((sum, value, i) => sum + value * c.dy[i]!, 0) +
      finalState.reduce((sum, value, i) => sum + value * c.dFinalState[i]!, 0)
    );
  };
  const h = 1e-5; // central: an error of order h² = 1e-10 and eps/h = 1e-11 of values of order 10
  for (const name of [...stepNames, "state"] as const) {
    const expected = c[name].map((value, i) => {
      c[name][i] = value + h;
      const above = loss();
      c[name][i] = value - h;
      const below = loss();
      c[name][i] = value;
      return (above - below) / (2 * h);
    });
    const gradient = name === "state" ? "dState" : (`d${name}` as const);
    for (const [form, actual] of Object.entries(gradients)) {
      const error = relativeError(actual[gradient], expected);
      assert.ok(error <= tolerance(shape) + 1e-8, `${form}: ${gradient} is off by ${error}`);
    }
  }
});

test("a run in two parts with the state carried over is the whole run", needsCuda, () => {
  const whole = shapeOf(1, 37, 2, 32, 0);
  const c = randomCase(whole, 4, decays.model);
  const width = whole.heads * whole.headSize;
  const part = (first: number, last: number, state: Float32Array | Float64Array): Wkv7Case => ({
    ...c,
    ...(Object.fromEntries(stepNames.map((name) => [name, c[name].subarray(first * width, last * width)])) as Pick<
      Wkv7Case,
      (typeof stepNames)[number]
    >),
    state: Float64Array.from(state),
  });
  const expected = referenceForward(whole, c);
  for (const form of ["recurrent", "chunked"] as const) {
    for (const cut of [1, 16, 21]) {
      const first = cudaForward(cuda(), { ...whole, time: cut }, part(0, cut, c.state), form);
      const second = cudaForward(cuda(), { ...whole, time: 37 - cut }, part(cut, 37, first.finalState), form);
      check(whole, `N 32 ${form} forward model`, "y", Float32Array.from([...first.y, ...second.y]), expected.y);
      check(whole, `N 32 ${form} forward model`, "finalState", second.finalState, expected.finalState);
    }
  }
});

test("by chunks, a state that nothing takes from is as exact after 1,024 steps as step by step", needsCuda, (t) => {
  const shape = shapeOf(1, 1024, 1, 16, 0);
  const c = randomCase(shape, 12, [1, 1]);
  c.b.fill(0);
  const { finalState } = referenceForward(shape, c);
  const errorOf = (form: Form) => relativeError(cudaForward(cuda(), shape, c, form).finalState, finalState);
  const errors = { recurrent: errorOf("recurrent"), chunked: errorOf("chunked") };
  t.diagnostic(JSON.stringify(errors));
  assert.ok(errors.chunked < 2 * errors.recurrent, JSON.stringify(errors));
});

test("no barrier is missing: threads in another order give the same bits", needsCuda, (t) => {
  const addon = cuda();
  if (!addon.setOrder) return t.skip("only the emulator can change the order of threads");
  const shape = shapeOf(1, 19, 2, 32);
  const c = randomCase(shape, 5, decays.model);
  const run = () => {
    const forward = cudaForward(addon, shape, c, "recurrent");
    const chunked = cudaForward(addon, shape, c, "chunked");
    const back = (form: Form) => cudaBackward(addon, shape, c, forward.checkpoints, form);
    return [forward, chunked, back("recurrent"), back("chunked")];
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

test("checkpoints further apart than any sequence is long are one", needsCuda, () => {
  const shape = shapeOf(1, 5, 1, 16, 2 ** 31 - 1);
  const c = randomCase(shape, 3, decays.model);
  const { checkpoints, ...rest } = cudaForward(cuda(), shape, c, "recurrent");
  assert.deepEqual(checkpoints, Float32Array.from(c.state));
  const near = { ...shape, checkpointInterval: 5 };
  assert.deepEqual({ checkpoints, ...rest }, cudaForward(cuda(), near, c, "recurrent"));
  assert.deepEqual(
    cudaBackward(cuda(), shape, c, checkpoints, "recurrent"),
    cudaBackward(cuda(), near, c, checkpoints, "recurrent"),
  );
});

test("what the GPU has no kernel for, and tensors of a wrong size, are refused with what is wanted", needsCuda, () => {
  const refused = (shape: Wkv7Shape, form: Form, wanted: RegExp, change = (c: Wkv7Case): Wkv7Case => c) => {
    const c = change(randomCase(shape, 1, decays.model));
    assert.throws(() => cudaForward(cuda(), shape, c, form), wanted);
  };
  refused(shapeOf(1, 2, 1, 24), "recurrent", /headSize must be 16, 32, 64 or 128 on the GPU, not 24/);
  refused(shapeOf(1, 20, 1, 16, 8), "chunked", /a checkpointInterval of 16, or 0 for none, not 8/);
  refused(shapeOf(1, 2, 1, 16), "recurrent", /w has 124 bytes on the GPU; the shape given wants 32 values/, (c) => ({
    ...c,
    w: c.w.subarray(1),
  }));
});

test("the tfjs kernels give what the addon gives, and leave no tensor behind", needsCuda, async () => {
  await useCuda();
  // Long enough, and of few enough heads, for the chunked form.
  const shape = shapeOf(1, 66, 2, 16);
  const c = randomCase(shape, 6, decays.model);
  const step = [1, 66, 2, 16];
  const tensors = Object.fromEntries(
    Object.entries(c).map(([name, values]) => [
      name,
      tf.tensor(Float32Array.from(values), name === "state" || name === "dFinalState" ? [1, 2, 16, 16] : step),
    ]),
  ) as Record<keyof Wkv7Case, tf.Tensor>;
  const { dy, dFinalState, ...inputs } = tensors;
  const attributes = { checkpointInterval: 16 };
  const before = tf.memory().numTensors;
  const [y, finalState, checkpoints] = tf.engine().runKernel("Wkv7", inputs, attributes) as unknown as tf.Tensor[];
  assert.deepEqual(checkpoints!.shape, [1, 2, 5, 16, 16]);
  const { state: _, ...steps } = inputs;
  const kept = { ...steps, checkpoints: checkpoints!, dy, dFinalState };
  const gradients = tf.engine().runKernel("Wkv7Grad", kept, attributes) as unknown as tf.Tensor[];
  const expected = referenceForward(shape, c);
  const row = "N 16 chunked forward model";
  check(shape, row, "y", (await y!.data()) as Float32Array, expected.y);
  check(shape, row, "finalState", (await finalState!.data()) as Float32Array, expected.finalState);
  const expectedGradients = referenceBackward(shape, c);
  for (const [i, name] of gradientNames.entries()) {
    check(
      shape,
      "N 16 chunked backward model",
      name,
      (await gradients[i]!.data()) as Float32Array,
      expectedGradients[name],
    );
  }
  tf.dispose([y!, finalState!, checkpoints!, gradients]);
  assert.equal(tf.memory().numTensors, before);
  tf.dispose(Object.values(tensors));
  const inference = tf.zeros([1, 1, 1, 16]);
  const outputs = tf.engine().runKernel(
    "Wkv7",
    {
      r: inference,
      w: inference,
      k: inference,
      v: inference,
      a: inference,
      b: inference,
      state: tf.zeros([1, 1, 16, 16]),
    },
    {},
  ) as unknown as tf.Tensor[];
  assert.equal(outputs.length, 2, "no checkpoints without an interval");
});

test("heads of a size without a kernel of its own run on the GPU too, forward and backward", needsCuda, async () => {
  await useCuda();
  // As many heads as the padded size has channels: what ends with a matrix must not be told by its lengths.
  for (const [heads, headSize] of [
    [1, 4],
    [16, 5],
    [2, 24],
  ] as const) {
    const shape = shapeOf(1, 18, heads, headSize);
    const c = randomCase(shape, headSize, decays.model);
    const matrix = [1, heads, headSize, headSize];
    const tensors = Object.fromEntries(
      Object.entries(c).map(([name, values]) => [
        name,
        tf.tensor(Float32Array.from(values), /state/i.test(name) ? matrix : [1, 18, heads, headSize]),
      ]),
    ) as Record<keyof Wkv7Case, tf.Tensor>;
    const { dy, dFinalState, ...inputs } = tensors;
    const attributes = { checkpointInterval: 16 };
    hostFallbacks.clear();
    const before = tf.memory().numTensors;
    const [y, finalState, checkpoints] = tf.engine().runKernel("Wkv7", inputs, attributes) as unknown as tf.Tensor[];
    const { state: _, ...steps } = inputs;
    const kept = { ...steps, checkpoints: checkpoints!, dy, dFinalState };
    const gradients = tf.engine().runKernel("Wkv7Grad", kept, attributes) as unknown as tf.Tensor[];
    const expected = referenceForward(shape, c);
    const row = `N ${headSize} padded`;
    check(shape, row, "y", y!.dataSync<"float32">(), expected.y);
    check(shape, row, "finalState", finalState!.dataSync<"float32">(), expected.finalState);
    check(shape, row, "checkpoints", checkpoints!.dataSync<"float32">(), expected.checkpoints);
    const expectedGradients = referenceBackward(shape, c);
    for (const [i, name] of gradientNames.entries()) {
      check(shape, row, name, gradients[i]!.dataSync<"float32">(), expectedGradients[name]);
    }
    assert.deepEqual([...hostFallbacks], [], "kernels that ran on the CPU");
    tf.dispose([y!, finalState!, checkpoints!, gradients]);
    assert.equal(tf.memory().numTensors, before);
    tf.dispose(Object.values(tensors));
  }
});

test("table of the largest errors", needsCuda, (t) => {
  const table = [...worst].map(([row, { part, error }]) => `${row}: ${error.toExponential(1)} (${part.toFixed(2)})`);
  t.diagnostic(`largest error against the largest value, and its part of what is allowed:\n${table.join("\n")}`);
  assert.ok(Math.max(...[...worst.values()].map(({ part }) => part)) < 0.5, "twice the errors measured");
});
