#!/usr/bin/env node
// @ts-check
// npm run bench:engine: what the native kernels gain over the library's own on the WASM backend, Wkv7 over an operator in C++ of
// PyTorch, where a Python has that, and the native backend over tfjs-node, where `npm run setup:tensorflow` was run.
//
//   node benchmarks/engine.mjs [--python /usr/bin/python3] [--only recurrence,steps,operator,engines] [--rounds 15] [--quick]
//                             [--no-file]

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { commandLine } from "../scripts/lib/command-line.mjs";
import { compare, meanMilliseconds } from "./lib/compare.mjs";
import { load, machine, writeResults } from "./lib/machine.mjs";
import { Peer, peerPython } from "./lib/peer.mjs";

const { values: options } = commandLine(
  import.meta.filename,
  {
    python: { type: "string", default: peerPython() },
    only: { type: "string", default: "recurrence,steps,operator,engines" },
    rounds: { type: "string", default: "15" },
    quick: { type: "boolean", default: false },
    "no-file": { type: "boolean", default: false },
  },
  { counts: ["rounds"] },
);
const rounds = options.quick ? 3 : Number(options.rounds);

const packages = await (async () => {
  try {
    return {
      ms: await import("metastate"),
      tf: await import("@tensorflow/tfjs-core"),
      engine: await import("@metastate/kernels-cuda"),
      ...(await import("./lib/contenders.mjs")),
    };
  } catch (error) {
    console.error(`the packages are not built (${error instanceof Error ? error.message : error}): run npm run build`);
    process.exit(1);
  }
})();
const { ms, tf, engine } = packages;

/** Shapes of Wkv7: [B, T, H, N]. */
const shapes = [
  { name: "the first notebook's layer", shape: [4, 128, 2, 32] },
  { name: "a 390 k parameter model's layer", shape: [4, 256, 3, 32] },
  { name: "a 100 M parameter model's layer, batch 1", shape: [1, 512, 12, 64] },
  { name: "one token of that model", shape: [1, 1, 12, 64] },
];

const models = [
  {
    name: "the first notebook: 2 layers of 64, head size 32, batch 4 of 128 bytes",
    configuration: { vocabSize: 256, width: 64, layers: 2, headSize: 32 },
    batch: { batchSize: 4, length: 128 },
  },
  {
    name: "390 k parameters: 3 layers of 96, head size 32, batch 4 of 256 bytes",
    configuration: { vocabSize: 256, width: 96, layers: 3, headSize: 32 },
    batch: { batchSize: 4, length: 256 },
  },
];

const loadBefore = load();
await ms.startEngine({ backend: "wasm", log: () => {} });
const text = ms.byteTokenizer().encode(ms.data.mobyDick());

/** @param {(typeof models)[number]} model */
function training({ configuration, batch }) {
  const model = ms.createModel(configuration, { seed: 1 });
  const batches = ms.data.batches(text, { ...batch, seed: 1 });
  return ms.train(model, batches, {
    steps: Number.MAX_SAFE_INTEGER,
    warmup: 0,
    schedule: "constant",
    learningRate: 1e-4,
  });
}

const use = await packages.contenders("wasm", async () => {
  const steps = training(models[0]);
  await steps.next();
  await steps.return();
});

const addon = engine.loadAddon();
if (!("binding" in addon)) throw new Error(addon.reason);
const { binding } = addon;
const info = binding.info();
const about = machine();
console.log(`${about.cpu}, ${about.cores} cores, Node ${about.node}; load ${loadBefore}`);
console.log(
  `native: ${info.simd}, ${info.threads} threads, ${info.compiler}; against the library's kernels on tfjs wasm`,
);

/** @type {object[]} */
const results = [];

/** @type {Record<string, () => Promise<void>>} */
const parts = { recurrence, steps, operator, engines };
for (const part of options.only.split(",")) {
  const measure = parts[part];
  if (!measure) {
    console.error(`--only has "${part}": give some of ${Object.keys(parts).join(", ")}`);
    process.exit(2);
  }
  await measure();
}

