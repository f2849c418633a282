#!/usr/bin/env node
// @ts-check
// npm run bench:models: a training step and a token of RWKV-7 and Meta-State on the native backend, against the same models
// in PyTorch eager with a C++ operator for the recurrence (benchmarks/peers), against memory bandwidth, and over contexts.
//
//   node benchmarks/models.mjs [--sizes 1M,10M,100M] [--models RWKV-7,Meta-State] [--rounds 7] [--python /usr/bin/python3]
//                              [--contexts 1,4,16,64,256] [--no-file]
//
// A piece of it (one size, one model; --contexts 0 for none) writes a file of its own: a quiet minute is easier to find than ten.
//
// Without a Python that has PyTorch and a C++ compiler the rows against it are left out, and said to be.

import { join } from "node:path";
import { commandLine } from "../scripts/lib/command-line.mjs";
import { compare, inTurn, spread } from "./lib/compare.mjs";
import { load, machine, writeResults } from "./lib/machine.mjs";
import { Peer, peerPython } from "./lib/peer.mjs";

const { values: options } = commandLine(
  import.meta.filename,
  {
    sizes: { type: "string", default: "1M,10M,100M" },
    models: { type: "string", default: "RWKV-7,Meta-State" },
    rounds: { type: "string", default: "7" },
    python: { type: "string", default: peerPython() },
    contexts: { type: "string", default: "1,4,16,64,256" },
    "no-file": { type: "boolean", default: false },
  },
  { counts: ["rounds"] },
);
const rounds = Number(options.rounds);
const contextRounds = 25;
const whole = options.sizes === "1M,10M,100M" && options.models === "RWKV-7,Meta-State";
const pieceName = whole ? "models" : `models-${options.sizes}-${options.models}`.toLowerCase().replaceAll(",", "-");

/** Sizes as published small RWKV-7 models have them; bytes as tokens, so that the head is no large part. */
const sizes = {
  "1M": { layers: 4, width: 128, headSize: 32, batchSize: 4, length: 256 },
  "10M": { layers: 8, width: 320, headSize: 64, batchSize: 2, length: 256 },
  "100M": { layers: 12, width: 768, headSize: 64, batchSize: 1, length: 256 },
};
const variants = /** @type {const} */ ([
  ["RWKV-7", "none"],
  ["Meta-State", "sse"],
]);

const tf = await import("@tensorflow/tfjs-core");
const ms = await import("metastate");
const { nativeEngine, loadAddon } = await import("@metastate/kernels-cuda");
const { timedModel } = await import("./lib/timed-model.mjs");
ms.registerEngine(nativeEngine);
await ms.startEngine({ backend: "native", log: () => {} });
const addon = loadAddon();
if (!("binding" in addon)) throw new Error(addon.reason);
const { binding } = addon;
const info = binding.info();
const loadBefore = load();
const about = machine();
console.log(`${about.cpu}, ${about.cores} cores; ${info.simd}, ${info.threads} threads; load ${loadBefore}`);
const text = ms.byteTokenizer().encode(ms.data.mobyDick());
/** @type {object[]} */
const results = [];

for (const size of options.sizes.split(",")) {
  const chosen = sizes[/** @type {keyof typeof sizes} */ (size)];
  if (!chosen) {
    console.error(`--sizes has "${size}": give some of ${Object.keys(sizes).join(", ")}`);
    process.exit(2);
  }
  const { batchSize, length, ...shape } = chosen;
  for (const [name, sse] of variants.filter(([of]) => options.models.split(",").includes(of))) {
    await compileAround({ ...shape, width: 64, headSize: 32, sse });
    const model = timedModel({ vocabSize: 256, ...shape, sse });
    const parameters = [...model.parameters.values()].reduce((sum, { size: count }) => sum + count, 0);
    const steps = training(model, batchSize, length);
    const decoding = decoder(model);
    const what = `${name}, ${(parameters / 1e6).toFixed(1)} M parameters`;
    const peer = await Peer.start(options.python, [
      join(import.meta.dirname, "peers", "pytorch_models.py"),
      JSON.stringify(peerConfiguration(model.configuration, batchSize, length)),
    ]);
    if ("reason" in peer) console.log(`PyTorch is left out: ${peer.reason}`);

    const ours = { train: () => steps.next(), token: () => decoding.step() };
    for (const [row, task, sampleMilliseconds] of /** @type {const} */ ([
      ["training step", "train", 300],
      ["token", "token", 100],
    ])) {
      if ("reason" in peer) {
        const alone = await compare(ours[task], ours[task], { rounds: Math.min(rounds, 3), sampleMilliseconds });
        note({ row, what, size, milliseconds: alone.fastMilliseconds });
        console.log(`${row}, ${what}: ${alone.fastMilliseconds.median.toPrecision(3)} ms`);
        continue;
      }
      const comparison = await compare({ milliseconds: () => peer.run(task) }, ours[task], {
        rounds,
        sampleMilliseconds,
      });
      note({ row, what, size, peer: peer.about, ...comparison });
      const { ratio } = comparison;
      console.log(
        `${row}, ${what}: ${ratio.median.toFixed(2)} times as fast as PyTorch ${peer.about.torch} ` +
          `(quartiles ${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}; ` +
          `${comparison.slowMilliseconds.median.toPrecision(3)} against ${comparison.fastMilliseconds.median.toPrecision(3)} ms)`,
      );
    }
    if (!("reason" in peer)) peer.stop();

    bandwidth(what, size, decoding, 4 * parameters);
    if (size === options.sizes.split(",")[0]) contexts(what, size, model);
    decoding.dispose();
    await steps.return();
    tf.dispose([...model.parameters.values()]);
  }
}

