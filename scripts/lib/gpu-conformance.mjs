// @ts-check
// tfjs's conformance suite on an engine, in as many processes as it takes: a test that crashes one, hangs, or ends the GPU
// for it is told as that, and the next process goes on behind it.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gpuIsLost, runLimited } from "./gpu-test-file.mjs";

const mostProcesses = 12;

/** @typedef {import("./gpu-test-file.mjs").TestResult} TestResult */

/**
 * @param {string} script kernels-cuda's conformance/run.js
 * @param {string} engine
 * @param {{env: NodeJS.ProcessEnv, seconds: number, words?: string}} options
 * @returns {Promise<{results: TestResult[], fallbacks: Record<string, number>}>}
 */
export async function runConformance(script, engine, { env, seconds, words }) {
  const folder = mkdtempSync(join(tmpdir(), "metastate-gpu-"));
  const [log, file] = [join(folder, "log"), join(folder, "result.json")];
  const end = performance.now() + 1000 * seconds;
  /** @type {TestResult[]} */
  const crashed = [];
  /** @type {Record<string, number>} */
  let fallbacks = {};
  try {
    for (let processes = 0; processes < mostProcesses && performance.now() < end; processes++) {
      const ended = await runLimited(process.execPath, [script, file, engine, ...(words ? [words] : [])], {
        env: { ...env, METASTATE_CONFORMANCE_LOG: log },
        seconds: Math.max(1, (end - performance.now()) / 1000),
      });
      if (existsSync(file)) {
        fallbacks = JSON.parse(readFileSync(file, "utf8")).fallbacks;
        break;
      }
      const { running, lost } = readLog(log);
      if (running === undefined && lost) continue;
      const isLate = performance.now() >= end;
      const error = ended.errors.trim().split("\n").slice(-3).join(" ");
      const how = [ended.how ?? `ended with status ${ended.status}`, error].filter(Boolean).join(": ");
      const message = isLate ? `was running when the time of the step was up (${how})` : how;
      crashed.push({ name: running ?? "(before the first test)", status: "crashed", message });
      if (running === undefined) break;
    }
    return { results: [...readLog(log).results, ...crashed], fallbacks };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * What has ended; which test began last and has not; whether the last one that did has ended the GPU for its process.
 *
 * @param {string} log
 * @returns {{results: TestResult[], running?: string, lost: boolean}}
 */
function readLog(log) {
  /** @type {TestResult[]} */
  const results = [];
  let running;
  let lost = false;
  for (const line of existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : []) {
    const { begun, ended, status, message, reason } = JSON.parse(line);
    if (begun !== undefined) {
      running = begun;
      continue;
    }
    running = undefined;
    lost = status === "failed" && gpuIsLost.test(message ?? "");
    const kind = lost ? "crashed" : status === "failed" ? "failed" : status === "pending" ? "skipped" : "passed";
    const text = message ?? reason;
    results.push({ name: ended, status: kind, ...(text && { message: text }) });
  }
  return { results, ...(running !== undefined && { running }), lost };
}
