// @ts-check
// The programs that check and test, each with what it found, counted.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./checkout.mjs";
import { missing } from "./test-files.mjs";

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string} [problem] why the run cannot be trusted although no test failed
 */

/**
 * How long one test file may take before it counts as hung, in minutes. Those that cross packages, which run alone, train a model;
 * an emulated CPU, or code that is checked as it runs, is slow.
 */
export const patience = { alone: 20, others: 10, slow: 100 };

/**
 * Runs a program in the open.
 *
 * @param {readonly string[]} args of Node.js
 * @param {NodeJS.ProcessEnv} env
 * @param {"inherit" | "ignore"} [stdio]
 * @returns {Promise<number>} its exit status
 */
function runNode(args, env, stdio = "inherit") {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, env, stdio });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

/** The checks of style and types that are no tests; each counts as one. */
export const CHECKS = /** @type {readonly {name: string, args: string[]}[]} */ ([
  { name: "ESLint", args: ["node_modules/eslint/bin/eslint.js", "."] },
  { name: "Prettier", args: ["node_modules/prettier/bin/prettier.cjs", "--check", "."] },
  { name: "types of scripts", args: ["node_modules/typescript/bin/tsc", "-p", "scripts"] },
  { name: "documentation", args: ["node_modules/typedoc/bin/typedoc", "--emit", "none"] },
]);

/**
 * @param {{name: string, args: string[]}} check
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Result>}
 */
export async function runCheck({ name, args }, env) {
  const good = (await runNode(args, env)) === 0;
  return { name, passed: good ? 1 : 0, failed: good ? 0 : 1, skipped: 0 };
}

/**
 * Runs test files under node:test, with its own output, and counts.
 *
 * @param {string} name
 * @param {readonly import("./test-files.mjs").TestFile[]} files
 * @param {NodeJS.ProcessEnv} env
 * @param {{namePattern: string | undefined, alone: boolean, stdio?: "inherit" | "ignore", minutes?: number}} options alone:
 *   one file at a time; minutes: how long one may take
 * @returns {Promise<Result>}
 */
export async function runTests(
  name,
  files,
  env,
  { namePattern, alone, stdio, minutes = alone ? patience.alone : patience.others },
) {
  const absent = missing(files);
  if (absent.length) {
    return { name, passed: 0, failed: 0, skipped: 0, problem: `the build has no ${absent.join(", ")}` };
  }
  const folder = mkdtempSync(join(tmpdir(), "metastate-test-"));
  const countFile = join(folder, "count.json");
  try {
    const status = await runNode(
      [
        "--enable-source-maps",
        "--test",
        `--test-reporter=${reporter("spec-reporter.mjs")}`,
        "--test-reporter-destination=stdout",
        `--test-reporter=${reporter("count-reporter.mjs")}`,
        `--test-reporter-destination=${countFile}`,
        `--test-timeout=${minutes * 60_000}`,
        ...(alone ? ["--test-concurrency=1"] : []),
        ...(namePattern === undefined ? [] : [`--test-name-pattern=${namePattern}`]),
        ...files.map(({ file }) => file),
      ],
      env,
      stdio,
    );
    return { name, ...judge(status, countFile, namePattern !== undefined) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} file */
function reporter(file) {
  return join(root, "scripts", "lib", file);
}

/**
 * @param {number} status
 * @param {string} countFile
 * @param {boolean} filtered whether tests were chosen by name, so that files without any are to be expected
 * @returns {Omit<Result, "name">}
 */
function judge(status, countFile, filtered) {
  if (!existsSync(countFile)) {
    return { passed: 0, failed: 0, skipped: 0, problem: `the runner ended with status ${status} before it counted` };
  }
  /** @type {import("./count-reporter.mjs").Count} */
  const { passed, failed, skipped, empty } = JSON.parse(readFileSync(countFile, "utf8"));
  const result = { passed, failed, skipped };
  if (failed === 0 && status !== 0) return { ...result, problem: `the runner ended with status ${status}` };
  if (filtered) return result;
  if (passed + failed + skipped === 0) return { ...result, problem: "no test ran" };
  if (empty.length) return { ...result, problem: `no test in ${empty.join(", ")}` };
  return result;
}

/**
 * What all runners found, as it is printed last.
 *
 * @param {readonly Result[]} results
 * @returns {{lines: string[], good: boolean}}
 */
export function summary(results) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const result of results) {
    total.passed += result.passed;
    total.failed += result.failed;
    total.skipped += result.skipped;
  }
  /** @param {{passed: number, failed: number, skipped: number}} count */
  const counted = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;
  const width = Math.max(...results.map(({ name }) => name.length), 0);
  const lines = results.map(
    (result) => `${result.name.padEnd(width)}  ${counted(result)}${result.problem ? `: ${result.problem}` : ""}`,
  );
  const ran = total.passed + total.failed + total.skipped;
  if (ran === 0) lines.push("no test has such a name");
  const good = ran > 0 && total.failed === 0 && results.every(({ problem }) => problem === undefined);
  return { lines: [...lines, counted(total)], good };
}
