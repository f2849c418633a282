/**
 * Tutorials on the `cuda` engine: all of them on the GPU where METASTATE_TEST_GPU=1. The emulator takes seconds for a step of
 * training, so there it is the one that trains nothing; `npm run notebooks -- --engine cuda-emulated` runs the others on it.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { python, root, surroundings } from "../environment.js";
import { whereCuda } from "../needs-native.js";
import { run } from "../program.js";
import { joined, outputs, printed, readNotebook } from "./notebook-file.js";

const folder = join(root, "notebooks");
const tutorials = readdirSync(folder).filter((name) => /^\d\d-.*\.ipynb$/.test(name));

whereCuda((engine) => {
  for (const name of tutorials.filter((name) => engine === "cuda" || name.startsWith("02-"))) {
    test(`${name} runs on ${engine}, and no cell warns of anything`, { timeout: 600_000 }, async (t) => {
      const scratch = mkdtempSync(join(tmpdir(), "metastate-tutorial-"));
      t.after(() => rmSync(scratch, { recursive: true }));
      const output = join(scratch, "out.ipynb");
      const script = join(root, "scripts", "run_notebook.py");
      const { status, stdout, stderr } = await run(python, [script, join(folder, name), "--output", output], {
        env: surroundings({ METASTATE_QUICK: "1", METASTATE_BACKEND: engine }),
      });
      assert.equal(status, 0, `${stdout}\n${stderr}`);
      const notebook = readNotebook(output);
      assert.match(printed(notebook), new RegExp(`metastate runs on ${engine}: `));
      const warnings = outputs(notebook).filter((one) => one.output_type === "stream" && one.name === "stderr");
      assert.deepEqual(
        warnings.map(({ text }) => joined(text)),
        [],
      );
    });
  }
});
