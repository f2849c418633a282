/** 01-first-light.ipynb, run from end to end by nbclient as `npm start -- --run` does, and as it is committed. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { firstLight, python, root, surroundings } from "../environment.js";
import { run } from "../program.js";
import { assertAllCellsRan, assertItLearned, assertItWrites, assertStateIsShown } from "./first-light-checks.js";
import { readNotebook } from "./notebook-file.js";

test("first light is committed with its outputs", () => {
  const notebook = readNotebook(firstLight);
  assertAllCellsRan(notebook);
  assertItLearned(notebook);
  assertItWrites(notebook);
  assertStateIsShown(notebook);
});

test("first light runs from end to end and learns", { timeout: 900_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "metastate-notebook-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const output = join(folder, "out.ipynb");
  const script = join(root, "scripts", "run_notebook.py");
  const started = performance.now();
  const { status, stdout, stderr } = await run(python, [script, firstLight, "--output", output], {
    env: surroundings(),
  });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  const notebook = readNotebook(output);
  assertAllCellsRan(notebook);
  const loss = assertItLearned(notebook);
  assertItWrites(notebook);
  assertStateIsShown(notebook);
  t.diagnostic(
    `validation loss ${loss.toFixed(3)} after ${((performance.now() - started) / 1000).toFixed(0)} s in all`,
  );
});
