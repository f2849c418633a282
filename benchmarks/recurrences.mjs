#!/usr/bin/env node
// @ts-check
// npm run bench:recurrences: what share of the measured float32 FMA peak Wkv7 and MetaPass reach over shapes, forward and back.
//
//   node benchmarks/recurrences.mjs [--rounds 5] [--ops Wkv7,MetaPass] [--head-sizes 16,32,64,128] [--times 64,256,1024]
//                                   [--heads 1,2,4,12] [--simd avx512,avx2] [--no-file]
//
// Of several instruction sets (--simd) each takes a sample in turn; the ratios are the first one's rate to the others'.
// The addon is called itself: of a small op tfjs takes more time than the kernel does, which `npm run bench:small-ops` tells.

import { commandLine } from "../scripts/lib/command-line.mjs";
import { spread } from "./lib/compare.mjs";
import { load, machine, writeResults } from "./lib/machine.mjs";
import { loadAddon } from "@metastate/kernels-cuda";

const { values: options } = commandLine(
  import.meta.filename,
  {
    rounds: { type: "string", default: "5" },
    ops: { type: "string", default: "Wkv7,MetaPass" },
    "head-sizes": { type: "string", default: "16,32,64,128" },
    times: { type: "string", default: "64,256,1024" },
    heads: { type: "string", default: "1,2,4,12" },
    simd: { type: "string" },
    "no-file": { type: "boolean", default: false },
  },
  { counts: ["rounds"] },
);
const numbers = (/** @type {string} */ list) => list.split(",").map(Number);
const rounds = Number(options.rounds);
const sampleMilliseconds = 20;
const interval = 16;

const addon = loadAddon();
if (!("binding" in addon)) throw new Error(addon.reason);
const { binding } = addon;
const info = binding.info();
const instructionSets = options.simd?.split(",") ?? [info.simd];
const about = machine();
const loadBefore = load();
console.log(
  `${about.cpu}, ${about.cores} cores; ${instructionSets.join(", ")}, ${info.threads} threads; load ${loadBefore}`,
);
console.log("share of the FMA peak measured beside it, median (quartiles), best; GFLOP/s of the median");

let seed = 1;
/** Values that leave states as small as a model's: uniform in [low, high). */
const uniform = (/** @type {number} */ length, /** @type {number} */ low, /** @type {number} */ high) =>
  Float32Array.from({ length }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return low + ((high - low) * seed) / 2 ** 32;
  });
const zeros = (/** @type {number} */ length) => new Float32Array(length);

/** @type {object[]} */
const results = [];
for (const op of options.ops.split(",")) {
  const passes = { Wkv7: wkv7, MetaPass: metaPass }[op];
  if (!passes) throw new Error(`--ops has "${op}": give Wkv7, MetaPass or both`);
  for (const headSize of numbers(options["head-sizes"])) {
    for (const time of numbers(options.times)) {
      for (const heads of numbers(options.heads)) {
        const shape = { batch: 1, time, heads, headSize, checkpointInterval: interval };
        const told = Object.entries(passes(shape)).map(([pass, { flops, run }]) => {
          const measures = measured(flops, run);
          const [first, ...others] = measures;
          const ratios = others.map((other) => spread(first.rates.map((rate, round) => rate / other.rates[round])));
          const words = measures.map(({ simd, rates, shares }) => {
            const [share, gflops] = [spread(shares), spread(rates)];
            results.push({ op, pass, simd, shape: [1, time, heads, headSize], share, gflops });
            const percent = [share.median, share.low, share.high, share.most].map((value) => (100 * value).toFixed(0));
            return `${percent[0]} % (${percent[1]}–${percent[2]}), best ${percent[3]} %; ${gflops.median.toFixed(0)}`;
          });
          const times = ratios.map(({ median, low, high }) => {
            const [middle, least, most] = [median, low, high].map((value) => value.toFixed(2));
            return `; ratio ${middle} (${least}–${most})`;
          });
          return `${pass} ${words.join(" | ")}${times.join("")}`;
        });
        console.log(`${op} [1, ${time}, ${heads}, ${headSize}]: ${told.join("; ")}`);
      }
    }
  }
}
writeResults("recurrences", { native: info, loadBefore, results }, { write: !options["no-file"] });

/**
 * A kernel's rate and the peak in turn, so that the clock rate is that of both, with each instruction set.
 *
 * @param {number} flops of a call
 * @param {() => void} run
 */
