#!/usr/bin/env node
// @ts-check
// npm run bench:kernel: our kernel beside tslab, Deno and ipykernel, through the same Jupyter client, in one run.
//
//   node benchmarks/kernel.mjs [--quick] [--no-file] [--only ours,ipykernel] [--row "round trip"]

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandLine } from "../scripts/lib/command-line.mjs";
import { spread } from "./lib/compare.mjs";
import { Contender, measures } from "./lib/kernel-measures.mjs";
import { kernels } from "./lib/kernels.mjs";
import { commit, load, machine, resultName } from "./lib/machine.mjs";

/** @typedef {{values: number[], said: string[]}} Found */
/** @typedef {{samples?: number, said: string[]} & Partial<import("./lib/compare.mjs").Spread>} Summary */

const { values: options } = commandLine(import.meta.filename, {
  quick: { type: "boolean", default: false },
  "no-file": { type: "boolean", default: false },
  only: { type: "string" },
  row: { type: "string" },
});
const clientFile = new URL("../tests/dist/client.js", import.meta.url);
if (!existsSync(clientFile)) {
  console.error("the client is not built: run npm run build");
  process.exit(1);
}
const { KernelClient } = await import(clientFile.href);

// "ours, with the library" is one name.
const wanted = options.only?.split(/,(?! )/);
/** @type {Contender[]} */
const contenders = [];
for (const kernel of kernels()) {
  if (wanted !== undefined && !wanted.includes(kernel.name)) continue;
  if ("reason" in kernel) console.error(`${kernel.name} is left out: ${kernel.reason}`);
  else contenders.push(new Contender(kernel, KernelClient));
}
const rows = measures.filter(({ what }) => what.includes(options.row ?? ""));
if (contenders.length === 0 || rows.length === 0) {
  console.error("there is nothing to measure");
  process.exit(2);
}

const loadBefore = load();
const about = machine();
console.log(`${about.cpu}, ${about.cores} cores, Node ${about.node}; load ${loadBefore}`);
console.log(contenders.map(({ kernel }) => `${kernel.name} ${kernel.version}`).join(", "));
const begin = performance.now();
for (const { kernel } of contenders) kernel.install?.();
/** @type {{what: string, unit: string, kernels: Record<string, Summary>}[]} */
const results = [];
try {
  for (const measure of rows) {
    const found = await take(measure);
    const summaries = found.map(summary);
    const { what, unit } = measure;
    results.push({
      what,
      unit,
      kernels: Object.fromEntries(summaries.map((of, i) => [contenders[i].kernel.name, of])),
    });
    console.log(`${what}: ${summaries.map((of, i) => `${contenders[i].kernel.name} ${told(of, unit)}`).join("; ")}`);
  }
} finally {
  for (const contender of contenders) await contender.stop();
}
const loadAfter = load();
console.log(`\n${table()}\n`);
console.log(
  `it took ${((performance.now() - begin) / 60_000).toFixed(1)} minutes; load ${loadBefore} before, ${loadAfter} after`,
);
if (loadBefore > 0.5) console.log("other programs ran when it began: the ratios are fairer than the times");

if (!options["no-file"] && wanted === undefined && options.row === undefined) {
  const folder = join(import.meta.dirname, "results");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, resultName("kernel"));
  const report = {
    command: `npm run bench:kernel${options.quick ? " -- --quick" : ""}`,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
    machine: about,
    loadAverage: { before: loadBefore, after: loadAfter },
    versions: Object.fromEntries(contenders.map(({ kernel }) => [kernel.name, kernel.version])),
    results,
  };
  const short = (/** @type {string} */ _, /** @type {unknown} */ value) =>
    typeof value === "number" ? Number(value.toPrecision(5)) : value;
  writeFileSync(path, `${JSON.stringify(report, short, 2)}\n`);
  console.log(`written to ${path}`);
}
process.exit(0);

/**
 * Does one thing with every kernel in turn, as often as is needed; who begins changes with every round.
 *
 * @param {import("./lib/kernel-measures.mjs").Measure} measure
 * @returns {Promise<Found[]>}
 */
async function take({ once, repetitions, fresh }) {
  /** @type {Found[]} */
  const found = contenders.map(() => ({ values: [], said: [] }));
  const broken = new Set();
  const rounds = options.quick ? Math.min(2, repetitions) : repetitions;
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const which = (round + turn) % contenders.length;
      // What has hung or died once will again; each time costs as long as was waited for it.
      if (broken.has(which)) continue;
      const outcome = await once(contenders[which]).catch((/** @type {unknown} */ error) => ({
        values: undefined,
        said: error instanceof Error ? error.message.split(/; its log|\n/, 1)[0] : String(error),
        broken: true,
      }));
      found[which].values.push(...(outcome.values ?? []));
      if (outcome.said !== undefined) found[which].said.push(outcome.said);
      if (outcome.broken) {
        broken.add(which);
        await contenders[which].stop();
      } else if (fresh) await contenders[which].stop();
    }
  }
  return found;
}

/**
 * @param {Found} found
 * @returns {Summary}
 */
function summary({ values, said }) {
  return { ...(values.length > 0 && { samples: values.length, ...spread(values) }), said: [...new Set(said)] };
}

/**
 * @param {Summary} summary
 * @param {string} unit
 */
function told({ median, low, high, said }, unit) {
  if (median === undefined || low === undefined || high === undefined) return said.join("; ") || "–";
  return [`${figure(median)} ${unit} (${figure(low)}–${figure(high)})`, ...said].join("; ");
}

/** The rows as a table in Markdown: medians with quartiles, and ours as a multiple of ipykernel's in the same run. */
function table() {
  const names = contenders.map(({ kernel }) => kernel.name);
  const lines = [
    ["what a notebook user meets", ...names, "ours / ipykernel"],
    ["---", ...names.map(() => "---"), "---"],
    ...results.map(({ what, unit, kernels: of }) => {
      const ratio = (of["ours"]?.median ?? NaN) / (of["ipykernel"]?.median ?? NaN);
      return [what, ...names.map((name) => told(of[name], unit)), Number.isNaN(ratio) ? "" : ratio.toPrecision(2)];
    }),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** @param {number} value */
function figure(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2);
}
