/** Our library under somebody else's kernel: the first notebook in stock tslab, with `import * as ms from "metastate"`. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { firstLight, python, results, root, surroundings } from "../environment.js";
import { run } from "../program.js";
import { tslabPackage } from "../tslab-packages.js";
import { assertItWrites, assertStateIsShown } from "./first-light-checks.js";
import { codeCells, figures, joined, outputs, printed, readNotebook } from "./notebook-file.js";
import { forTslab } from "./tslab-notebook.js";

const KERNEL = "stock-tslab";

/** Registers tslab in a Jupyter data folder of its own, as `tslab install` would in the user's. */
async function registerTslab(data: string): Promise<void> {
  const folder = join(data, "kernels", KERNEL);
  mkdirSync(folder, { recursive: true });
  const program = join(await tslabPackage(), "bin", "tslab");
  const argv = [process.execPath, program, "kernel", "--config-path={connection_file}"];
  writeFileSync(join(folder, "kernel.json"), JSON.stringify({ argv, display_name: KERNEL, language: "typescript" }));
}

test("the stock tslab kernel runs the first notebook with our library", { timeout: 600_000 }, async (t) => {
  // Within the checkout, since tslab looks for packages from the notebook's folder.
  mkdirSync(results, { recursive: true });
  const folder = mkdtempSync(join(results, "tslab-"));
  t.after(() => rmSync(folder, { recursive: true }));
  await registerTslab(join(folder, "jupyter"));
  const source = join(folder, "in.ipynb");
  const output = join(folder, "out.ipynb");
  writeFileSync(source, JSON.stringify(forTslab(readNotebook(firstLight), KERNEL)));
  const script = join(root, "scripts", "run_notebook.py");
  const { status, stdout, stderr } = await run(python, [script, source, "--output", output, "--kernel", KERNEL], {
    env: surroundings({ JUPYTER_PATH: join(folder, "jupyter") }),
  });
  assert.equal(status, 0, `${stdout}\n${stderr}`);

  const notebook = readNotebook(output);
  // tslab answers a cell that fails with an error, but shows what was wrong as text on stderr.
  const errors = outputs(notebook).filter(({ output_type, name }) => output_type === "error" || name === "stderr");
  assert.deepEqual(
    errors.map(({ text, evalue }) => evalue ?? joined(text)).filter((text) => !/ExperimentalWarning/.test(text)),
    [],
  );
  for (const cell of codeCells(notebook)) assert.ok(cell.execution_count, `did not run:\n${joined(cell.source)}`);
  assertItWrites(notebook);
  assertStateIsShown(notebook);
  const losses =
    figures(notebook)
      .flat()
      .find(({ name }) => /held out/.test(name ?? ""))?.y ?? [];
  assert.ok((losses.at(-1) ?? NaN) < (losses[0] ?? NaN), `held-out losses ${JSON.stringify(losses)} fall`);
  assert.match(printed(notebook), /bytes to learn from/);
});