const native = { kernels: use.names, simd: info.simd, threads: info.threads, compiler: info.compiler };
writeResults("engine", { native, loadBefore, results }, { write: !options["no-file"] });

/** Wkv7 with the native kernels and with the library's, on the wasm backend, and what the native ones reach of the peak. */
async function recurrence() {
  for (const { name, shape } of shapes) {
    for (const [pass, run, flops] of wkv7Calls(shape)) {
      const slow = () => run(use.library);
      const fast = () => run(use.native);
      const comparison = await compare(slow, fast, { rounds });
      const peak = binding.measurePeak(100); // beside every measurement: clock rates change within a run
      // The peak is that of the best slices, so the best sample is told beside the median.
      const gflops = {
        median: flops / 1e6 / comparison.fastMilliseconds.median,
        best: flops / 1e6 / comparison.fastMilliseconds.least,
      };
      const shareOfPeak = { median: gflops.median / peak, best: gflops.best / peak };
      results.push({ what: `Wkv7 ${pass}`, name, shape, ...comparison, gflops, peakGflops: peak, shareOfPeak });
      console.log(`Wkv7 ${pass} [${shape.join(", ")}] ${told(comparison)}; ${rate(gflops, shareOfPeak)}`);
    }
  }
}

/** A training step with the native kernels for the library's ops and with the library's own, on the wasm backend. */
async function steps() {
  for (const model of models) await train(model, "training step", [use.library, use.native]);
}

/** A training step on the native backend, with all of its kernels, against others. */
async function engines() {
  use.library();
  await nativeBackend();
  const others = ["wasm"];
  const tensorflow = await engine.tensorflowEngine.start();
  if (tensorflow.ready) {
    // As the library runs on it: with our kernels for its ops.
    await engine.nativeKernels.register(tensorflow.backend);
    others.push(tensorflow.backend);
  } else console.log(`tfjs-node is left out: ${tensorflow.reason}`);
  for (const model of models) {
    for (const other of others) {
      const what = `training step on native against ${other}`;
      await train(model, what, [() => tf.setBackend(other), () => tf.setBackend("native")]);
    }
  }
  await tf.setBackend("wasm");
}

/** Makes the native backend known. */
async function nativeBackend() {
  const started = await engine.nativeEngine.start();
  if (!started.ready) throw new Error(started.reason);
}

/**
 * Two trainings from the same seed in turn, a step at a time.
 *
 * @param {(typeof models)[number]} model
 * @param {string} what
 * @param {(() => unknown)[]} changes put one of the two contenders in place, the slower first
 */
async function train({ name, configuration, batch }, what, changes) {
  const both = [];
  for (const change of changes) {
    await change();
    both.push({ change, training: training({ name, configuration, batch }) });
  }
  const [slow, fast] = both.map((of) => async () => {
    await of.change();
    await of.training.next();
  });
  const comparison = await compare(slow, fast, { rounds, sampleMilliseconds: 300 });
  for (const of of both) {
    await of.change();
    await of.training.return();
  }
  const tokensPerSecond = (1000 * batch.batchSize * batch.length) / comparison.fastMilliseconds.median;
  results.push({ what, name, configuration, batch, ...comparison, tokensPerSecond });
  console.log(`${what} (${name}) ${told(comparison)}; ${tokensPerSecond.toFixed(0)} tokens/s`);
}