writeResults(pieceName, { native: info, loadBefore, results }, { write: !options["no-file"] });

/** @param {object} result */
function note(result) {
  results.push(result);
}

/**
 * Steps without an end.
 *
 * @param {import("metastate").Model} model
 * @param {number} batchSize
 * @param {number} length
 */
function training(model, batchSize, length) {
  return ms.train(model, ms.data.batches(text, { batchSize, length, seed: 1 }), {
    steps: Number.MAX_SAFE_INTEGER,
    warmup: 0,
    schedule: "constant",
    learningRate: 1e-4,
  });
}

/**
 * Trains a small model of as many layers, and has it write, until V8 has compiled what lies around the ops: of a large one only a
 * few steps are measured, and the first of a training take a tenth of a second more for that.
 *
 * @param {Omit<import("metastate").ModelOptions, "vocabSize">} shape
 */
async function compileAround(shape) {
  const model = timedModel({ vocabSize: 256, ...shape });
  const steps = training(model, 1, 64);
  for (let step = 0; step < 20; ++step) await steps.next();
  await steps.return();
  const decoding = decoder(model);
  for (let token = 0; token < 200; ++token) decoding.step();
  decoding.dispose();
  tf.dispose([...model.parameters.values()]);
}

/**
 * Writes one token after the other.
 *
 * @param {import("metastate").Model} model
 */
function decoder(model) {
  /** @type {import("metastate").ModelState | undefined} */
  let state;
  return {
    step: () => {
      const result = model.forward([[65]], state);
      result.logits.dataSync();
      result.logits.dispose();
      state?.dispose();
      state = result.state;
    },
    dispose: () => state?.dispose(),
  };
}

/**
 * Bytes of weights a token reads, by its time, against what memory gives when nothing is computed.
 *
 * @param {string} what
 * @param {string} size
 * @param {ReturnType<typeof decoder>} decoding
 * @param {number} bytes
 */
function bandwidth(what, size, decoding, bytes) {
  const shares = [];
  for (let round = 0; round < rounds; ++round) {
    // The fastest in a time, as the bandwidth is that of the fastest pass in the same time.
    let least = Infinity;
    for (const begin = performance.now(); performance.now() - begin < 150;) {
      const before = performance.now();
      decoding.step();
      least = Math.min(least, performance.now() - before);
    }
    shares.push(bytes / 1e6 / least / binding.measureBandwidth(150));
  }
  const share = spread(shares);
  note({ row: "share of memory bandwidth", what, size, share });
  console.log(
    `token, ${what}: ${(100 * share.median).toFixed(0)} % of memory bandwidth ` +
      `(quartiles ${(100 * share.low).toFixed(0)} to ${(100 * share.high).toFixed(0)} %)`,
  );
}

/**
 * The time of the next token after more and more of a text, of all contexts in turn, and what their states hold.
 *
 * @param {string} what
 * @param {string} size
 * @param {import("metastate").Model} model
 */
function contexts(what, size, model) {
  const lengths = options.contexts
    .split(",")
    .map((thousands) => 1024 * Number(thousands))
    .filter((length) => length > 0);
  if (lengths.length === 0) return;
  const states = statesAfter(model, lengths);
  const measured = inTurn(
    states.map((state) => () => {
      const next = model.forward([[65]], state);
      next.logits.dataSync();
      next.logits.dispose();
      next.state.dispose();
    }),
    { rounds: contextRounds },
  );
  measured.forEach(({ milliseconds, ratio }, which) => {
    const tokens = lengths[which];
    const stateBytes = states[which].tensors().reduce((sum, { size: count }) => sum + 4 * count, 0);
    note({ row: "context", what, size, tokens, milliseconds, ratio, stateBytes });
    console.log(
      `token, ${what}, after ${tokens.toLocaleString("en")} tokens: ${milliseconds.median.toPrecision(3)} ms, ` +
        `${ratio.median.toFixed(3)} times that after ${lengths[0].toLocaleString("en")} ` +
        `(quartiles ${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)}), state ${(stateBytes / 2 ** 20).toFixed(2)} MiB`,
    );
  });
  for (const state of states) state.dispose();
}

/**
 * The states after so many tokens of text each, read in pieces.
 *
 * @param {import("metastate").Model} model
 * @param {readonly number[]} lengths ascending multiples of 1,024
 */
function statesAfter(model, lengths) {
  const piece = 1024;
  /** @type {import("metastate").ModelState | undefined} */
  let state;
  return lengths.map((length, which) => {
    for (let read = which === 0 ? 0 : lengths[which - 1]; read < length; read += piece) {
      const at = read % (text.length - piece);
      const tokens = [...text.subarray(at, at + piece)].map((token) => token % model.configuration.vocabSize);
      const result = model.forward([tokens], state, { logits: "last" });
      result.logits.dispose();
      if (state && read !== lengths[which - 1]) state.dispose();
      state = result.state;
    }
    return /** @type {import("metastate").ModelState} */ (state);
  });
}

/**
 * The model as the peer takes it.
 *
 * @param {import("metastate").ModelConfiguration} configuration
 * @param {number} batchSize
 * @param {number} length
 */
function peerConfiguration(configuration, batchSize, length) {
  const { vocabSize, width, layers, headSize, heads, parameterTokens, sse, lowRank } = configuration;
  const model = { vocabSize, width, layers, headSize, heads, parameterTokens, sse, lowRank };
  return { ...model, batchSize, length, threads: info.threads };
}
