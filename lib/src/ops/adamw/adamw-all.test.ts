import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { NamedTensorMap, Scalar, Tensor } from "@tensorflow/tfjs-core";

import { useBackend } from "../../testing.js";
import { adamWAll, adamWAllName, type AdamWAllAttributes, type AdamWUpdate } from "./adamw-all.js";
import { adamW } from "./adamw.js";

const shared = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step: 2, clip: 1 };

function updates(): AdamWUpdate[] {
  return [3, 1].map((length, i) => {
    const of = (start: number): Tensor => tf.linspace(start, start + 1, length);
    return {
      ...{ parameter: of(i), gradient: of(-0.5), moment1: of(0.1), moment2: of(0.2) },
      ...{ learningRate: 0.01 * (i + 1), weightDecay: 0.1 * i },
    };
  });
}

/** The results of a step as arrays, a parameter after the other; nothing is left. */
function results(step: typeof adamWAll): number[][] {
  const found: number[][] = [];
  const before = tf.memory().numTensors;
  const norm = tf.scalar(3);
  const given = updates();
  step(given, norm, shared, (update, ...three) => {
    assert.deepEqual(three[0].shape, update.parameter.shape);
    found.push(...three.map((tensor) => [...tensor.dataSync()]));
    tf.dispose(three);
  });
  for (const { parameter, gradient, moment1, moment2 } of given) tf.dispose([parameter, gradient, moment1, moment2]);
  norm.dispose();
  assert.equal(tf.memory().numTensors, before);
  return found;
}

/** Parameter by parameter. */
const each: typeof adamWAll = (given, norm, numbers, use) => {
  for (const update of given) {
    const { parameter, gradient, moment1, moment2, learningRate, weightDecay } = update;
    use(update, ...adamW(parameter, gradient, moment1, moment2, norm, { ...numbers, learningRate, weightDecay }));
  }
};

test("a step of all parameters is that of each: with the engine's kernel for all of them, and without", async () => {
  await useBackend("cpu");
  const oneByOne = results(each);
  assert.equal(oneByOne.length, 6);
  assert.deepEqual(results(adamWAll), oneByOne);
  const backendName = tf.getBackend();
  if (tf.getKernel(adamWAllName, backendName)) return;
  let calls = 0;
  tf.registerKernel({
    kernelName: adamWAllName,
    backendName,
    kernelFunc({ inputs, attrs }) {
      calls++;
      const { learningRates, weightDecays, ...numbers } = attrs as unknown as AdamWAllAttributes & typeof shared;
      const tensors = inputs as unknown as NamedTensorMap;
      return learningRates.flatMap((learningRate, i) =>
        adamW(
          tensors[`parameter${i}`]!,
          tensors[`gradient${i}`]!,
          tensors[`moment1_${i}`]!,
          tensors[`moment2_${i}`]!,
          tensors["norm"] as Scalar,
          { ...numbers, learningRate, weightDecay: weightDecays[i]! },
        ),
      );
    },
  });
  try {
    assert.deepEqual(results(adamWAll), oneByOne);
    assert.equal(calls, 1);
    const [first] = updates();
    const wrong = [{ ...first!, moment2: tf.zeros([4]) }];
    assert.throws(() => adamWAll(wrong, tf.scalar(1), shared, () => {}), { name: "ShapeError" });
  } finally {
    tf.unregisterKernel(adamWAllName, backendName);
  }
});
