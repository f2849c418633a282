/**
 * Every tutorial after the first: as it is committed, and run from end to end. Each asserts its own claims in its cells. Where there
 * is a browser, `browser/tutorials.test.ts` runs them in JupyterLab and looks at them too.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { python, root, surroundings } from "../environment.js";
import { run } from "../program.js";
import { findChromium } from "../browser/chromium.js";
import { assertAllCellsRan } from "./first-light-checks.js";
import { outputs, PLOTLY, readNotebook, type Notebook } from "./notebook-file.js";
import { assertReadable } from "./readable.js";

const folder = join(root, "notebooks");
const tutorials = readdirSync(folder)
  .filter((name) => /^\d\d-.*\.ipynb$/.test(name) && !name.startsWith("01-"))
  .sort();

for (const name of tutorials) {
  test(`${name} is committed with its outputs, and every plot has a title and says what its axes are`, () => {
    const notebook = readNotebook(join(folder, name));
    assertAllCellsRan(notebook);
    assertReadable(notebook);
  });

  if (findChromium() !== undefined) continue;
  test(`${name} runs from end to end`, { timeout: 900_000 }, async (t) => {
    const scratch = mkdtempSync(join(tmpdir(), "metastate-tutorial-"));
    t.after(() => rmSync(scratch, { recursive: true }));
    const output = join(scratch, "out.ipynb");
    const script = join(root, "scripts", "run_notebook.py");
    const { status, stdout, stderr } = await run(python, [script, join(folder, name), "--output", output], {
      env: surroundings({ METASTATE_QUICK: "1" }),
    });
    assert.equal(status, 0, `${stdout}\n${stderr}`);
    const notebook = readNotebook(output);
    assertAllCellsRan(notebook);
    assertReadable(notebook);
  });
}

test("tutorials are valid notebooks of format 4.5: cells have ids of their own", async () => {
  const check = "import nbformat, sys\nfor path in sys.argv[1:]: nbformat.validate(nbformat.read(path, as_version=4))";
  const paths = readdirSync(folder)
    .filter((name) => name.endsWith(".ipynb"))
    .map((name) => join(folder, name));
  const { status, stderr } = await run(python, ["-W", "error", "-c", check, ...paths], { env: surroundings() });
  assert.equal(status, 0, stderr);
  for (const path of paths) {
    const { nbformat, nbformat_minor, cells } = readNotebook(path) as Notebook & Record<string, unknown>;
    assert.deepEqual([nbformat, nbformat_minor], [4, 5], path);
    const ids = (cells as readonly { id?: string }[]).map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length, path);
  }
});

test("every plot of a tutorial has a picture beside it, for where it cannot be drawn, and the files stay small", () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".ipynb"))) {
    const path = join(folder, name);
    for (const { data } of outputs(readNotebook(path))) {
      if (data?.[PLOTLY] !== undefined)
        assert.ok(data["image/png"], `${name}: npm run notebooks -- --pictures makes them`);
    }
    assert.ok(statSync(path).size < 1.5e6, `${name} has ${statSync(path).size} bytes`);
  }
});
