#!/usr/bin/env node
// @ts-check
// npm run bench:products: float32 matrix products of the native backend against numpy and PyTorch, where a Python has them, against
// tfjs-node, where `npm run setup:tensorflow` was run, and against tfjs's WASM backend: square ones, and those that a training
// step of a model with 10 million parameters is made of.
//
// On a CPU that multiplies bfloat16, the same shapes in that precision: native takes and gives float32 tensors and rounds them
// within the product. PyTorch does so too where it is said to convert; otherwise its operands and results are bfloat16.
//
//   node benchmarks/products.mjs [--python /usr/bin/python3] [--sizes 256,512,1024,2048] [--only "low rank"] [--rounds 9]
//                               [--precision bfloat16] [--processor-time] [--no-file]
//
// --processor-time: all on one thread each, by the processor time that it takes and not by the clock: on a machine that others use
// too, the figures then move by what these do to the caches alone.

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { commandLine } from "../scripts/lib/command-line.mjs";
import { compare, meanMilliseconds, processorTime } from "./lib/compare.mjs";
import { load, machine, writeResults } from "./lib/machine.mjs";
import { Peer, peerPython } from "./lib/peer.mjs";

const { values: options } = commandLine(
  import.meta.filename,
  {
    python: { type: "string", default: peerPython() },
    sizes: { type: "string", default: "256,512,1024,2048" },
    rounds: { type: "string", default: "9" },
    only: { type: "string", default: "" },
    precision: { type: "string", default: "float32,bfloat16" },
    "processor-time": { type: "boolean", default: false },
    "no-file": { type: "boolean", default: false },
  },
  { counts: ["rounds"] },
);
const rounds = Number(options.rounds);
/** A sample, and the pause before it: OpenBLAS's own threads watch for a tenth of a second when their work is done. */
const sample = 60;
const pause = 150;

/** @typedef {{what: string, batch: number, m: number, n: number, k: number, left: boolean, right: boolean}} Shape */

/** @type {(what: string, m: number, n: number, k: number, layout?: string, batch?: number) => Shape} */
const shape = (what, m, n, k, layout = "", batch = 1) => ({
  ...{ what, batch, m, n, k },
  left: layout.includes("a"),
  right: layout.includes("b"),
});
/** 512 rows (2 texts of 256 bytes), width 320, 1,280 parameter tokens, 64 channels a head. */
const models = [
  shape("projection", 512, 320, 320, "b"),
  shape("keys of parameter tokens", 512, 1280, 320, "b"),
  shape("values of parameter tokens", 512, 320, 1280, "b"),
  shape("gradient of x", 512, 320, 1280),
  shape("gradient of a weight", 1280, 320, 512, "a"),
  shape("low rank, down", 512, 64, 320),
  shape("low rank, up", 512, 320, 64),
  shape("gradient of a low rank", 320, 64, 512, "a"),
  shape("heads, batched", 128, 128, 64, "b", 16),
];
const shapes = [
  ...options.sizes.split(",").map((size) => shape("square", Number(size), Number(size), Number(size))),
  ...models,
].filter(({ what }) => what.includes(options.only));

const tf = await import("@tensorflow/tfjs-core");
const ms = await import("metastate");
const { nativeEngine, tensorflowEngine, loadAddon } = await import("@metastate/kernels-cuda");
await ms.startEngine({ backend: "wasm", log: () => {} });
const started = await nativeEngine.start();
const addon = loadAddon();
if (!started.ready || !("binding" in addon)) {
  console.error(started.ready ? "the addon is not there" : started.reason);
  process.exit(1);
}
const { binding } = addon;
const precisions = started.controls?.precision;
if (options["processor-time"]) binding.configure({ threads: 1 });
const native = binding.info();
const loadBefore = load();
const peak = binding.measurePeak(500);
console.log(
  `${machine().cpu}; ${native.simd}, ${native.threads} threads; load ${loadBefore}; peak ${peak.toFixed(0)} GFLOP/s`,
);

/** @typedef {{name: string, run: (shape: Shape) => Promise<number>}} Competitor */

const clock = options["processor-time"] ? "processor" : "wall";

