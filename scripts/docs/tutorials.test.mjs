// @ts-check
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { markdownOf, withOutputs } from "./tutorials.mjs";

const figure = { data: [], layout: { title: { text: "A <b>loss</b>" } } };
const notebook = {
  metadata: {},
  cells: [
    {
      cell_type: "markdown",
      source: ["# T\n", "[next](02-next.ipynb), [guide](../docs/a.md#b), [far](https://x.org/a.md), a[0](1)"],
    },
    {
      cell_type: "code",
      source: "f(`$&`)",
      outputs: [
        { output_type: "stream", text: ["1  <2\n", "\x08"] },
        { output_type: "display_data", data: { "text/markdown": "**said**", "text/plain": "said" } },
        { output_type: "execute_result", data: { "application/vnd.plotly.v1+json": figure, "text/plain": "a loss" } },
      ],
    },
  ],
};

test("a tutorial's Markdown has its text and code, with links to where files lie, and places for what cells have shown", () => {
  const markdown = markdownOf(notebook, "01-t");
  assert.match(
    markdown,
    /\[next\]\(\.\.\/\.\.\/notebooks\/02-next\.ipynb\), \[guide\]\(\.\.\/\.\.\/notebooks\/\.\.\/docs\/a\.md#b\)/,
  );
  assert.match(markdown, /\[far\]\(https:\/\/x\.org\/a\.md\), a\[0\]\(1\)/);
  assert.match(markdown, /^````ts\nf\(`\$&`\)\n````$/m);
  assert.match(markdown, /\n\n\*\*said\*\*\n\n/);
  assert.doesNotMatch(markdown, /loss/, "what was shown is not searched");
});

test("what cells have shown takes its place: text as text, figures with their title as a name", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "metastate-tutorial-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "01-t.ipynb");
  writeFileSync(path, JSON.stringify(notebook));
  const page = withOutputs(markdownOf(notebook, "01-t"), path, "01-t");
  assert.match(page, /<pre class="printed">1 {2}&lt;2\n\u2408<\/pre>/);
  assert.match(page, /role="figure" aria-label="Plot: A loss"><script type="application\/json">.*A \\u003cb>loss/);
  assert.doesNotMatch(page, /data-output/);
  const output = { output_type: "display_data", data: { "image/x": "" } };
  const strange = { ...notebook, cells: [{ cell_type: "code", source: "", outputs: [output] }] };
  writeFileSync(path, JSON.stringify(strange));
  assert.throws(() => withOutputs(markdownOf(strange, "01-t"), path, "01-t"), /image\/x has no form in the book/);
});
