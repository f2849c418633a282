// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { LIMIT, notebooksOptions } from "./notebooks-options.mjs";

test("npm run notebooks runs all of them in full, within what they promise", () => {
  assert.deepEqual(notebooksOptions([], {}), {
    ...{ what: "run", only: [], jobs: undefined, limit: LIMIT, engine: undefined, folder: "" },
  });
});

test("some can be chosen, checked without being written, and turned into pages", () => {
  const { what, only, limit } = notebooksOptions(["--check", "--only", "02,06", "--only", "10", "--limit", "600"]);
  assert.deepEqual([what, only, limit], ["check", ["02", "06", "10"], 600]);
  assert.equal(notebooksOptions(["--html", "build/html"]).folder, "build/html");
});

test("a run on an engine by name leaves the files as they are", () => {
  const { what, engine } = notebooksOptions(["--engine", "cuda-emulated"], { METASTATE_QUICK: "1" });
  assert.deepEqual([what, engine], ["check", "cuda-emulated"]);
});

test("shortened trainings are not written into the files", () => {
  const quick = { METASTATE_QUICK: "1" };
  assert.throws(() => notebooksOptions([], quick), { name: "UsageError", message: /too short.*--check/ });
  assert.equal(notebooksOptions(["--check"], quick).what, "check");
});

for (const [args, says] of /** @type {[string[], RegExp][]} */ ([
  [["--frobnicate"], /'--frobnicate'[^]*npm run notebooks -- --only/],
  [["--jobs", "0"], /--jobs takes a whole number from 1 on, not "0"/],
  [["--check", "--pictures"], /--check and --pictures do not go together/],
  [["--pictures", "--engine", "wasm"], /--pictures runs nothing that --engine could run/],
])) {
  test(`npm run notebooks -- ${args.join(" ")} is refused with advice`, () => {
    assert.throws(() => notebooksOptions(args, {}), { name: "UsageError", message: says });
  });
}
