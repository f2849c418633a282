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
 * How long one test file may take before it counts as hung, in minutes. One that crosses packages may train models; an emulated
 * CPU, or code that is checked as it runs, is slow.
 */
export const patience = { usual: 20, slow: 100 };

/**
 * @param {readonly string[]} args of Node.js
 * @param {NodeJS.ProcessEnv} env
 * @param {"inherit" | "ignore" | "pipe"} [stdio] where its output goes; "pipe" gives it back
 * @returns {Promise<{status: number, output: string}>}
 */
function runNode(args, env, stdio = "inherit") {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, env, stdio: ["inherit", stdio, stdio] });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ status: code ?? 1, output }));
  });
}

/** The checks of style and types that are no tests; each counts as one. */
const CHECKS = /** @type {readonly {name: string, args: string[]}[]} */ ([
  { name: "ESLint", args: ["node_modules/eslint/bin/eslint.js", "."] },
  { name: "Prettier", args: ["node_modules/prettier/bin/prettier.cjs", "--check", "."] },
  { name: "types of scripts", args: ["node_modules/typescript/bin/tsc", "-p", "scripts"] },
  { name: "documentation", args: ["node_modules/typedoc/bin/typedoc", "--emit", "none"] },
]);

/**
 * Runs the checks: the first, which takes as long as the others together, in the open, and these meanwhile.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {(name: string) => void} begin told before the output of each
 * @returns {AsyncGenerator<Result>}
 */
export async function* runChecks(env, begin) {
  const [first, ...others] = CHECKS;
  let before = Promise.resolve({ status: 0, output: "" });
  const behind = others.map(({ name, args }) => ({
    name,
    ended: (before = before.then(() => runNode(args, env, "pipe"))),
  }));
  begin(first.name);
  yield checked(first.name, await runNode(first.args, env));
  for (const { name, ended } of behind) {
    begin(name);
    const { status, output } = await ended;
    process.stdout.write(output);
    yield checked(name, { status });
  }
}

/**
 * @param {string} name
 * @param {{status: number}} ended
 * @returns {Result}
 */
function checked(name, { status }) {
  return { name, passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 };
}

/**
 * Runs test files under node:test, with its own output, and counts.
 *
 * @param {string} name
 * @param {readonly import("./test-files.mjs").TestFile[]} files
 * @param {NodeJS.ProcessEnv} env
 * @param {{namePattern?: string, atOnce?: number, stdio?: "inherit" | "ignore", minutes?: number}} [options] `atOnce`: how many
 *   files run at a time; `minutes`: how long one may take
 * @returns {Promise<Result>}
 */
export async function runTests(name, files, env, { namePattern, atOnce = 1, stdio, minutes = patience.usual } = {}) {
  const absent = missing(files);
  if (absent.length) {
    return { name, passed: 0, failed: 0, skipped: 0, problem: `the build has no ${absent.join(", ")}` };
  }
  const folder = mkdtempSync(join(tmpdir(), "metastate-test-"));
  const countFile = join(folder, "count.json");
  try {
    /** @type {import("./run-test-files.mjs").TestRun} */
    const testRun = {
      files: files.map(({ file }) => file),
      concurrency: atOnce,
      timeout: minutes * 60_000,
      namePattern,
      countFile,
    };
    const program = join(root, "scripts", "lib", "run-test-files.mjs");
    const { status } = await runNode(["--enable-source-maps", program, JSON.stringify(testRun)], env, stdio);
    return { name, ...judge(status, countFile, namePattern !== undefined) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
