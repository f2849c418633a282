/** What the preload module does to TensorFlow.js. */
import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";
import { ms, sessionHooks, tf } from "./preload.js";

type Method = (...rest: unknown[]) => tf.Tensor;
type WithMethods = Record<string, Method>;

function methodsOf(tensor: tf.Tensor): WithMethods {
  return tensor as unknown as WithMethods;
}

test("tensors have the methods of tfjs, with the results of its functions", () => {
  const x = tf.tensor2d([
    [1, 2],
    [3, 4],
  ]);
  const call = (name: string, ...rest: unknown[]): number[] => {
    const method = methodsOf(x)[name];
    assert.ok(method, name);
    return Array.from(method.call(x, ...rest).dataSync());
  };
  assert.deepEqual(call("add", 1), [2, 3, 4, 5]);
  assert.deepEqual(call("matMul", x), [7, 10, 15, 22]);
  assert.deepEqual(call("sum", 0), [4, 6]);
  assert.deepEqual(call("concat", [x], 1), [1, 2, 1, 2, 3, 4, 3, 4]);
  assert.deepEqual(
    call(
      "where",
      tf.tensor2d(
        [
          [true, false],
          [false, true],
        ],
        [2, 2],
        "bool",
      ),
      tf.zerosLike(x),
    ),
    [1, 0, 0, 4],
  );
  assert.deepEqual(methodsOf(x)["flatten"]?.call(x).shape, [4]);
  assert.equal(methodsOf(x)["toInt"]?.call(x).dtype, "int32");
});

test("a tensor is shown by its values, and after its end by its shape", () => {
  const x = tf.tensor1d([1.5, 2]);
  assert.match(inspect(x), /\[1\.5, 2\]/);
  x.dispose();
  assert.equal(inspect(x), "Tensor [2] (disposed)");
});

test("a tensor within another value is a line: its kind, its shape, its first values", () => {
  const x = tf.tensor2d([[1.23456, 2, 3, 4, 5, 6]]);
  assert.equal(
    inspect(new Map([["x", x]]), { breakLength: 80 }),
    "Map(1) { 'x' => Tensor float32 [1, 6] 1.235, 2, 3, 4, … }",
  );
  assert.equal(inspect([tf.scalar(3, "int32"), tf.tensor([])]), "[ Tensor int32 [] 3, Tensor float32 [0] ]");
  x.dispose();
});

test("an engine runs, and the library works on it", () => {
  assert.equal(ms.engine().backend, tf.getBackend());
});

test("what a termination left open is closed: its tensors are freed, gradients work again", () => {
  const before = tf.memory().numTensors;
  const { state } = tf.engine();
  tf.engine().startScope();
  tf.engine().startScope();
  [state.gradientDepth, state.activeTape] = [1, []];
  // The tape keeps the operand of a square.
  tf.square(tf.ones([3]));
  state.kernelDepth = 2;
  sessionHooks.afterInterrupt?.();
  assert.equal(tf.memory().numTensors, before);
  assert.deepEqual([state.scopeStack.length, state.gradientDepth, state.kernelDepth], [0, 0, 0]);
  const gradient = tf.grad((x) => tf.sum(tf.square(x)))(tf.tensor1d([3]));
  assert.deepEqual(Array.from(gradient.dataSync()), [6]);
});

test("%timeit leaves no tensor behind, whatever the expression gives", async () => {
  const x = tf.ones([2]);
  const before = tf.memory().numTensors;
  assert.ok(sessionHooks.timedCall?.(() => tf.add(x, 1)) instanceof tf.Tensor);
  assert.equal(tf.memory().numTensors, before);
  const read = sessionHooks.timedCall(() => tf.add(tf.mul(x, 2), 1).data());
  assert.deepEqual([...((await read) as Float32Array)], [3, 3]);
  await Promise.resolve();
  assert.equal(tf.memory().numTensors, before);
  assert.throws(() =>
    sessionHooks.timedCall?.(() => {
      tf.add(x, 1);
      throw new Error("within");
    }),
  );
  assert.equal(tf.memory().numTensors, before);
  x.dispose();
});
