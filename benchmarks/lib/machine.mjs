// @ts-check
// What a measurement was made on.

import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { basename, join } from "node:path";

/** @returns the machine, without its name */
export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown CPU",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
  };
}

/** Processes that ran or waited in the last minute, on average: figures made above the number of cores are poor. */
export function load() {
  return Number(loadavg()[0].toFixed(2));
}

/** The commit measured, with a mark when files differ from it; undefined outside a git checkout. */
export function commit() {
  const git = (/** @type {string[]} */ ...args) =>
    execFileSync("git", args, {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    return (
      git("rev-parse", "--short=12", "HEAD") +
      (git("status", "--porcelain", "--untracked-files=no") ? " with changes" : "")
    );
  } catch {
    return undefined;
  }
}

/**
 * A name for a file of results: the same machine and options replace their own.
 *
 * @param {string} benchmark
 */
export function resultName(benchmark) {
  const { cpu, cores } = machine();
  const slug = `${cpu} ${cores} cores`.toLowerCase().replace(/\(.*?\)|processor|cpu/g, " ");
  return `${benchmark}-${slug.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")}.json`;
}

/**
 * Ends a benchmark: writes what it found, with the command, machine, commit and load, and says where; warns of a busy machine.
 *
 * @param {string} benchmark
 * @param {{loadBefore: number, [key: string]: unknown}} found
 * @param {{write?: boolean}} [options]
 */
export function writeResults(benchmark, { loadBefore, ...found }, { write = true } = {}) {
  const loadAfter = load();
  const about = machine();
  const report = {
    command: ["node", `benchmarks/${basename(process.argv[1] ?? "")}`, ...process.argv.slice(2).map(namedFile)].join(
      " ",
    ),
    date: new Date().toISOString(),
    commit: commit(),
    machine: about,
    loadAverage: { before: loadBefore, after: loadAfter },
    ...found,
  };
  if (write) {
    const folder = join(import.meta.dirname, "..", "results");
    mkdirSync(folder, { recursive: true });
    const path = join(folder, resultName(benchmark));
    const short = (/** @type {string} */ _, /** @type {unknown} */ value) =>
      typeof value === "number" ? Number(value.toPrecision(5)) : value;
    writeFileSync(path, `${JSON.stringify(report, short, 2)}\n`);
    console.log(`written to ${path}`);
  }
  if (Math.max(loadBefore, loadAfter) > about.cores) {
    console.log(`the machine was busy (load ${loadAfter}): the ratios are fairer than the times`);
  }
}

/**
 * An argument without the folders of this machine, which say nothing elsewhere: `--python /home/me/bin/python3` has `python3`.
 *
 * @param {string} argument
 */
function namedFile(argument) {
  return argument.replace(/^(--[\w-]+=)?\/.*\/(.*)$/, "$1$2");
}
