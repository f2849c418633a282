import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import assert from "node:assert/strict";
import test from "node:test";
import { shortenEngine } from "./engine-shortcuts.js";

const engine = tf.engine();
const { state } = engine;

/** As tfjs has them; its build for Node comes without. */
function registerGradients(): void {
  const product = (dy: tf.Tensor, other: tf.Tensor) => (): tf.Tensor => tf.mul(dy, other);
  tf.registerGradient({
    kernelName: "Multiply",
    inputsToSave: ["a", "b"],
    gradFunc: (dy, [a, b]) => ({ a: product(dy as tf.Tensor, b!), b: product(dy as tf.Tensor, a!) }),
  });
  tf.registerGradient({
    kernelName: "Add",
    gradFunc: (dy) => ({ a: () => tf.clone(dy as tf.Tensor), b: () => tf.clone(dy as tf.Tensor) }),
  });
  tf.registerGradient({
    kernelName: "Exp",
    outputsToSave: [true],
    gradFunc: (dy, [y]) => ({ x: product(dy as tf.Tensor, y!) }),
  });
  tf.registerGradient({ kernelName: "Identity", gradFunc: (dy) => ({ x: () => tf.clone(dy as tf.Tensor) }) });
  tf.registerGradient({
    kernelName: "Unpack",
    gradFunc: (dys) => ({ value: () => tf.stack(dys as tf.Tensor[]) }),
  });
  tf.registerGradient({
    kernelName: "Pack",
    saveAllInputs: true,
    gradFunc: (dy) => Object.fromEntries(tf.unstack(dy as tf.Tensor).map((part, i) => [i, () => part])),
  });
  tf.registerGradient({ kernelName: "Tanh", gradFunc: () => ({}) });
  tf.registerGradient({ kernelName: "Sin", gradFunc: () => ({ x: () => tf.tensor1d([1, 2]) }) });
  tf.registerGradient({ kernelName: "Cos", gradFunc: (dy) => ({ x: () => tf.cast(dy as tf.Tensor, "int32") }) });
}

/** What is seen of an engine while `run` works: what it gives or throws, and the tensors that there are meanwhile and after it. */
function seen(run: (mark: () => void) => tf.TensorContainer): unknown {
  const marks: number[] = [];
  const before = { ...tf.memory() };
  let outcome: unknown;
  try {
    const result = run(() => marks.push(state.numTensors - before.numTensors));
    outcome = told(result);
    marks.push(state.numTensors - before.numTensors);
    tf.dispose(result);
  } catch (error) {
    outcome = String(error);
    // What tfjs leaves on the tape of a gradient that failed.
    for (const { saved } of state.activeTape ?? []) if (saved) tf.dispose(saved);
  }
  const { numTensors, numDataBuffers, numBytes } = tf.memory();
  const left = [
    numTensors - before.numTensors,
    numDataBuffers - before.numDataBuffers,
    numBytes - before.numBytes,
    state.scopeStack.length,
    state.kernelDepth,
    state.gradientDepth,
  ];
  return { outcome, marks, left };
}

function told(value: unknown): unknown {
  if (value instanceof tf.Tensor) return [value.dtype, value.shape, ...value.dataSync(), value.isDisposed];
  if (Array.isArray(value)) return value.map(told);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, told(one)]));
}

type Story = readonly [name: string, run: (mark: () => void) => tf.TensorContainer];

const x = tf.tensor1d([1, 2, 3]);
const cube = (of: tf.Tensor): tf.Tensor => tf.mul(of, tf.mul(of, of));

