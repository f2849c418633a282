// @ts-check
// A file of tests in a process of its own, with a limit of time. A test that crashes it, hangs, or ends the GPU for the
// process is told as that, and the others run in the next process.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** What the hooks throw in place of a test that has run before. */
export const doneBefore = "this test has run in an earlier process";
/** What errors say after which nothing else can run on the GPU. */
export const gpuIsLost = /The GPU cannot be used in this process any more/;
const mostProcesses = 8;

/**
 * @typedef {object} TestResult
 * @property {string} name
 * @property {"passed" | "failed" | "skipped" | "crashed"} status
 * @property {string} [message] the error; or why it is skipped
 */

/**
 * @typedef {object} Ended how a process ended
 * @property {string} output
 * @property {string} errors
 * @property {number | null} status
 * @property {string} [how] in words, when it did not end by itself with a status
 */

/**
 * Runs a program, killed when it takes longer than `seconds`.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{seconds: number, cwd?: string, env?: NodeJS.ProcessEnv, onLine?: (line: string) => void}} options
 * @returns {Promise<Ended>}
 */
export function runLimited(command, args, { seconds, cwd, env, onLine }) {
  return new Promise((resolve) => {
    // A group of its own, so that what it has started ends with it.
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    let output = "";
    let errors = "";
    let rest = "";
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      try {
        process.kill(-(child.pid ?? 0), "SIGKILL");
      } catch {
        child.kill("SIGKILL");
      }
    }, seconds * 1000);
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      if (!onLine) return;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      lines.forEach(onLine);
    });
    child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
    child.on("error", (error) => {
      clearTimeout(timer);
      resolve({ output, errors: error.message, status: null, how: error.message });
    });
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      if (onLine && rest) onLine(rest);
      const how = isLate ? `did not end in ${Math.round(seconds)} s` : signal ? `ended with ${signal}` : undefined;
      resolve({ output, errors, status, ...(how && { how }) });
    });
  });
}

/**
 * The tests of an output in the form TAP, those at the top; and what they say besides, as lines.
 *
 * @param {string} output
 * @returns {{results: TestResult[], told: string[]}}
 */
export function readTap(output) {
  /** @type {TestResult[]} */
  const results = [];
  /** @type {string[]} */
  const told = [];
  const lines = output.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const found = /^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)(?: (.*))?)?$/.exec(line);
    if (found) {
      const [, not, name = "", mark, why] = found;
      const message = not ? errorAfter(lines, i + 1) : why;
      const status = mark ? "skipped" : not ? "failed" : "passed";
      results.push({ name: name.replaceAll(/\\([#\\])/g, "$1"), status, ...(message && { message }) });
    } else if (
      line.startsWith("# ") &&
      !/^# (Subtest:|(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) )/.test(line)
    ) {
      told.push(line.slice(2));
    }
  }
  return { results, told };
}

/** The error of the block that follows a test, on one line. @param {string[]} lines @param {number} from */
function errorAfter(lines, from) {
  let message = "";
  for (let i = from; i < lines.length && !/^ {2}\.\.\.$|^(not )?ok /.test(lines[i] ?? ""); i++) {
    const line = lines[i] ?? "";
    const start = /^ {2}error: (.*)$/.exec(line);
    if (start) message = (start[1] ?? "").replace(/^\|-?$/, "");
    else if (message !== "" || /^ {2}error: \|-?$/.test(lines[i - 1] ?? "")) {
      if (!/^ {4}/.test(line)) break;
      message += ` ${line.trim()}`;
    }
    if (message.length > 2000) break;
  }
  return message.trim().replace(/^(['"])(.*)\1$/s, "$2");
}

/**
 * @param {string} file
 * @param {{cwd: string, env: NodeJS.ProcessEnv, imports?: readonly string[], around?: readonly string[], seconds: number}} options
 *   `around`: a command in front of node's; `seconds`: of all processes together
 * @returns {Promise<{results: TestResult[], told: string[]}>}
 */
export async function runTestFile(file, { cwd, env, imports = [], around = [], seconds }) {
  const folder = mkdtempSync(join(tmpdir(), "metastate-gpu-"));
  const [log, done] = [join(folder, "begun"), join(folder, "done.json")];
  const end = performance.now() + 1000 * seconds;
  const left = () => Math.max(1, (end - performance.now()) / 1000);
  /** @type {Map<string, TestResult>} */
  const known = new Map();
  /** @type {Set<string>} */
  const told = new Set();
  /** @param {readonly string[]} more @param {NodeJS.ProcessEnv} environment @param {number} limit */
  const run = (more, environment, limit) => {
    const hooks = pathToFileURL(join(import.meta.dirname, "gpu-test-hooks.mjs")).href;
    const loaded = [...imports, hooks].flatMap((path) => ["--import", path]);
    const args = ["--enable-source-maps", ...loaded, "--test-reporter=tap", ...more, file];
    const [command = "", ...rest] = [...around, process.execPath, ...args];
    // The last of them: of a test of this file, whose own runner would be reported to.
    const names = { METASTATE_TEST_LOG: log, METASTATE_TESTS_DONE: done, NODE_TEST_CONTEXT: undefined };
    return runLimited(command, rest, { cwd, env: { ...environment, ...names }, seconds: limit });
  };
  try {
    for (let processes = 0; processes < mostProcesses && performance.now() < end; processes++) {
      writeFileSync(log, "");
      writeFileSync(done, JSON.stringify([...known.keys()]));
      const ended = await run([], env, left());
      const { results, told: said } = readTap(ended.output);
      for (const line of said) told.add(line);
      const own = results.filter(({ message, name }) => !message?.includes(doneBefore) && !known.has(name));
      const lost = own.findIndex(({ status, message }) => status === "failed" && gpuIsLost.test(message ?? ""));
      for (const result of lost < 0 ? own : own.slice(0, lost)) known.set(result.name, result);
      if (lost >= 0) {
        const test = /** @type {TestResult} */ (own[lost]);
        known.set(test.name, { ...test, status: "crashed" });
        continue;
      }
      if (!ended.how && (ended.status === 0 || own.some(({ status }) => status === "failed"))) break;
      if (!ended.how && ended.status !== null && results.some(({ status }) => status === "failed")) break;
      const begun = readFileSync(log, "utf8").split("\n").filter(Boolean);
      const last = begun.length > 0 ? JSON.parse(begun.at(-1) ?? '""') : "";
      const how = ended.how ?? `ended with status ${ended.status}`;
      // compute-sanitizer's lines stand between those of the tests.
      const checker = ended.output.split("\n").filter((line) => line.startsWith("========= "));
      const error = [...checker.slice(0, 12), ...ended.errors.trim().split("\n").slice(-5)].join(" ");
      known.set(last || "(before the first test)", {
        name: last || "(before the first test)",
        status: "crashed",
        message: [how, error].filter(Boolean).join(": "),
      });
      if (!last) break;
    }
    // Alone, and waiting after each launch: which kernel was it?
    for (const result of known.values()) {
      if (result.status !== "crashed" || left() <= 1 || !existsSync(file)) continue;
      writeFileSync(done, "[]");
      const pattern = `^${result.name.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}$`;
      const alone = await run(
        [`--test-name-pattern=${pattern}`],
        { ...env, METASTATE_CUDA_SYNC: "1" },
        Math.min(60, left()),
      );
      const again = readTap(alone.output).results.find(({ name }) => name === result.name);
      const says = again?.message ?? alone.how ?? (again ? `${again.status} when it runs alone` : undefined);
      if (says) result.message = `${result.message ?? ""}; alone: ${says}`;
    }
    return { results: [...known.values()], told: [...told] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
