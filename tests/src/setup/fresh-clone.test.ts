/** The first command of a newcomer, on a checkout where nothing has been set up. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { assertAllCellsRan, assertItLearned } from "../notebook/first-light-checks.js";
import { readNotebook, writeNotebook } from "../notebook/notebook-file.js";
import { run } from "../program.js";
import { asInANewTerminal, freshCopy } from "./copy.js";

test("npm start sets a fresh clone up and runs the first notebook; a repeat finds everything in place", async (t) => {
  const clone = await freshCopy(t);
  const env = asInANewTerminal();
  const untouched = readFileSync(join(clone, "notebooks", "01-first-light.ipynb"));

  const output = join(clone, "out.ipynb");
  const args = ["start", "--", "--run", "notebooks/01-first-light.ipynb", "--output", output];
  const first = await run("npm", args, { cwd: clone, env });
  assert.equal(first.status, 0, `${first.stdout}\n${first.stderr}`);
  for (const step of ["npm packages", "Python environment", "TypeScript", "native engine", "kernel"]) {
    assert.match(first.stdout, new RegExp(`^• ${step} … (done|built|not built)`, "m"));
  }
  const notebook = readNotebook(output);
  assertAllCellsRan(notebook);
  assertItLearned(notebook);
  assert.deepEqual(readFileSync(join(clone, "notebooks", "01-first-light.ipynb")), untouched);
  assert.ok(existsSync(join(clone, ".venv", "share", "jupyter", "kernels", "metastate", "kernel.json")));

  const refused = await run("npm", ["start", "--", "--run", "notebooks/no-such.ipynb"], { cwd: clone, env });
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /there is no notebook notebooks\/no-such\.ipynb/);

  const small = join(clone, "small.ipynb");
  writeNotebook(small, "console.log(20 + 22)");
  const again = await run(process.execPath, [join(clone, "scripts", "start.mjs"), "--run", small], { cwd: "/", env });
  assert.equal(again.status, 0, `${again.stdout}\n${again.stderr}`);
  for (const step of ["npm packages", "Python environment", "TypeScript", "kernel"]) {
    assert.match(again.stdout, new RegExp(`^• ${step} … up to date`, "m"), again.stdout);
  }
});
