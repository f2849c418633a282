import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { squaredRelu } from "../ops/squared-relu/squared-relu.js";
import { useBackend } from "../testing.js";
import { wrapKernels, type KernelOutput } from "./wrap-kernels.js";

await useBackend("cpu");
const x = tf.tensor1d([-1, 2]);

function names(run: () => void): string[] {
  const seen: string[] = [];
  const stop = wrapKernels((call, inner): KernelOutput => {
    seen.push(call.name);
    return inner();
  });
  try {
    tf.tidy(run);
  } finally {
    stop();
  }
  return seen;
}

test("every kernel is wrapped, of tfjs and of the library, forward and backward", () => {
  assert.deepEqual(
    names(() => void tf.matMul(tf.reshape(tf.add(x, 1), [1, 2]), tf.ones([2, 1]))),
    ["Add", "Reshape", "BatchMatMul"],
  );
  const gradient = names(() => void tf.grad((y) => tf.sum(squaredRelu(y)))(x));
  assert.ok(gradient.includes("SquaredRelu") && gradient.includes("SquaredReluGrad"), gradient.join());
});

test("nothing is left behind: tfjs calls its kernels as before, after an exception too", () => {
  const engine = tf.engine();
  const functions = () =>
    [Reflect.get(engine, "runKernel"), Reflect.get(tf.getKernel("Add", "cpu"), "kernelFunc")] as unknown[];
  const [runKernel, kernelFunc] = functions();
  const stop = wrapKernels(() => {
    throw new Error("from the wrapper");
  });
  assert.throws(() => tf.add(x, 1), /from the wrapper/);
  assert.notEqual(functions()[1], kernelFunc);
  stop();
  stop();
  assert.deepEqual(functions(), [runKernel, kernelFunc]);
  assert.equal(Object.hasOwn(engine, "runKernel"), false);
});

test("two wrappers at once: the later is the outer, and either may end first", () => {
  const order: string[] = [];
  const say =
    (name: string) =>
    (_: unknown, inner: () => KernelOutput): KernelOutput => {
      order.push(name);
      return inner();
    };
  const stopInner = wrapKernels(say("inner"));
  const stopOuter = wrapKernels(say("outer"));
  tf.dispose(tf.neg(x));
  stopInner();
  tf.dispose(tf.neg(x));
  stopOuter();
  tf.dispose(tf.neg(x));
  assert.deepEqual(order, ["outer", "inner", "outer"]);
});
