/**
 * When all blocks, or time mixing alone, go to an engine's kernel of one token, and when op by op. What a kernel computes is the
 * engine's to test.
 */
import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { TensorInfo } from "@tensorflow/tfjs-core";

import { checkNumerics } from "../engine/check-numerics.js";
import { useBackend } from "../testing.js";
import { blocksTokenName } from "./blocks-token.js";
import type { ModelOptions } from "./configuration.js";
import { createModel } from "./model.js";
import { tensorNamesOf } from "./state-layers.js";
import { timeMixingTokenName } from "./time-mixing-token.js";

const options: ModelOptions = { vocabSize: 7, width: 8, layers: 2, headSize: 4, parameterTokens: 12 };

interface Call {
  readonly name: string;
  readonly inputs: Record<string, TensorInfo>;
  readonly attributes: object;
}

/** Kernels of one token in place of the engine's own; their calls. */
async function useKernels(t: TestContext, kernels: Record<string, (batch: number) => number[][]>): Promise<Call[]> {
  await useBackend("cpu");
  // Other engines run these tests too, and may have such kernels.
  const backendName = tf.getBackend();
  const own = [blocksTokenName, timeMixingTokenName].map((name) => tf.getKernel(name, backendName));
  for (const kernel of own) if (kernel) tf.unregisterKernel(kernel.kernelName, backendName);
  const calls: Call[] = [];
  for (const [kernelName, shapesOf] of Object.entries(kernels)) {
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc({ inputs, attrs, backend }) {
        const given = inputs as Record<string, TensorInfo>;
        calls.push({ name: kernelName, inputs: given, attributes: attrs! });
        const memory = backend as {
          makeTensorInfo(shape: number[], dtype: string, values: Float32Array): TensorInfo;
        };
        return shapesOf(given["stream"]!.shape[0]!).map((shape) =>
          memory.makeTensorInfo(shape, "float32", new Float32Array(tf.util.sizeFromShape(shape)).fill(0.5)),
        );
      },
    });
  }
  t.after(() => {
    for (const name of Object.keys(kernels))
      if (tf.getKernel(name, backendName)) tf.unregisterKernel(name, backendName);
    for (const kernel of own) if (kernel) tf.registerKernel(kernel);
  });
  return calls;
}

const ofMixing = {
  [timeMixingTokenName]: (batch: number) => [
    ...[
      [batch, 1, 8],
      [batch, 8],
      [batch, 2, 4, 4],
    ],
    ...Array.from({ length: 6 }, () => [batch, 1, 2, 4]),
  ],
};

/** The names of the kernels that a run calls. */
function called(calls: Call[], run: () => unknown): string[] {
  calls.length = 0;
  tf.tidy(() => void run());
  return calls.map(({ name }) => name);
}

test("time mixing of one token goes to the engine's kernel, but not under a gradient, a tap or a check", async (t) => {
  const calls = await useKernels(t, ofMixing);
  const model = createModel(options);
  assert.deepEqual(
    called(calls, () => model.forward([[1], [2]])),
    [timeMixingTokenName, timeMixingTokenName],
    "a call a layer",
  );
  const [first, second] = calls;
  assert.deepEqual(second!.attributes, { heads: 2, headSize: 4, normEpsilon: 1e-5, readEpsilon: 4e-5, aScale: 1 });
  const added = Object.keys(second!.inputs).filter((name) => !(name in first!.inputs));
  assert.deepEqual(added.sort(), ["firstValue", "v0", "v1", "v2"]);
  const given = new Set(["stream", "shift", "wkv", "firstValue"]);
  for (const [name, { shape }] of Object.entries(second!.inputs)) {
    const parameter = ["", "att."].map((place) => model.parameters.get(`blocks.1.${place}${name}`)).find(Boolean);
    if (parameter) assert.deepEqual(shape, parameter.shape, name);
    else assert.ok(given.has(name), name);
  }
  const { state } = model.forward([[1], [2]]);
  for (const { attShift, wkv } of state.layers) {
    for (const tensor of [attShift, wkv])
      assert.ok(
        tensor.dataSync().every((x) => x === 0.5),
        "the kernel's own",
      );
  }

  assert.deepEqual(
    called(calls, () => model.forward([[1, 2]])),
    [],
    "two tokens",
  );
  assert.deepEqual(
    called(calls, () => model.forward([[1]], undefined, { tap: (_, value) => value })),
    [],
    "a tap",
  );
  const loss = (): tf.Scalar => tf.sum(model.forward([[1]]).logits);
  assert.deepEqual(
    called(calls, () => tf.variableGrads(loss)),
    [],
    "a gradient",
  );
  checkNumerics();
  t.after(() => checkNumerics(false));
  assert.deepEqual(
    called(calls, () => model.forward([[1]])),
    [],
    "a check names its op",
  );
});

