// @ts-check
// The GPU's test command where there is no GPU to use.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

const isBuilt = existsSync(join(import.meta.dirname, "..", "kernels-cuda", "dist", "index.js"));

test(
  "without a GPU, the command and its report say why not and what to do",
  { skip: isBuilt ? false : "the TypeScript is not built: run npm run build" },
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), "metastate-test-gpu-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "deeper", "report.json");
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(import.meta.dirname, "test-gpu.mjs"), "--report", path],
      { env: { ...process.env, METASTATE_CUDA: "0" }, encoding: "utf8" },
    );
    assert.equal(status, 2);
    const refused = "CUDA is switched off by METASTATE_CUDA=0\nunset METASTATE_CUDA";
    assert.equal(stderr, `the GPU tests cannot run: ${refused}\n`);
    const report = JSON.parse(readFileSync(path, "utf8"));
    assert.deepEqual([report.engine, report.refused, report.steps], ["cuda", refused, []]);
    assert.ok(report.notRun.length > 0);
  },
);