const stories: readonly Story[] = [
  ["an op", () => tf.add(x, x)],
  ["an op of numbers", () => tf.mul(3, 4)],
  ["an op with several results", () => tf.unstack(x)],
  [
    "a scope that gives a tensor",
    (mark) => {
      const y = tf.tidy(() => {
        const kept = tf.mul(tf.add(x, 1), x);
        mark();
        return kept;
      });
      mark();
      return y;
    },
  ],
  ["a scope that gives nothing", () => tf.tidy(() => void tf.add(x, 1))],
  ["a scope that gives a number", () => tf.tidy(() => (tf.add(x, 1), 7) as unknown as tf.Tensor)],
  [
    "a scope that gives lists and objects",
    () => tf.tidy(() => ({ a: tf.neg(x), list: [tf.exp(x), { b: tf.sin(x) }], c: tf.cos(x) })),
  ],
  [
    "a scope that gives what was there",
    () => {
      tf.tidy(() => x);
      return tf.clone(x);
    },
  ],
  [
    "a scope that keeps a tensor",
    () => {
      let kept!: tf.Tensor;
      tf.tidy(() => {
        kept = tf.keep(tf.add(x, 1));
        tf.sin(kept);
      });
      return kept;
    },
  ],
  [
    "scopes in scopes",
    (mark) =>
      tf.tidy(() => {
        const inner = tf.tidy(() => tf.tidy(() => tf.add(tf.neg(x), 1)));
        mark();
        return tf.tidy(() => inner);
      }),
  ],
  [
    "a scope that throws",
    () =>
      tf.tidy(() => {
        tf.add(x, 1);
        throw new Error("stop");
      }),
  ],
  ["shapes that do not fit", () => tf.add(x, [1, 2])],
  ["a kernel that is not there", () => engine.runKernel("NoSuchKernel", { x })],
  ["text", () => tf.reshape(["a", "bc"], [2, 1])],
  ["complex numbers", () => tf.tidy(() => tf.real(tf.add(tf.complex(x, x), tf.complex(x, x))))],
  ["a gradient", () => tf.grad(cube)(x)],
  [
    "a gradient with the one of its result given",
    () => {
      const dy = tf.tensor1d([1, 0, 2]);
      const dx = tf.grad(cube)(x, dy);
      return { dy, dx };
    },
  ],
  [
    "a gradient that is added up",
    () => tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.add(tf.add(a, b), tf.mul(a, tf.add(a, a))))([x, tf.exp(x)]),
  ],
  ["a value with its gradients", () => tf.valueAndGrads((a: tf.Tensor, b: tf.Tensor) => tf.exp(tf.mul(a, b)))([x, x])],
  ["a gradient of a gradient", () => tf.grad((u: tf.Tensor) => tf.grad(cube)(u))(x)],
  ["a third derivative", () => tf.grad((t: tf.Tensor) => tf.grad((u: tf.Tensor) => tf.grad(cube)(u))(t))(x)],
  [
    "a gradient of a gradient of what was recorded before it",
    () =>
      tf.grad((u: tf.Tensor) => {
        const v = cube(u);
        return engine.gradients(() => v, [u]).grads[0]!;
      })(x),
  ],
  [
    "results of which some lead nowhere",
    () =>
      tf.grad((u: tf.Tensor) => {
        const [a, , c] = tf.unstack(u);
        return tf.mul(a!, c!);
      })(x),
  ],
  ["lists of inputs", () => tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.stack([a, tf.mul(a, b), b]))([x, tf.exp(x)])],
  [
    "ops that lead nowhere",
    () =>
      tf.grad((u: tf.Tensor) => {
        tf.sin(u);
        tf.exp(tf.cos(x));
        return tf.mul(u, u);
      })(x),
  ],
  [
    "a gradient of variables",
    () =>
      tf.tidy(() => {
        const v = tf.variable(x);
        const { value, grads } = tf.variableGrads(() => tf.mul(tf.unstack(v)[0]!, 3));
        const found = { value, grad: grads[v.name]! };
        v.dispose();
        return found;
      }),
  ],
  [
    "a gradient of one's own",
    () =>
      tf.grad(
        tf.customGrad<tf.Tensor>((u, save) => {
          (save as tf.GradSaveFunc)([u as tf.Tensor]);
          return {
            value: tf.exp(u as tf.Tensor),
            gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => tf.mul(dy, saved[0]!),
          };
        }),
      )(x),
  ],
  ["nothing that depends", () => tf.grad(() => tf.exp(tf.tensor1d([1])))(x)],
  ["nothing that depends, allowed", () => engine.gradients(() => tf.exp(x), [tf.scalar(1)], undefined, true).value],
  ["the input itself", () => tf.grad((u: tf.Tensor) => u)(x)],
  ["no inputs", () => engine.gradients(() => tf.exp(x), []).value],
  ["a result that is no tensor", () => tf.grad(() => 3 as unknown as tf.Tensor)(x)],
  [
    "a gradient that throws",
    () =>
      tf.grad(() => {
        tf.mul(x, x);
        throw new Error("stop");
      })(x),
  ],
  ["an op without a gradient", () => tf.grad((u: tf.Tensor) => tf.erf(u))(x)],
  ["a gradient that leaves an input out", () => tf.grad((u: tf.Tensor) => tf.tanh(u))(x)],
  ["a gradient of a wrong shape", () => tf.grad((u: tf.Tensor) => tf.sin(u))(x)],
  ["a gradient of a wrong type", () => tf.grad((u: tf.Tensor) => tf.cos(u))(x)],
];