/** Wkv7 on the native backend against an operator in C++ of PyTorch, each through what one calls it by, results made anew. */
async function operator() {
  const script = join(import.meta.dirname, "peers", "recurrence.py");
  const peer = await Peer.start(options.python, [script, String(info.threads)]);
  if ("reason" in peer) {
    console.log(`PyTorch is left out: ${peer.reason}`);
    return;
  }
  await nativeBackend();
  await tf.setBackend("native");
  const sample = 30;
  // The threads of either watch for a while when their work is done.
  const timed = (/** @type {() => number | Promise<number>} */ run) => ({
    milliseconds: () => setTimeout(150).then(run),
  });
  for (const { name, shape } of shapes) {
    for (const [pass, run] of wkv7Calls(shape)) {
      const comparison = await compare(
        timed(() => peer.run(`${pass} ${shape.join(" ")} ${sample}`)),
        timed(() => meanMilliseconds(() => run(() => {}), sample)),
        { rounds, sampleMilliseconds: 0 },
      );
      results.push({ what: `Wkv7 ${pass}`, name, shape, peer: peer.about, ...comparison });
      console.log(`Wkv7 ${pass} [${shape.join(", ")}] on native against ${peer.about.name}: ${told(comparison)}`);
    }
  }
  peer.stop();
  await tf.setBackend("wasm");
}

/**
 * The forward and the backward pass as calls with one or the other set of kernels, and the floating point operations of
 * each: 9 and 26 for each element of the state and step. (Backward: 19, and 7 to compute the states again.)
 *
 * @param {number[]} shape
 * @returns {[pass: string, run: (kernels: () => void) => void, flops: number][]}
 */
function wkv7Calls(shape) {
  const [batch, time, heads, headSize] = shape;
  const stateShape = [batch, heads, headSize, headSize];
  const interval = time > 1 ? 16 : 0;
  let seed = 0;
  const uniform = (/** @type {number} */ low, /** @type {number} */ high, of = shape) =>
    tf.randomUniform(of, low, high, "float32", ++seed);
  // A removal key of about unit length, of which half is put back, as the model makes them: the state stays small.
  const removalKey = tf.mul(uniform(-1, 1), Math.sqrt(3 / headSize));
  const inputs = {
    r: uniform(-1, 1),
    w: uniform(0.545, 0.999),
    k: uniform(-1, 1),
    v: uniform(-1, 1),
    a: tf.neg(removalKey),
    b: tf.mul(removalKey, 0.5),
  };
  const state = uniform(-1, 1, stateShape);
  const elements = batch * time * heads * headSize ** 2;
  const runKernel = (/** @type {string} */ name, /** @type {object} */ tensors) =>
    /** @type {import("@tensorflow/tfjs-core").Tensor[]} */ (
      tf.engine().runKernel(name, /** @type {any} */ (tensors), { checkpointInterval: interval })
    );
  const forward = (/** @type {() => void} */ kernels) => {
    kernels();
    tf.dispose(runKernel("Wkv7", { ...inputs, state }));
  };
  if (interval === 0) return [["forward", forward, 9 * elements]];
  use.library();
  const [, , checkpoints] = runKernel("Wkv7", { ...inputs, state });
  const adjoints = { checkpoints, dy: uniform(-1, 1), dFinalState: uniform(-1, 1, stateShape) };
  const backward = (/** @type {() => void} */ kernels) => {
    kernels();
    tf.dispose(runKernel("Wkv7Grad", { ...inputs, ...adjoints }));
  };
  return [
    ["forward", forward, 9 * elements],
    ["backward", backward, 26 * elements],
  ];
}

/** @param {import("./lib/compare.mjs").Comparison} comparison */
function told({ slowMilliseconds, fastMilliseconds, ratio, withinNoise }) {
  const times = `${figure(slowMilliseconds.median)} ms -> ${figure(fastMilliseconds.median)} ms`;
  if (withinNoise) return `${times}: no difference beyond the noise (${figure(ratio.low)} to ${figure(ratio.high)})`;
  return `${times}: ${figure(ratio.median)} times as fast (${figure(ratio.low)} to ${figure(ratio.high)})`;
}

/**
 * @param {{median: number, best: number}} gflops
 * @param {{median: number, best: number}} share
 */
function rate(gflops, share) {
  const percent = (/** @type {number} */ value) => (100 * value).toFixed(0);
  return (
    `${figure(gflops.median)} GFLOP/s, at best ${figure(gflops.best)}: ` +
    `${percent(share.median)} %, at best ${percent(share.best)} % of the FMA peak`
  );
}

/** @param {number} value */
function figure(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
