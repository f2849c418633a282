// @ts-check
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { runLimited, runTestFile } from "./gpu-test-file.mjs";

/** @param {string} source @param {number} [seconds] @param {string[]} [around] */
async function results(source, seconds = 60, around = []) {
  const folder = mkdtempSync(join(tmpdir(), "metastate-test-"));
  try {
    const file = join(folder, "x.test.mjs");
    writeFileSync(file, `import test from "node:test";\nimport assert from "node:assert";\n${source}`);
    return await runTestFile(file, { cwd: folder, env: process.env, seconds, around });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("a test that crashes the process is named, and the others run all the same", async () => {
  const { results: found, told } = await results(`
    test("first # one", (t) => t.diagnostic("a table"));
    test("left out", { skip: "no reason" }, () => {});
    test("crashes (it does)", () => process.kill(process.pid, "SIGSEGV"));
    test("wrong", () => assert.equal(1, 2));
    test("last", () => {});
  `);
  assert.deepEqual(Object.fromEntries(found.map(({ name, status }) => [name, status])), {
    "first # one": "passed",
    "left out": "skipped",
    "crashes (it does)": "crashed",
    wrong: "failed",
    last: "passed",
  });
  const messages = Object.fromEntries(found.map(({ name, message }) => [name, message]));
  assert.match(messages["crashes (it does)"] ?? "", /^ended with SIGSEGV.*; alone: ended with SIGSEGV/);
  assert.match(messages["wrong"] ?? "", /1 == 2/);
  assert.deepEqual(told, ["a table"]);
});

test("after a test that ends the GPU the rest runs in another process", async () => {
  const { results: found } = await results(`
    let lost = false;
    const fail = () => { throw new Error("illegal address (" + (process.env.METASTATE_CUDA_SYNC ? "in k" : "k or before") + "). The GPU cannot be used in this process any more: start again"); };
    test("before", () => {});
    test("ends the GPU", () => { lost = true; fail(); });
    test("after", () => { if (lost) fail(); });
  `);
  assert.deepEqual(found.map(({ name, status }) => `${name}: ${status}`).sort(), [
    "after: passed",
    "before: passed",
    "ends the GPU: crashed",
  ]);
  assert.match(found.find(({ status }) => status === "crashed")?.message ?? "", /alone: illegal address \(in k\)/);
});

test("what a checker around the tests has found is told, though all of them pass", async () => {
  const checker = `"$@"; echo "========= Invalid __global__ write of size 4 bytes"; exit 9`;
  const { results: found } = await results(`test("writes too far", () => {});`, 60, ["sh", "-c", checker, "sh"]);
  assert.deepEqual(
    found.map(({ name, status }) => [name, status]),
    [["writes too far", "crashed"]],
  );
  assert.match(found[0]?.message ?? "", /^ended with status 9: ========= Invalid __global__ write of size 4 bytes/);
});

test("what takes too long is ended, with what it has started", async () => {
  const ended = await runLimited("sh", ["-c", "echo begun; sleep 100 & wait"], { seconds: 4 });
  assert.equal(ended.how, "did not end in 4 s");
  assert.equal(ended.output, "begun\n");
});
