import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { batches } from "../data/batches.js";
import { NumericsError } from "../errors.js";
import { createModel, type Model } from "../model/model.js";
import { useBackend } from "../testing.js";
import { train } from "../training/train.js";
import { checkNumerics } from "./check-numerics.js";

await useBackend("cpu");

/** What the check says of `run`; every test must find something, and leave no tensors. */
function found(run: () => void): NumericsError {
  const before = tf.memory();
  checkNumerics();
  try {
    tf.tidy(run);
  } catch (error) {
    assert.ok(error instanceof NumericsError, String(error));
    assert.equal(tf.memory().numTensors, before.numTensors);
    assert.equal(tf.memory().numDataBuffers, before.numDataBuffers);
    return error;
  } finally {
    checkNumerics(false);
  }
  assert.fail("nothing was found");
}

function smallModel(): Model {
  return createModel({ vocabSize: 16, width: 16, layers: 2, headSize: 16 }, { seed: 1 });
}

/** Makes one value of a parameter NaN. */
function spoil(model: Model, name: string): void {
  const variable = model.parameters.get(name)!;
  const values = variable.dataSync().slice();
  values[3] = NaN;
  tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
}

for (const backend of ["cpu", "wasm"] as const) {
  test(`the op that leaves the finite numbers is named, with its inputs, on ${backend}`, async () => {
    await useBackend(backend);
    const x = tf.tensor2d([4, 1, 0, 0.5], [2, 2]);
    const { message, finding } = found(() => void tf.exp(tf.log(x)));
    assert.deepEqual(
      { ...finding, inputs: finding.inputs.length },
      { op: "Log", within: null, value: -Infinity, index: 2, count: 1, size: 4, inputs: 1, path: null, step: null },
    );
    assert.equal(
      message,
      "Log gave -Infinity (1 of 4 values are not finite, the first at index 2). Its inputs: x float32 [2, 2]. All of them " +
        "are finite: look at their range (a logarithm or root of too little, an overflow), or lower learningRate",
    );
    x.dispose();
    await useBackend("cpu");
  });
}

test("an input that was bad already is named", () => {
  const a = tf.tensor1d([1, NaN]);
  const { message, finding } = found(() => void tf.add(a, tf.ones([2])));
  assert.deepEqual(
    finding.inputs.map(({ argument, bad }) => [argument, bad]),
    [
      ["a", NaN],
      ["b", null],
    ],
  );
  assert.match(message, /a float32 \[2\] \(NaN already\); b float32 \[2\]\. a was so before any op was checked/);
  a.dispose();
});

test("in a model the parameter is named", () => {
  const model = smallModel();
  spoil(model, "blocks.1.att.w0");
  const { message, finding } = found(() => void model.forward([[1, 2, 3]]));
  assert.equal(finding.path, "blocks.1.att.w0");
  assert.match(message, /^Decay, output 0, gave NaN at blocks\.1\.att\.w0 /);
  assert.match(message, /\(the parameter blocks\.1\.att\.w0, NaN already\)/);
  model.dispose();
});

test("an activation that an op makes bad is told by what goes in: activations by name, parts of ops by the op", () => {
  const model = smallModel();
  // A tap that makes one head's decay far too large: the recurrence overflows.
  const tap = (name: string, value: tf.Tensor): tf.Tensor =>
    name === "blocks.1.att.w" ? tf.add(tf.zerosLike(value), 3e38) : value;
  const { finding, message } = found(() => void model.forward([[1, 2, 3, 4]], undefined, { tap }));
  assert.equal(finding.op, "Wkv7");
  assert.ok(finding.inputs.every(({ bad }) => bad === null));
  assert.ok(finding.inputs.some(({ name }) => name?.name === "blocks.1.att.r" && name.kind === "activation"));
  assert.match(message, /r float32 \[1, 4, 1, 16\] \(the activation blocks\.1\.att\.r\)/);
  model.dispose();
});

test("in training the step is named; it ends there and leaves nothing behind", async () => {
  const model = smallModel();
  const kept = tf.memory().numTensors;
  const text = Int32Array.from({ length: 200 }, (_, i) => (i * 7) % 16);
  checkNumerics();
  try {
    const steps = train(model, batches(text, { batchSize: 2, length: 5, seed: 1 }), { steps: 5, warmup: 0 });
    await steps.next();
    await steps.next();
    spoil(model, "blocks.0.ffn.value.weight");
    await assert.rejects(steps.next(), (error: unknown) => {
      assert.ok(error instanceof NumericsError);
      assert.equal(error.finding.step, 3);
      assert.equal(error.finding.path, "blocks.0.ffn.value.weight");
      assert.match(error.message, /in training step 3 /);
      return true;
    });
  } finally {
    checkNumerics(false);
  }
  assert.equal(tf.memory().numTensors, kept);
  model.dispose();
});

test("METASTATE_CHECK_NUMERICS=1 has it from the start of the engine, and says so", () => {
  const program = `
    import { startEngine } from ${JSON.stringify(new URL("../engine.js", import.meta.url).href)};
    import * as tf from ${JSON.stringify(import.meta.resolve("@tensorflow/tfjs-core"))};
    await startEngine({ backend: "cpu" });
    try { tf.log(tf.scalar(-1)); } catch (error) { console.log(error.name, error.finding.op); }`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    env: { ...process.env, METASTATE_CHECK_NUMERICS: "1" },
  });
  assert.equal(stdout, "NumericsError Log\n", stderr);
  assert.match(stderr, /checked for NaN and infinity, which is slow \(METASTATE_CHECK_NUMERICS\)/);
});

test("an infinity of a gradient is found in the backward pass", () => {
  const x = tf.tensor1d([1e-30, 1]);
  const { finding } = found(() => void tf.grad((y) => tf.sum(tf.sqrt(tf.mul(y, 1e-20))))(x));
  assert.equal(finding.op, "RealDiv");
  assert.ok(finding.inputs.every(({ bad }) => bad === null));
  x.dispose();
});

test("finite work passes, a constant infinity too, and when switched off nothing is looked at", () => {
  const model = smallModel();
  checkNumerics();
  checkNumerics();
  try {
    tf.tidy(() => void model.forward([[1, 2]]));
    tf.dispose(tf.fill([2], -Infinity));
  } finally {
    checkNumerics(false);
  }
  assert.equal(Object.hasOwn(tf.engine(), "runKernel"), false);
  assert.ok(Number.isNaN(tf.tidy(() => tf.log(tf.scalar(-1)).dataSync()[0])));
  model.dispose();
});