test("the engine does with fewer steps what tfjs's own does", async (t) => {
  await tf.setBackend("cpu");
  registerGradients();
  const profileOf = async (): Promise<unknown> => {
    const { kernels, newBytes, newTensors, peakBytes } = await tf.profile(() => tf.tidy(() => tf.mul(tf.exp(x), 2)));
    const without = kernels.map(
      ({ kernelTimeMs: _, totalBytesSnapshot: __, totalTensorsSnapshot: ___, ...rest }) => rest,
    );
    return { without, newBytes, newTensors, above: peakBytes - state.numBytes };
  };
  const own = stories.map(([, run]) => seen(run));
  const ownProfile = await profileOf();
  const methods = (): unknown[] =>
    ["runKernel", "endScope", "gradients"].map((name) => Reflect.get(engine, name) as unknown);
  const ownMethods = methods();
  shortenEngine("4.23.0");
  assert.deepEqual(methods(), ownMethods, "of another tfjs nothing is replaced");
  const around: string[] = [];
  const runKernel = engine.runKernel.bind(engine);
  engine.runKernel = <T extends tf.Tensor | tf.Tensor[]>(name: string, ...rest: [tf.NamedTensorMap]): T => {
    around.push(name);
    return runKernel<T>(name, ...rest);
  };
  shortenEngine();
  tf.exp(x).dispose();
  assert.deepEqual(around, ["Exp"], "what was put around a method before stays");
  Reflect.deleteProperty(engine, "runKernel");
  const shortened = methods();
  shortened.forEach((method, i) => assert.notEqual(method, ownMethods[i]));
  shortenEngine();
  assert.deepEqual(methods(), shortened, "once");
  for (const [i, [name, run]] of stories.entries()) await t.test(name, () => assert.deepEqual(seen(run), own[i]));
  await t.test("a profile", async () => assert.deepEqual(await profileOf(), ownProfile));

  await t.test("a kernel that is replaced after it ran", () => {
    const config = tf.getKernel("Square", "cpu");
    tf.square(x).dispose();
    tf.unregisterKernel("Square", "cpu");
    assert.throws(() => tf.square(x), /Kernel 'Square' not registered for backend 'cpu'/);
    tf.registerKernel({
      ...config,
      kernelFunc({ inputs, backend }) {
        (backend as tf.KernelBackend).incRef(inputs["x"]!.dataId);
        return inputs["x"]!;
      },
    });
    const y = tf.square(x);
    assert.deepEqual([...y.dataSync()], [1, 2, 3]);
    y.dispose();
    tf.unregisterKernel("Square", "cpu");
    tf.registerKernel(config);
  });

  await t.test("a backend that holds more than it gives, in tfjs's test mode", () => {
    const config = tf.getKernel("Square", "cpu");
    tf.unregisterKernel("Square", "cpu");
    tf.registerKernel({
      ...config,
      kernelFunc(parameters) {
        (parameters.backend as tf.KernelBackend).write(new Float32Array(1), [1], "float32");
        return config.kernelFunc(parameters);
      },
    });
    tf.env().set("IS_TEST", true);
    try {
      assert.throws(
        () => tf.square(x),
        /Backend 'cpu' has an internal memory leak \(1 data ids\) after running 'Square'/,
      );
    } finally {
      tf.env().set("IS_TEST", false);
      tf.unregisterKernel("Square", "cpu");
      tf.registerKernel(config);
    }
  });

  await t.test("an engine that is reset", async () => {
    const old = tf.add(x, x);
    engine.reset();
    await tf.setBackend("cpu");
    old.dispose();
    assert.equal(tf.memory().numTensors, 0);
    const y = tf.add([1, 2], 3);
    assert.deepEqual([...y.dataSync()], [4, 5]);
    tf.dispose(y);
  });
});
