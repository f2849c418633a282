#!/usr/bin/env node
// @ts-check
// npm run bench:products: float32 matrix products of the native backend, with OpenBLAS and with the addon's own code,
// against tfjs's WASM backend and against numpy and PyTorch where a Python has them.
//
//   node benchmarks/products.mjs [--python /usr/bin/python3] [--sizes 256,512,1024,2048] [--rounds 5]

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { load, machine } from "./lib/machine.mjs";

const { values: options } = parseArgs({
  options: {
    python: { type: "string", multiple: true, default: ["python3"] },
    sizes: { type: "string", default: "256,512,1024,2048" },
    rounds: { type: "string", default: "5" },
  },
});
const sizes = options.sizes.split(",").map(Number);
const rounds = Number(options.rounds);
const tf = await import("@tensorflow/tfjs-core");
const ms = await import("metastate");
const { nativeEngine, loadAddon } = await import("@metastate/kernels-cuda");
await ms.startEngine({ backend: "wasm", log: () => {} });
const started = await nativeEngine.start();
const addon = loadAddon();
if (!started.ready || !("binding" in addon)) {
  console.error(started.ready ? "the addon is not there" : started.reason);
  process.exit(1);
}
const { binding } = addon;
const { blas, simd, threads } = binding.info();
console.log(`${machine().cpu}; ${simd}, ${threads} threads; load ${load()}; ${blas || "no OpenBLAS"}`);
console.log(
  `peak ${binding.measurePeak(500).toFixed(0)} GFLOP/s; figures are the best of ${rounds} rounds, in GFLOP/s`,
);

/** @type {Map<string, Map<number, number>>} the least milliseconds by contender and size */
const least = new Map();
/** @type {(name: string, size: number, milliseconds: number) => void} */
const note = (name, size, milliseconds) => {
  const of = least.get(name) ?? new Map();
  of.set(size, Math.min(of.get(size) ?? Infinity, milliseconds));
  least.set(name, of);
};

/** @param {() => void} run */
function time(run) {
  const begin = performance.now();
  run();
  return performance.now() - begin;
}

// Contenders take turns, so that what else the machine does strikes all of them.
for (let round = 0; round < rounds; ++round) {
  for (const size of sizes) {
    const flops = 2 * size ** 3;
    const repeats = Math.max(1, Math.ceil(1e9 / flops));
    for (const backend of ["native", "wasm"]) {
      await tf.setBackend(backend);
      const [a, b] = [tf.randomUniform([size, size]), tf.randomUniform([size, size])];
      a.dataSync();
      b.dataSync();
      const once = () => tf.dispose(tf.matMul(/** @type {any} */ (a), /** @type {any} */ (b)));
      once();
      for (let i = 0; i < repeats; ++i) note(backend === "native" ? "native" : "tfjs wasm", size, time(once));
      tf.dispose([a, b]);
    }
    if (blas) {
      const path = process.env.METASTATE_BLAS;
      const values = Array.from({ length: 3 }, () => Float32Array.from({ length: size ** 2 }, Math.random));
      const own = () => binding.matMul(1, size, size, size, false, false, values[0], values[1], values[2]);
      binding.loadBlas("");
      own();
      for (let i = 0; i < repeats; ++i) note("native, own product", size, time(own));
      binding.loadBlas(path ?? addon.blas ?? "");
    }
  }
  for (const python of options.python) {
    const script = join(import.meta.dirname, "products.py");
    const { stdout, status } = spawnSync(python, [script, ...sizes.map(String)], { encoding: "utf8" });
    if (status !== 0) continue;
    for (const [name, times] of Object.entries(JSON.parse(stdout))) {
      for (const [size, milliseconds] of Object.entries(times)) note(name, Number(size), Number(milliseconds));
    }
  }
}

const rate = (/** @type {string} */ name, /** @type {number} */ size) =>
  (2 * size ** 3) / 1e6 / (least.get(name)?.get(size) ?? Infinity);
const peers = [...least.keys()].filter((name) => !name.startsWith("native"));
for (const name of least.keys()) {
  console.log(
    `${name.padEnd(24)} ${sizes.map((size) => `${size}: ${rate(name, size).toFixed(0)}`.padEnd(14)).join("")}`,
  );
}
const ratios = sizes.map((size) => {
  const best = Math.max(...peers.map((name) => rate(name, size)));
  return `${size}: ${(rate("native", size) / best).toFixed(2)}`.padEnd(14);
});
console.log(`${"native / best peer".padEnd(24)} ${ratios.join("")}`);