test("all blocks go to the engine's kernel together where it has one", async (t) => {
  const ofLayer = (batch: number): number[][] => [
    [batch, 8],
    [batch, 8],
    [batch, 2, 4, 4],
    [batch, 2, 4, 4],
  ];
  const calls = await useKernels(t, {
    ...ofMixing,
    [blocksTokenName]: (batch) => [[batch, 1, 8], ...ofLayer(batch), ...ofLayer(batch)],
  });
  const model = createModel(options);
  assert.deepEqual(
    called(calls, () => model.forward([[1], [2]])),
    [blocksTokenName],
  );
  const [{ inputs, attributes }] = calls as [Call];
  const sizes = { heads: 2, headSize: 4, normEpsilon: 1e-5, readEpsilon: 4e-5 };
  assert.deepEqual(attributes, { ...sizes, aScale: 1, layers: 2 });
  const { state: after } = model.forward([[1], [2]]);
  const given = new Map<string, number[]>();
  for (const [i, layer] of after.layers.entries()) {
    assert.deepEqual(
      tensorNamesOf(layer).map((part) => layer[part]!.shape),
      ofLayer(2),
    );
    for (const part of tensorNamesOf(layer)) given.set(`blocks.${i}.${part}`, layer[part]!.shape);
  }
  const others = ["emb.weight", "blocks.0.ln0.weight", "blocks.0.ln0.bias", "ln_out.weight", "ln_out.bias"];
  for (const [name, { shape }] of model.parameters) {
    if (![...others, "head.weight"].includes(name)) given.set(name, shape);
  }
  given.set("stream", [2, 1, 8]);
  assert.deepEqual(new Map(Object.entries(inputs).map(([name, { shape }]) => [name, shape])), given);
  assert.deepEqual(
    called(calls, () => model.forward([[1]], undefined, { tap: (_, value) => value })),
    [],
    "a tap",
  );
  assert.deepEqual(
    called(calls, () => createModel({ ...options, sse: "meta" }).forward([[1]])),
    [timeMixingTokenName, timeMixingTokenName],
    "another variant: only time mixing",
  );
});

test("a layer that is not the kernel's goes op by op, time mixing to its kernel all the same", async (t) => {
  const calls = await useKernels(t, { ...ofMixing, [blocksTokenName]: () => [] });
  const others: Partial<ModelOptions>[] = [
    ...[{ sse: "meta" }, { sse: "readout" }, { rho: 0.5 }, { mul: true }],
    ...[{ activation: "geluL2" as const }, { mixture: { groups: 2 } }],
  ];
  for (const other of others) {
    const model = createModel({ ...options, ...other });
    assert.deepEqual(
      called(calls, () => model.forward([[1]])),
      [timeMixingTokenName, timeMixingTokenName],
      JSON.stringify(other),
    );
    model.dispose();
  }
  // More heads than slices of the channels: they read the same slice and add up.
  tf.unregisterKernel(timeMixingTokenName, tf.getBackend());
  const wide = createModel({ ...options, heads: 4 });
  assert.deepEqual(
    called(calls, () => wide.forward([[1]])),
    [],
  );
  wide.dispose();
});
