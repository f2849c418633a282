/** The thread pool under ThreadSanitizer: x86 keeps an order of memory that arm64 does not, and would hide what is missing. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

const sources = join(import.meta.dirname, "..", "..", "cpp");

test("no thread of the pool sees a loop before it is all there, and its caller sees all that they did", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "metastate-pool-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, "pool");
  const files = ["thread_pool.cpp", "thread_pool.test.cpp"].map((name) => join(sources, "threads", name));
  const flags = ["-std=c++17", "-O1", "-g", "-pthread", "-fsanitize=thread", `-I${sources}`, "-o", program];
  if (process.env["METASTATE_EMULATED_NODE"]) return t.skip("is about this machine's compiler");
  if (!existsSync(files[0]!)) return t.skip("the sources are not here");
  const compiled = spawnSync(process.env["CXX"] ?? "g++", [...flags, ...files], { encoding: "utf8" });
  if (compiled.status !== 0)
    return t.skip(`no compiler with ThreadSanitizer: ${compiled.error?.message ?? compiled.stderr}`);
  // Addresses in their usual places: ThreadSanitizer knows no others.
  const run = spawnSync("setarch", ["-R", program], { encoding: "utf8" });
  if (run.status === null || /unexpected memory mapping|Exec format error|Operation not permitted/.test(run.stderr)) {
    return t.skip(`ThreadSanitizer does not run here: ${run.error?.message ?? run.stderr}`);
  }
  assert.equal(run.status, 0, run.stderr.slice(0, 4000));
});
