// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { measures } from "./kernel-measures.mjs";
import { kernels } from "./kernels.mjs";

test("each kernel is there, or it is said what to do", () => {
  assert.deepEqual(
    kernels().map(({ name }) => name),
    ["ours", "ours, with the library", "tslab", "Deno", "ipykernel"],
  );
  for (const kernel of kernels()) {
    if ("reason" in kernel) assert.match(kernel.reason, /npm|pip/);
    else assert.ok(kernel.spec.argv.includes("{connection_file}"));
  }
});

test("each row of the table has a name of its own", () => {
  assert.equal(new Set(measures.map(({ what }) => what)).size, measures.length);
});
