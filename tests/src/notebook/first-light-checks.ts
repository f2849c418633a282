/** What a run of 01-first-light.ipynb must have left in its outputs, wherever it ran. */
import assert from "node:assert/strict";
import { kernelName } from "../environment.js";
import { codeCells, figures, joined, outputs, printed, type Notebook } from "./notebook-file.js";

/**
 * The validation loss on Moby-Dick that the notebook must reach, in nats per byte. Chance is ln 256 = 5.5; bytes by their
 * frequency alone give 3.1; the set-up of the notebook ends near 1.8.
 */
export const LOSS_BAR = 2.2;

/** Every code cell ran, in order, and none failed. */
export function assertAllCellsRan(notebook: Notebook): void {
  const cells = codeCells(notebook);
  assert.ok(cells.length >= 5, `the notebook has ${cells.length} code cells`);
  const errors = outputs(notebook).filter(({ output_type }) => output_type === "error");
  assert.deepEqual(
    errors.map(({ ename, evalue }) => `${ename}: ${evalue}`),
    [],
  );
  for (const cell of cells) assert.ok(cell.execution_count, `a cell did not run:\n${joined(cell.source)}`);
  assert.equal(notebook.metadata.kernelspec?.name, kernelName);
}

/** The held-out trace of the loss plot ends below the bar, and training did lower it. Returns its last value. */
export function assertItLearned(notebook: Notebook): number {
  const losses = figures(notebook)
    .flat()
    .filter(({ name }) => /held out/.test(name ?? ""))
    .map(({ y }) => (y ?? []).filter((value) => value !== null))
    .filter((values) => values.length > 0);
  const validation = losses.at(-1);
  assert.ok(validation, 'a figure has a trace named "held out", with values');
  const first = validation[0] ?? Number.NaN;
  const last = validation.at(-1) ?? Number.NaN;
  assert.ok(last < LOSS_BAR, `the last validation loss is ${last}, the bar is ${LOSS_BAR}`);
  assert.ok(validation.length === 1 || last < first, `the validation loss went from ${first} to ${last}`);
  return last;
}

/** The state of a head is there as a heatmap of finite numbers that are not all the same. */
export function assertStateIsShown(notebook: Notebook): void {
  const heatmap = figures(notebook)
    .flat()
    .find(({ type }) => type === "heatmap");
  assert.ok(heatmap?.z, "a figure has a heatmap with its values");
  const values = heatmap.z.flat();
  assert.ok(values.length >= 16 * 16 && values.every(Number.isFinite), "the heatmap is a whole head of finite numbers");
  assert.ok(Math.max(...values) > Math.min(...values), "the state is not constant");
}

/** The model's sample looks like text: words and spaces, hardly anything that is not printable. */
export function assertItWrites(notebook: Notebook): void {
  const text = printed(notebook);
  const words = text.match(/\b[a-z]{2,}\b/gi) ?? [];
  assert.ok(words.length >= 20, `a sample of text is printed; all that was printed is:\n${text}`);
}
