#!/usr/bin/env node
// @ts-check
// npm run bench:small-ops: one op on a few values, from its call to its result, on the native backend, on tfjs's cpu backend, in
// tfjs-node and in PyTorch. What counts here is everything but arithmetic: tfjs itself, the way into the addon, memory for the result.
//
//   node benchmarks/small-ops.mjs [--rounds 9] [--python /usr/bin/python3] [--before ../other-checkout] [--no-file]
//
// --before: the native backend alone, against that of another checkout of this repository that is built: what a change has gained.

import { join, resolve } from "node:path";
import { commandLine } from "../scripts/lib/command-line.mjs";
import { compare } from "./lib/compare.mjs";
import { load, machine, writeResults } from "./lib/machine.mjs";
import { Peer, peerPython } from "./lib/peer.mjs";

const { values: options } = commandLine(
  import.meta.filename,
  {
    rounds: { type: "string", default: "9" },
    python: { type: "string", default: peerPython() },
    before: { type: "string" },
    "no-file": { type: "boolean", default: false },
  },
  { counts: ["rounds"] },
);
const rounds = Number(options.rounds);
/** Calls of one task, for some milliseconds. */
const counts = {
  ...Object.fromEntries(
    ["add", "scale", "exp", "sum", "slice", "concat", "product", "add 4096"].map((op) => [op, 2000]),
  ),
  // A recurrence written out in 133 of them; then its gradient and the update, too.
  forward: 10,
  step: 10,
};

const own = join(import.meta.dirname, "peers");
const tfjs = (/** @type {string} */ backend, folder = own) =>
  started(process.execPath, [join(folder, "small-ops.mjs"), backend]);
const native = await tfjs("native");
const peers = (
  options.before === undefined
    ? [await tfjs("cpu"), await tfjs("tensorflow"), await started(options.python, [join(own, "small_ops.py")])]
    : [await tfjs("native", join(resolve(options.before), "benchmarks", "peers"))]
).filter((peer) => peer !== undefined);
if (!native) process.exit(1);

const loadBefore = load();
const about = machine();
console.log(`${about.cpu}, ${about.cores} cores, Node ${about.node}; load ${loadBefore}; microseconds an op`);
/** @type {object[]} */
const results = [];
for (const [op, count] of Object.entries(counts)) {
  // Until V8 has compiled it for good.
  for (let call = 0; call < 5; ++call)
    for (const contender of [native, ...peers]) await contender.run(`${op} ${count}`);
  for (const peer of peers) {
    const task = (/** @type {Peer} */ of) => ({ milliseconds: () => of.run(`${op} ${count}`) });
    const found = await compare(task(peer), task(native), { rounds, sampleMilliseconds: 10 });
    const microseconds = (/** @type {number} */ milliseconds) => ((1000 * milliseconds) / count).toFixed(2);
    results.push({ op, peer: peer.about, count, ...found });
    const { ratio, slowMilliseconds: theirs, fastMilliseconds: ours } = found;
    console.log(
      `${op.padEnd(9)} native ${microseconds(ours.median)}, ${options.before ?? peer.about.name} ${microseconds(theirs.median)}: ` +
        `${ratio.median.toFixed(2)} times as fast (quartiles ${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)})`,
    );
  }
}
for (const peer of [native, ...peers]) peer.stop();
writeResults("small-ops", { loadBefore, results }, { write: !options["no-file"] });

/**
 * @param {string} command
 * @param {string[]} args
 */
async function started(command, args) {
  const peer = await Peer.start(command, args);
  if (!("reason" in peer)) return peer;
  console.log(`left out: ${command} ${args.join(" ")}: ${peer.reason}`);
  return undefined;
}
