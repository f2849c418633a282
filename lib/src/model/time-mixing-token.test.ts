/** When time mixing goes to an engine's kernel of one token, and when op by op. What the kernel computes is the engine's to test. */
import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";

import { checkNumerics } from "../engine/check-numerics.js";
import { useBackend } from "../testing.js";
import { createModel } from "./model.js";
import { timeMixingTokenName } from "./time-mixing-token.js";

const options = { vocabSize: 7, width: 8, layers: 2, headSize: 4, parameterTokens: 12 };

test("one token goes to the engine's kernel, but not under a gradient, a tap or a check", async (t) => {
  await useBackend("cpu");
  // Other engines run this test too, and may have such a kernel.
  const backendName = tf.getBackend();
  const own = tf.getKernel(timeMixingTokenName, backendName);
  if (own) tf.unregisterKernel(timeMixingTokenName, backendName);
  t.after(() => {
    tf.unregisterKernel(timeMixingTokenName, backendName);
    if (own) tf.registerKernel(own);
  });
  const calls: { inputs: Record<string, TensorInfo>; attributes: object }[] = [];
  tf.registerKernel({
    kernelName: timeMixingTokenName,
    backendName,
    kernelFunc({ inputs, attrs, backend }) {
      calls.push({ inputs: inputs as Record<string, TensorInfo>, attributes: attrs! });
      const make = (shape: number[]): TensorInfo =>
        (
          backend as { makeTensorInfo(shape: number[], dtype: string, values: Float32Array): TensorInfo }
        ).makeTensorInfo(shape, "float32", new Float32Array(tf.util.sizeFromShape(shape)).fill(0.5));
      const batch = inputs["x"]!.shape[0]!;
      return [make([batch, 1, 8]), make([batch, 2, 4, 4]), ...Array.from({ length: 6 }, () => make([batch, 1, 2, 4]))];
    },
  });
  const model = createModel(options);
  const called = (run: () => unknown): number => {
    calls.length = 0;
    tf.tidy(() => void run());
    return calls.length;
  };

  assert.equal(
    called(() => model.forward([[1], [2]])),
    2,
    "one call a layer",
  );
  const [first, second] = calls;
  assert.deepEqual(second!.attributes, { heads: 2, headSize: 4, aScale: 1, epsilon: 4e-5 });
  const added = Object.keys(second!.inputs).filter((name) => !(name in first!.inputs));
  assert.deepEqual(added, ["firstValue", "v0", "v1", "v2"]);
  for (const [name, { shape }] of Object.entries(second!.inputs)) {
    const parameter = model.parameters.get(`blocks.1.att.${name}`);
    if (parameter) assert.deepEqual(shape, parameter.shape, name);
    else assert.ok(["x", "shift", "wkv", "firstValue"].includes(name), name);
  }
  const result = model.forward([[1], [2]]);
  assert.ok(result.state.layers.every(({ wkv }) => wkv.dataSync().every((x) => x === 0.5)));

  assert.equal(
    called(() => model.forward([[1, 2]])),
    0,
    "two tokens",
  );
  assert.equal(
    called(() => model.forward([[1]], undefined, { tap: (_, value) => value })),
    0,
    "a tap",
  );
  const loss = (): tf.Scalar => tf.sum(model.forward([[1]]).logits);
  assert.equal(
    called(() => tf.variableGrads(loss)),
    0,
    "a gradient",
  );
  checkNumerics();
  t.after(() => checkNumerics(false));
  assert.equal(
    called(() => model.forward([[1]])),
    0,
    "a check names its op",
  );
});
