/** The suite that tfjs ships for backends, run in a process of its own and held to what it must give. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type test from "node:test";
import { fileURLToPath } from "node:url";
import type { ConformanceResult } from "./run.js";

/** Tests that the suite itself leaves out, for every backend. */
const leftOutBySuite = (backend: string) => [
  `debug on ${backend} {} A x B`,
  "IS_BROWSER isBrowser: true",
  "IS_BROWSER isBrowser: false",
  `kernel_registry ${backend} {} errors when registering the same kernel twice`,
  `gradient registry ${backend} {} warning when registering the same gradient twice`,
];

/** The suite takes about ten seconds; a machine that is thirty times slower may still run it, an emulated or checked one slower yet. */
export const patienceMilliseconds = process.env["METASTATE_TEST_SLOW"] ? 5_400_000 : 300_000;

/** Tests, by their name without the backend's, that an engine of another's making is known to fail, and why. */
export type Lacks = readonly (readonly [names: RegExp, why: string])[];

/**
 * Runs it, and fails unless every test passes but those that it leaves out itself.
 *
 * @param engine as `run.ts` takes it
 * @param backend its name in tfjs
 */
export function passesSuite(t: test.TestContext, engine: string, backend: string, lacks: Lacks = []): void {
  const folder = mkdtempSync(join(tmpdir(), "metastate-conformance-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const result = join(folder, "result.json");
  const { status, stderr, signal } = spawnSync(
    process.execPath,
    [fileURLToPath(new URL("./run.js", import.meta.url)), result, engine],
    {
      encoding: "utf8",
      maxBuffer: 2 ** 26,
      timeout: patienceMilliseconds,
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    },
  );
  assert.equal(status, 0, `the suite ended with ${signal ?? status}:\n${stderr.slice(-4000)}`);
  const outcome = JSON.parse(readFileSync(result, "utf8")) as ConformanceResult;
  const { passed, failures, pending } = outcome;
  t.diagnostic(
    `tfjs conformance: ${passed} passed, ${failures.length} failed, ${pending.length} left out by the suite`,
  );
  const lacking = ({ name }: { name: string }): boolean =>
    lacks.some(([names]) => names.test(name.replace(` ${backend} {}`, "")));
  assert.deepEqual(
    failures.filter((failure) => !lacking(failure)),
    [],
  );
  assert.equal(outcome.status, failures.length > 0 ? "failed" : "passed");
  assert.deepEqual(
    pending.map(({ name }) => name),
    leftOutBySuite(backend),
  );
  // The number of tests depends on tfjs's version, which is pinned: fewer would mean that some were not found.
  assert.equal(passed + failures.length + pending.length, 4230);
  const fallbacks = Object.keys(outcome.fallbacks);
  if (backend === "cuda") t.diagnostic(`${fallbacks.length} kernels ran on the CPU: ${fallbacks.sort().join(", ")}`);
}