function measured(flops, run) {
  run();
  let calls = 1;
  for (let took = 0; took < sampleMilliseconds / 2; calls *= 2) took = timeOf(run, calls);
  const measures = instructionSets.map((simd) => ({
    simd,
    rates: /** @type {number[]} */ ([]),
    shares: /** @type {number[]} */ ([]),
  }));
  for (let round = 0; round < rounds; ++round) {
    for (const { simd, rates, shares } of round % 2 === 0 ? measures : measures.toReversed()) {
      binding.configure({ simd });
      const peak = binding.measurePeak(sampleMilliseconds);
      const rate = (flops * calls) / 1e6 / timeOf(run, calls);
      rates.push(rate);
      shares.push(rate / peak);
    }
  }
  return measures;
}

/**
 * @param {() => void} run
 * @param {number} calls
 */
function timeOf(run, calls) {
  const begin = performance.now();
  for (let call = 0; call < calls; ++call) run();
  return performance.now() - begin;
}

/** @typedef {{batch: number, time: number, heads: number, headSize: number, checkpointInterval: number}} Shape */

/** @param {Shape} shape */
function sizes({ time, heads, headSize }) {
  const steps = time * heads * headSize;
  const state = heads * headSize ** 2;
  return { steps, state, checkpoints: Math.ceil(time / interval) * state, elements: time * state };
}

/** @param {Shape} shape operands as a model makes them: a removal key of about unit length, half of which is put back */
function operands(shape) {
  const { steps } = sizes(shape);
  const a = uniform(steps, -1, 1).map((value) => value * Math.sqrt(3 / shape.headSize));
  const [r, w, k, v] = [
    [-1, 1],
    [0.545, 0.999],
    [-1, 1],
    [-1, 1],
  ].map((range) => uniform(steps, range[0], range[1]));
  return [r, w, k, v, a, a.map((value) => -value / 2)];
}

/**
 * A call of the addon. Arguments are listed once: a small shape takes no longer than this.
 *
 * @param {Function} kernel
 * @param {Shape} shape
 * @param {(number | Float32Array)[]} rest
 */
function call(kernel, { batch, time, heads, headSize, checkpointInterval }, rest) {
  const list = [batch, time, heads, headSize, checkpointInterval, ...rest];
  return () => kernel(...list);
}

/**
 * The passes of Wkv7: 9 floating point operations for each element of the state and step forward; 26 backward, of which 7
 * compute the states again.
 *
 * @param {Shape} shape
 */
function wkv7(shape) {
  const { steps, state, checkpoints, elements } = sizes(shape);
  const given = operands(shape);
  const kept = zeros(checkpoints);
  const forward = call(binding.wkv7, shape, [...given, uniform(state, -1, 1), zeros(steps), zeros(state), kept]);
  const adjoints = [kept, uniform(steps, -1, 1), uniform(state, -1, 1)];
  const gradients = [...Array.from({ length: 6 }, () => zeros(steps)), zeros(state)];
  const backward = call(binding.wkv7Grad, shape, [...given, ...adjoints, ...gradients]);
  return { forward: { flops: 9 * elements, run: forward }, backward: { flops: 26 * elements, run: backward } };
}

/**
 * The passes of MetaPass, which are two recurrences.
 *
 * @param {Shape} of
 */
function metaPass(of) {
  const { steps, state, checkpoints, elements } = sizes(of);
  const channels = of.heads * of.headSize;
  const given = [
    1e-5,
    ...operands(of),
    ...[uniform(steps, -1, 1), uniform(steps, -1, 1), uniform(channels, 0.5, 1), uniform(channels, 0.5, 1)],
  ];
  const kept = [zeros(steps), zeros(steps), zeros(checkpoints), zeros(checkpoints)];
  const states = [uniform(state, -1, 1), uniform(state, -1, 1)];
  const forward = call(binding.metaPass, of, [...given, ...states, zeros(steps), zeros(state), ...kept]);
  const adjoints = [uniform(steps, -1, 1), uniform(state, -1, 1)];
  const gradients = [
    ...Array.from({ length: 8 }, () => zeros(steps)),
    ...[zeros(channels), zeros(channels), zeros(state), zeros(state)],
  ];
  const backward = call(binding.metaPassGrad, of, [...given, ...kept, ...adjoints, ...gradients]);
  return { forward: { flops: 18 * elements, run: forward }, backward: { flops: 52 * elements, run: backward } };
}
