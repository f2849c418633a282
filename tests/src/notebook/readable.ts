import assert from "node:assert/strict";
import { codeCells, joined, plots, type Notebook } from "./notebook-file.js";

/** A stranger can follow: the notebook opens with a heading, lines fit a cell, plots say what they show. */
export function assertReadable(notebook: Notebook): void {
  assert.match(joined(notebook.cells[0]!.source), /^# \S/);
  for (const { source } of codeCells(notebook)) {
    const long = joined(source)
      .split("\n")
      .find((line) => line.length > 120);
    assert.equal(long, undefined);
  }
  const shown = plots(notebook);
  assert.ok(shown.length > 0);
  for (const { layout } of shown) {
    const title = layout["title"]?.text;
    assert.ok(title, "a plot has no title");
    for (const axis of ["xaxis", "yaxis"]) {
      const axes = Object.entries(layout).filter(([name]) => name.startsWith(axis));
      const named = axes.some(
        ([, of]) => of?.title?.text !== undefined || (of as { visible?: boolean }).visible === false,
      );
      assert.ok(axes.length === 0 || named, `"${title}" has no label at its ${axis}`);
    }
  }
}
