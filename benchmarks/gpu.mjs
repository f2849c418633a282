#!/usr/bin/env node
// @ts-check
// The backend `cuda` on this machine's GPU: matrix products, memory, the overhead of a small op, Wkv7, training steps and
// decoding of Meta-State models. Times are the GPU's own between two events, or of the clock where the host takes part.
//
//   node benchmarks/gpu.mjs [--report file.json] [--emulated] [--quick]
//
// --emulated with --quick shows on a machine without a GPU that it runs; its figures mean nothing.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { commit, machine } from "./lib/machine.mjs";

const { values: options } = parseArgs({
  options: {
    report: { type: "string", default: join(import.meta.dirname, "results", "gpu.json") },
    emulated: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
  },
});
const ms = await import("metastate");
const tf = await import("@tensorflow/tfjs-core");
const kernels = await import("@metastate/kernels-cuda");

const addon = kernels.loadCudaAddon({ emulated: options.emulated });
if (!("binding" in addon)) {
  console.error(`the GPU cannot be measured: ${addon.reason}\n${addon.remedy}`);
  process.exit(2);
}
const { binding, device } = addon;
ms.registerEngine(options.emulated ? kernels.cudaEmulatedEngine : kernels.cudaEngine);
const engine = await ms.startEngine({ backend: options.emulated ? "cuda-emulated" : "cuda", log: () => {} });
const rounds = options.quick ? 1 : 20;

/** @type {object[]} */
const results = [];
/** @param {string} what @param {Record<string, unknown>} figures */
function tell(what, figures) {
  results.push({ what, ...figures });
  const told = Object.entries(figures).map(
    ([name, value]) => `${name} ${typeof value === "number" ? round(value) : value}`,
  );
  console.log(`${what}: ${told.join(", ")}`);
}

/** @param {number} value */
function round(value) {
  return Number(value.toPrecision(4));
}

/**
 * Milliseconds of one call on the GPU: the least of several samples, after a warm-up.
 *
 * @param {() => unknown} run
 * @param {number} [calls] in a sample
 */
async function onGpu(run, calls = options.quick ? 1 : 10) {
  const once = () => tf.tidy(() => void run());
  once();
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const stop = binding.startTimer();
    for (let call = 0; call < calls; call++) once();
    least = Math.min(least, (await stop()) / calls);
  }
  return least;
}

/** Milliseconds of one call by the clock, the GPU's work included. @param {() => Promise<unknown> | unknown} run */
async function byClock(run, calls = options.quick ? 1 : 10) {
  await run();
  binding.synchronize();
  let least = Infinity;
  for (let round = 0; round < Math.min(rounds, 5); round++) {
    const begin = performance.now();
    for (let call = 0; call < calls; call++) await run();
    binding.synchronize();
    least = Math.min(least, (performance.now() - begin) / calls);
  }
  return least;
}

for (const precision of engine.precisions) {
  engine.setPrecision(precision);
  for (const size of options.quick ? [32] : [256, 512, 1024, 2048, 4096, 8192]) {
    const [a, b] = [1, 2].map((seed) => tf.randomNormal([size, size], 0, 1, "float32", seed));
    const milliseconds = await onGpu(() => tf.matMul(/** @type {any} */ (a), /** @type {any} */ (b)));
    tell("matrix product", { precision, size, milliseconds, gflops: (2 * size ** 3) / 1e6 / milliseconds });
    tf.dispose([a, b]);
  }
}
engine.setPrecision("float32");

const bytes = options.quick ? 2 ** 12 : 2 ** 30;
const large = tf.ones([bytes / 4]);
const milliseconds = await onGpu(() => tf.relu(large));
tell("element-wise, memory read and written", {
  bytes,
  milliseconds,
  gigabytesPerSecond: (2 * bytes) / 1e6 / milliseconds,
});
large.dispose();

const one = tf.ones([1]);
tell("one small op, JS to JS, launched only", {
  microseconds: 1000 * (await byClock(() => tf.tidy(() => void tf.relu(one)), options.quick ? 1 : 2000)),
});
tell("one small op and its value", {
  microseconds:
    1000 *
    (await byClock(async () => {
      const y = tf.relu(one);
      await y.data();
      y.dispose();
    })),
});
one.dispose();

