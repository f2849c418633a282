import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { nativeKernels } from "../provider.js";
import { needsTensorflow } from "../testing/tensorflow.js";
import { needsNative } from "../testing/native.js";
import {
  gradientNames,
  randomCase,
  referenceBackward,
  referenceForward,
  stepNames,
} from "../testing/wkv7-reference.js";
import { relativeError } from "../testing/wkv7-runs.js";
import { startTensorflow, tensorflowEngine } from "./engine-candidate.js";

const needsBoth = { skip: needsTensorflow.skip || needsNative.skip };

/** The reason for which a set-up of this content is not used. */
function refusal(t: test.TestContext, setup?: object): string {
  const folder = mkdtempSync(join(tmpdir(), "metastate-tensorflow-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "package.json"), "{}");
  if (setup) writeFileSync(join(folder, "setup.json"), JSON.stringify(setup));
  const result = startTensorflow(folder);
  assert.ok(!result.ready);
  return result.reason;
}

test("TensorFlow is taken only when asked for, after the native engine", () => {
  const { name, priority, onlyWhenAsked } = tensorflowEngine;
  assert.deepEqual({ name, priority, onlyWhenAsked }, { name: "tensorflow", priority: 200, onlyWhenAsked: true });
});

test("without its set-up, the reason names the command", (t) => {
  assert.match(refusal(t), /^TensorFlow is not set up .*; run npm run setup:tensorflow$/);
});

test("a set-up of another machine, or whose TensorFlow is gone, names the command", (t) => {
  const { platform, arch } = process;
  const setup = { package: "@tensorflow/tfjs-node", tensorflow: { folder: "/nowhere", version: "2" }, platform, arch };
  assert.match(refusal(t, { ...setup, arch: "sparc" }), /built for \w+-sparc, and this is .*; run npm run setup/);
  assert.match(refusal(t, setup), /^TensorFlow is no longer in \/nowhere; run npm run setup/);
  assert.match(refusal(t, { ...setup, tensorflow: { folder: tmpdir() } }), /; run npm run setup:tensorflow$/);
});

test("tfjs's ops run on TensorFlow", needsTensorflow, async () => {
  assert.ok(await tf.setBackend("tensorflow"));
  const before = tf.memory().numTensors;
  const values = tf.tidy(() => {
    const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    // exp of int32 and prelu are among the kernels that need methods of tensors.
    const scaled = tf.prelu(tf.sub(tf.matMul(a, a), 12), tf.scalar(0.5));
    return Array.from(tf.add(scaled, tf.exp(tf.zeros([2, 2], "int32"))).dataSync());
  });
  assert.deepEqual(values, [(7 - 12) / 2 + 1, (10 - 12) / 2 + 1, 4, 11]);
  assert.equal(tf.memory().numTensors, before);
});

test("integers are round already", needsTensorflow, async () => {
  await tf.setBackend("tensorflow");
  const integers = [-12345678, 10, 12345678];
  const round = (x: tf.Tensor): number[] => Array.from(tf.tidy(() => tf.round(x).dataSync()));
  assert.deepEqual(round(tf.tensor1d(integers, "int32")), integers);
  assert.deepEqual(round(tf.tensor1d([-1.6, 2.5, 3.4])), [-2, 2, 3]);
});

test("Wkv7 and its gradient run on TensorFlow's tensors", needsBoth, async () => {
  await tf.setBackend("tensorflow");
  const { kernels } = await nativeKernels.register("tensorflow");
  assert.ok(
    ["Wkv7", "Wkv7Grad", "MetaPass", "GroupNorm", "CrossEntropy", "AdamW"].every((kernel) =>
      (kernels as readonly string[]).includes(kernel),
    ),
  );
  const shape = { batch: 2, time: 19, heads: 2, headSize: 16, checkpointInterval: 16 };
  const c = randomCase(shape, 1, [0.545, 0.999]);
  const inputs: Record<string, tf.Tensor> = {};
  for (const name of [...stepNames, "dy"] as const)
    inputs[name] = tf.tensor(Float32Array.from(c[name]), [2, 19, 2, 16]);
  for (const name of ["state", "dFinalState"] as const) {
    // Of TensorFlow's own making, not values that still wait in JavaScript.
    inputs[name] = tf.mul(tf.tensor(Float32Array.from(c[name]), [2, 2, 16, 16]), 1);
  }
  const run = (name: string, more: object) =>
    tf.engine().runKernel<tf.Tensor[]>(name, { ...inputs, ...more }, { checkpointInterval: 16 });
  const [y, finalState, checkpoints] = run("Wkv7", {});
  const expected = referenceForward(shape, c);
  // Of float32 sums; the exact bound is the kernels' own test.
  const allowed = 1e-5;
  assert.ok(relativeError(await tf.mul(y!, 1).data(), expected.y) < allowed);
  assert.ok(relativeError(await finalState!.data(), expected.finalState) < allowed);
  const gradients = run("Wkv7Grad", { checkpoints });
  const wanted = referenceBackward(shape, c);
  for (const [i, name] of gradientNames.entries()) {
    assert.ok(relativeError(await gradients[i]!.data(), wanted[name]) < allowed, name);
  }
  assert.throws(() => run("Wkv7", { k: tf.zeros([2, 19, 2, 16], "int32") }), /float32 tensors, not int32/);
});