/** @type {(library: string, kind: string, what?: string) => Promise<Competitor[]>} */
const ofPython = async (library, kind, what = "") => {
  const script = join(import.meta.dirname, "peers", "products.py");
  const peer = await Peer.start(options.python, [script, library, kind, String(native.threads), clock]);
  if ("reason" in peer) {
    console.log(`${library} is left out: ${peer.reason}`);
    return [];
  }
  const line = (/** @type {Shape} */ { batch, m, n, k, left, right }) =>
    [batch, m, n, k, Number(left), Number(right), sample].join(" ");
  return [{ name: String(peer.about.name) + what, run: (of) => peer.run(line(of)) }];
};
/** @type {{precision: "float32" | "bfloat16", peers: Competitor[]}[]} */
const tables = [];
if (options.precision.includes("float32")) {
  const peers = [...(await ofPython("numpy", "float32")), ...(await ofPython("torch", "float32"))];
  // Its threads cannot be chosen.
  const tensorflow = options["processor-time"]
    ? { ready: /** @type {const} */ (false), reason: "it takes all cores" }
    : await tensorflowEngine.start();
  if (tensorflow.ready) peers.push({ name: `tfjs-node (${tensorflow.device})`, run: (of) => ours("tensorflow", of) });
  else console.log(`tfjs-node is left out: ${tensorflow.reason}`);
  peers.push({ name: "tfjs wasm", run: (of) => ours("wasm", of) });
  tables.push({ precision: "float32", peers });
}
/** @type {number | undefined} */
let bfloat16Peak;
if (options.precision.includes("bfloat16")) {
  try {
    precisions?.set("bfloat16");
    bfloat16Peak = binding.measurePeak(500);
    console.log(`bfloat16: ${native.bfloat16}, peak ${bfloat16Peak.toFixed(0)} GFLOP/s`);
    const peers = [
      ...(await ofPython("torch", "bfloat16", ", bfloat16 tensors")),
      ...(await ofPython("torch", "converted", ", converting float32 tensors")),
    ];
    peers.push({ name: "native in float32", run: (of) => ours("native", of) });
    tables.push({ precision: "bfloat16", peers });
  } catch (error) {
    console.log(`bfloat16 is left out: ${error instanceof Error ? error.message : String(error)}`);
  }
  precisions?.set("float32");
}

// V8 compiles what lies around a product when that has run thousands of times, as in training it soon has.
await tf.setBackend("native");
tf.tidy(() => {
  const small = tf.ones([8, 8]);
  for (let i = 0; i < 20_000; ++i) tf.dispose(tf.matMul(small, small));
});

/** @type {object[]} */
const results = [];
/** @typedef {{shape: Shape, a: import("@tensorflow/tfjs-core").Tensor, b: import("@tensorflow/tfjs-core").Tensor}} Operands */
/** @type {Map<string, Operands>} */
const held = new Map();
for (const of of shapes) {
  const { what, batch, m, n, k, left, right } = of;
  const rate = (/** @type {number} */ milliseconds) => (2 * batch * m * n * k) / 1e6 / milliseconds;
  const name = `${batch > 1 ? `${batch} × ` : ""}${m} × ${n} × ${k}${left ? ", aᵀ" : ""}${right ? ", bᵀ" : ""}`;
  for (const { precision, peers } of tables) {
    const told = [];
    for (const peer of peers) {
      if (peer.name === "tfjs wasm" && what !== "square") continue;
      const timed = (/** @type {() => Promise<number>} */ run) => ({
        milliseconds: () => setTimeout(pause).then(run),
      });
      const found = await compare(
        timed(() => peer.run(of)),
        timed(() => ours("native", of, precision)),
        {
          rounds: peer.name === "tfjs wasm" ? 3 : rounds,
          sampleMilliseconds: 0,
        },
      );
      results.push({ ...of, precision, peer: peer.name, ...found });
      const { ratio, slowMilliseconds: theirs, fastMilliseconds: own } = found;
      told.push(
        `${peer.name} ${rate(theirs.median).toFixed(0)}, native ${rate(own.median).toFixed(0)}: ` +
          `${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})`,
      );
    }
    console.log(`${what}, ${name}${precision === "float32" ? "" : `, ${precision}`}: ${told.join("; ")}`);
  }
}
console.log("GFLOP/s, medians; native's time in theirs, quartiles");
writeResults("products", { native, peak, bfloat16Peak, clock, loadBefore, results }, { write: !options["no-file"] });
process.exit();

/**
 * The milliseconds of one product through tfjs, with its making and freeing of the result: the mean of a sample.
 *
 * @param {string} backend
 * @param {Shape} shape
 * @param {"float32" | "bfloat16"} [precision] of `native`
 */
async function ours(backend, shape, precision = "float32") {
  await tf.setBackend(backend);
  if (backend === "native") precisions?.set(precision);
  const { a, b } = operands(backend, shape);
  const once = () => tf.dispose(tf.matMul(a, b, shape.left, shape.right));
  once();
  return meanMilliseconds(once, sample, options["processor-time"] ? processorTime : undefined);
}

/** @type {(backend: string, shape: Shape) => Operands} */
function operands(backend, shape) {
  const there = held.get(backend);
  if (there?.shape === shape) return there;
  if (there) tf.dispose([there.a, there.b]);
  const { batch, m, n, k, left, right } = shape;
  const of = (/** @type {number} */ rows, /** @type {number} */ columns, /** @type {boolean} */ turned) => {
    const matrix = turned ? [columns, rows] : [rows, columns];
    const x = tf.randomUniform(batch > 1 ? [batch, ...matrix] : matrix);
    x.dataSync();
    return x;
  };
  const made = { shape, a: of(m, k, left), b: of(k, n, right) };
  held.set(backend, made);
  return made;
}