for (const shape of options.quick
  ? [[1, 17, 1, 16]]
  : [
      [8, 512, 12, 64],
      [8, 4096, 12, 64],
      [1, 4096, 32, 64],
      [1, 1, 32, 64],
    ]) {
  const [batch, time, heads, size] = /** @type {[number, number, number, number]} */ (shape);
  const draw = (/** @type {number} */ low, /** @type {number} */ high) => tf.randomUniform(shape, low, high);
  const names = ["r", "k", "v", "a", "b"];
  const reach = 1 / Math.sqrt(size);
  const inputs = Object.fromEntries(names.map((name) => [name, draw(-reach, reach)]));
  inputs["w"] = draw(0.6, 0.999);
  inputs["state"] = tf.zeros([batch, heads, size, size]);
  const tokens = batch * time;
  const run = (/** @type {string} */ name, /** @type {object} */ given, checkpointInterval = 16) =>
    /** @type {any} */ (tf.engine()).runKernel(name, given, { checkpointInterval });
  try {
    const forward = await onGpu(() => run("Wkv7", inputs, 0));
    tell("Wkv7 forward", { shape: shape.join("×"), milliseconds: forward, tokensPerSecond: (1000 * tokens) / forward });
    const [y, finalState, checkpoints] = run("Wkv7", inputs);
    const given = { ...inputs, checkpoints, dy: y, dFinalState: finalState };
    const backward = await onGpu(() => run("Wkv7Grad", given));
    tell("Wkv7 backward", {
      shape: shape.join("×"),
      milliseconds: backward,
      tokensPerSecond: (1000 * tokens) / backward,
    });
    tf.dispose([y, finalState, checkpoints]);
  } catch (error) {
    tell("Wkv7", { shape: shape.join("×"), failed: error instanceof Error ? error.message : String(error) });
  }
  tf.dispose(inputs);
}

/** Parameters grow about as layers × 14 width². */
const sizes = options.quick
  ? [{ name: "tiny", width: 32, layers: 1, headSize: 16, batchSize: 1, length: 8 }]
  : [
      { name: "1 M", width: 128, layers: 4, headSize: 64, batchSize: 16, length: 256 },
      { name: "10 M", width: 320, layers: 7, headSize: 64, batchSize: 16, length: 512 },
      { name: "100 M", width: 768, layers: 12, headSize: 64, batchSize: 8, length: 512 },
    ];
for (const { name, batchSize, length, ...configuration } of sizes) {
  try {
    const model = ms.createModel({ vocabSize: 256, ...configuration }, { seed: 1 });
    let parameters = 0;
    for (const variable of model.parameters.values()) parameters += variable.size;
    const text = Int32Array.from({ length: 65536 }, (_, i) => (i * 7919) % 251);
    const steps = ms.train(model, ms.data.batches(text, { batchSize, length, seed: 1 }), {
      steps: Number.MAX_SAFE_INTEGER,
      warmup: 0,
      schedule: "constant",
      learningRate: 1e-5,
    });
    const step = await byClock(() => steps.next(), options.quick ? 1 : 5);
    await steps.return();
    tell("training step", {
      model: name,
      parameters,
      batchSize,
      length,
      milliseconds: step,
      tokensPerSecond: (1000 * batchSize * length) / step,
    });
    let state = model.forward([[1]]).state;
    const decode = await byClock(async () => {
      const next = model.forward([[1]], state);
      state.dispose();
      await next.logits.data();
      next.logits.dispose();
      state = next.state;
    });
    state.dispose();
    tell("decoding, one token", {
      model: name,
      parameters,
      milliseconds: decode,
      tokensPerSecond: 1000 / decode,
      gigabytesPerSecond: (4 * parameters) / 1e6 / decode,
    });
  } catch (error) {
    tell("model", { model: name, failed: error instanceof Error ? error.message : String(error) });
  }
}

const report = {
  command: ["node benchmarks/gpu.mjs", ...process.argv.slice(2)].join(" "),
  date: new Date().toISOString(),
  commit: commit(),
  machine: machine(),
  device,
  versions: engine.versions(),
  memory: binding.memory(),
  fallbacks: Object.fromEntries(kernels.hostFallbacks),
  results,
};
mkdirSync(dirname(resolve(options.report)), { recursive: true });
writeFileSync(options.report, `${JSON.stringify(report, null, 2)}\n`);
console.log(`report: ${options.report}`);
