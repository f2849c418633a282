// @ts-check
// `npm run notebooks`, from its command line to its exit status.

import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { fromUser, notebooks, notes, root } from "./checkout.mjs";
import { exitStatusOf } from "./exit-status.mjs";
import { drawGallery } from "./gallery.mjs";
import { jupyterSurroundings, KERNEL_NAME } from "./kernelspec.mjs";
import { writePages } from "./notebook-pages.mjs";
import { NOTEBOOKS_USAGE, notebooksOptions } from "./notebooks-options.mjs";
import { Progress, shortPath } from "./progress.mjs";
import { setUp } from "./set-up.mjs";
import { addPictures, megabytes, tutorials, writeWhole } from "./tutorials.mjs";

/** Cores that a notebook's kernel uses well: the native engine has so many threads on a small machine. */
const CORES = 2;
/** What a notebook file may weigh, in megabytes: GitHub shows no larger ones at once. */
const HEAVIEST = 1.5;

/**
 * @param {readonly string[]} args
 * @returns {Promise<number>} the exit status: 2 for a command line that is not understood, 1 when a notebook failed
 */
export async function notebooksCommand(args) {
  const progress = new Progress();
  return exitStatusOf(async () => {
    const options = notebooksOptions(args);
    if (options.what === "help") {
      progress.note(NOTEBOOKS_USAGE);
      return 0;
    }
    const chosen = tutorials(options.only);
    if (options.what === "gallery") {
      await progress.step("gallery", async (step) => step.result(`${await drawGallery()} pictures`));
      return 0;
    }
    const python = await interpreter(progress, options.engine);
    switch (options.what) {
      case "pictures":
        await progress.step("pictures", async (step) => {
          const counts = await addPictures(chosen.map(({ path }) => path));
          step.result(`${counts.reduce((sum, count) => sum + count, 0)} in ${chosen.length} files`);
        });
        return 0;
      case "html": {
        const pages = await progress.step("pages", () => writePages(python, chosen, fromUser(options.folder)));
        progress.note(pages.map((page) => `  ${shortPath(page)}`).join("\n"));
        return 0;
      }
      default:
        return runAll(progress, python, chosen, options);
    }
  });
}

/**
 * Python with Jupyter and the kernel: METASTATE_PYTHON, as the tests have it, or what set-up makes.
 *
 * @param {Progress} progress
 * @param {string | undefined} engine that notebooks run on
 */
async function interpreter(progress, engine) {
  const given = process.env.METASTATE_PYTHON;
  // The emulator is for tests: their set-up builds it.
  return given || (await setUp(progress, { forTests: engine === "cuda-emulated" })).python;
}

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {string} output the file it was written to
 * @property {string} outcome `ran`, or why it did not
 * @property {boolean} good
 * @property {number} seconds
 * @property {number} figures
 * @property {number} size megabytes
 */

/**
 * Runs notebooks, so many at a time, and says how long each took.
 *
 * @param {Progress} progress
 * @param {string} python
 * @param {readonly import("./tutorials.mjs").Tutorial[]} chosen
 * @param {import("./notebooks-options.mjs").NotebooksOptions} options
 * @returns {Promise<number>} the exit status
 */
async function runAll(progress, python, chosen, { what, limit, jobs, engine }) {
  const atOnce = Math.min(chosen.length, jobs ?? Math.max(1, Math.floor(availableParallelism() / CORES)));
  const scratch = mkdtempSync(join(ensured(notes), "notebooks-"));
  const failed = join(root, "test-results", "notebooks");
  /** @type {Result[]} */
  const results = [];
  const waiting = [...chosen];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const output = join(scratch, `${next.name}.ipynb`);
      const result = await runOne(python, next, output, limit, engine);
      results.push(result);
      progress.note(`• ${next.name} … ${result.outcome} (${result.seconds.toFixed(0)} s)`);
      if (result.good) continue;
      for (const file of [output, logOf(output)]) {
        if (existsSync(file)) copyFileSync(file, join(ensured(failed), basename(file)));
      }
      progress.note(lastLines(logOf(output)));
      progress.note(`  its outputs so far, and all that was said, are in ${shortPath(failed)}; the file is as it was`);
    }
  };
  try {
    progress.note(`• running ${chosen.length} notebooks, ${atOnce} at a time`);
    await Promise.all(Array.from({ length: atOnce }, work));
    const ran = results.filter(({ good }) => good);
    await progress.step("pictures", async () => {
      const counts = await addPictures(ran.map(({ output }) => output));
      ran.forEach((result, i) => weigh(result, counts[i]));
    });
    if (what === "run") {
      for (const { name, output, good } of ran) {
        if (good) writeWhole(join(notebooks, `${name}.ipynb`), readFileSync(output, "utf8"));
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  progress.note(`\n${table(results.sort((a, b) => (a.name < b.name ? -1 : 1)))}`);
  return results.every(({ good }) => good) ? 0 : 1;
}

/**
 * @param {string} python
 * @param {import("./tutorials.mjs").Tutorial} tutorial
 * @param {string} output
 * @param {number} limit
 * @param {string | undefined} engine
 * @returns {Promise<Result>}
 */
async function runOne(python, { name, path }, output, limit, engine) {
  const started = performance.now();
  const args = [join(root, "scripts", "run_notebook.py"), path, "--output", output];
  const env = { ...jupyterSurroundings(), ...(engine && { METASTATE_BACKEND: engine }) };
  const code = await logged(python, [...args, "--kernel", KERNEL_NAME, "--timeout", String(limit)], env, logOf(output));
  const seconds = (performance.now() - started) / 1000;
  const result = { name, output, seconds, figures: 0, size: 0 };
  if (code !== 0) return { ...result, good: false, outcome: "failed" };
  if (seconds > limit) return { ...result, good: false, outcome: `took longer than ${limit} s` };
  return { ...result, good: true, outcome: "ran" };
}

/**
 * Notes what a notebook that ran has in the end; one that has become too heavy is a failure.
 *
 * @param {Result} result
 * @param {number} figures
 */
function weigh(result, figures) {
  result.figures = figures;
  result.size = megabytes(result.output);
  if (result.size <= HEAVIEST) return;
  result.good = false;
  result.outcome = `has more than ${HEAVIEST} MB`;
}

/**
 * Runs a program with all that it says going to a file.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @param {string} log
 * @returns {Promise<number>} its exit status
 */
function logged(command, args, env, log) {
  const file = openSync(log, "w");
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ["ignore", file, file] });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  }).finally(() => closeSync(file));
}

/** @param {string} output */
function logOf(output) {
  return output.replace(/\.ipynb$/, ".log");
}

/** @param {string} log */
function lastLines(log) {
  const lines = readFileSync(log, "utf8").trimEnd().split("\n").slice(-20);
  return lines.map((line) => `    ${line.slice(0, 300)}`).join("\n");
}

/** @param {string} folder */
function ensured(folder) {
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** @param {readonly Result[]} results */
function table(results) {
  const total = results.reduce((sum, { seconds }) => sum + seconds, 0);
  const rows = [
    ["notebook", "", "time (s)", "plots", "size (MB)"],
    ...results.map(({ name, outcome, seconds, figures, size }) => [
      ...[name, outcome, seconds.toFixed(0), String(figures), size.toFixed(2)],
    ]),
    ["all", "", total.toFixed(0), "", ""],
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (/** @type {string[]} */ row) =>
    row.map((text, column) => (column < 2 ? text.padEnd(widths[column]) : text.padStart(widths[column]))).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}
