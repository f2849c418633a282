/** The suite that tfjs ships for backends, on `native` and on `cuda`, each in a process of its own. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { emulated, needsCuda } from "../testing/cuda.js";
import { needsNative } from "../testing/native.js";
import type { ConformanceResult } from "./run.js";

/** Tests that the suite itself leaves out, for every backend. */
const leftOutBySuite = (backend: string) => [
  `debug on ${backend} {} A x B`,
  "IS_BROWSER isBrowser: true",
  "IS_BROWSER isBrowser: false",
  `kernel_registry ${backend} {} errors when registering the same kernel twice`,
  `gradient registry ${backend} {} warning when registering the same gradient twice`,
];

/** The suite takes about ten seconds; a machine that is thirty times slower may still run it, and an emulated one. */
const patienceMilliseconds = process.env["METASTATE_EMULATED_NODE"] ? 3_000_000 : 300_000;

const engines = [
  { name: "native", backend: "native", needs: needsNative },
  { name: emulated ? "cuda-emulated" : "cuda", backend: "cuda", needs: needsCuda },
];

for (const { name, backend, needs } of engines) {
  test(`${name} passes tfjs's conformance suite`, { ...needs, timeout: patienceMilliseconds }, (t) => {
    passes(t, name, backend);
  });
}

function passes(t: test.TestContext, engine: string, backend: string): void {
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
  assert.deepEqual(failures, []);
  assert.equal(outcome.status, "passed");
  assert.deepEqual(
    pending.map(({ name }) => name),
    leftOutBySuite(backend),
  );
  // The number of tests depends on tfjs's version, which is pinned: fewer would mean that some were not found.
  assert.equal(passed + pending.length, 4230);
  const fallbacks = Object.keys(outcome.fallbacks);
  if (backend === "cuda") t.diagnostic(`${fallbacks.length} kernels ran on the CPU: ${fallbacks.sort().join(", ")}`);
}
