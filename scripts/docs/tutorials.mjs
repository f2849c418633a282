// @ts-check
// The tutorials as TypeDoc reads documents: their text and code as Markdown. What their cells have shown stays out of it, so that
// it is neither searched nor taken for Markdown; it takes its place when the page is written.

import { mkdirSync } from "node:fs";
import { join, relative } from "node:path";
import { notebooks, root } from "../lib/checkout.mjs";
import { PLOTLY } from "../lib/figure-pictures.mjs";
import { joined, read, tutorials, writeWhole } from "../lib/tutorials.mjs";
import { escaped } from "./html-text.mjs";

/** Where the Markdown is written. */
const FOLDER = join(root, "build", "tutorials");

/**
 * Writes each tutorial as Markdown.
 *
 * @returns {(import("../lib/tutorials.mjs").Tutorial & {source: string})[]} with the file that was written
 */
export function tutorialSources() {
  mkdirSync(FOLDER, { recursive: true });
  return tutorials().map((tutorial) => {
    const source = join(FOLDER, `${tutorial.name}.md`);
    writeWhole(source, `${markdownOf(read(tutorial.path), tutorial.name)}\n`);
    return { ...tutorial, source };
  });
}

/**
 * A page with what the tutorial's cells have shown.
 *
 * @param {string} page as TypeDoc has made it of the Markdown
 * @param {string} path of the notebook
 * @param {string} name of the tutorial
 */
export function withOutputs(page, path, name) {
  let text = page;
  read(path).cells.forEach(({ outputs = [] }, cell) =>
    outputs.forEach((output, at) => {
      // A function, since a text with `$&` would be taken for the match.
      text = text.replace(placeOf(name, cell, at), () => html(output));
    }),
  );
  return text;
}

/**
 * @param {import("../lib/tutorials.mjs").Notebook} notebook
 * @param {string} name
 */
export function markdownOf(notebook, name) {
  const there = relative(FOLDER, notebooks);
  return notebook.cells
    .flatMap(({ cell_type, source, outputs = [] }, cell) => {
      const text = joined(source);
      if (cell_type === "markdown") {
        // Files beside the notebook do not lie beside the Markdown.
        return text.replace(/\]\(((?:\.\.\/)?[\w./-]+\.(?:ipynb|md|svg|png))(?=[)#])/g, `](${there}/$1`);
      }
      const shown = outputs.map(({ data }, at) => {
        const { type, value } = richest(data);
        return type === MARKDOWN ? `<div class="output">\n\n${joined(value)}\n\n</div>` : placeOf(name, cell, at);
      });
      return [`\`\`\`\`ts\n${text}\n\`\`\`\``, ...shown];
    })
    .join("\n\n");
}

const MARKDOWN = "text/markdown";
/** The forms of an output that a page can show, the best first. */
const FORMS = [PLOTLY, "text/html", MARKDOWN, "text/plain"];

/**
 * @param {Record<string, any>} [data] of an output, by MIME type
 * @returns {{type?: string, value?: any}}
 */
function richest(data = {}) {
  const type = FORMS.find((form) => data[form] !== undefined);
  return type === undefined ? {} : { type, value: data[type] };
}

/** @param {string} name of the tutorial @param {number} cell @param {number} output */
function placeOf(name, cell, output) {
  return `<div data-output="${name}/${cell}/${output}"></div>`;
}

/**
 * An output as HTML.
 *
 * @param {import("../lib/tutorials.mjs").Output & {text?: string | string[]}} output
 */
function html({ output_type, data, text }) {
  if (output_type === "stream") return printed(joined(text));
  const { type, value } = richest(data);
  if (type === PLOTLY) {
    const title = String(value.layout?.title?.text ?? "")
      .replace(/<br>/g, " ")
      .replace(/<[^>]*>/g, "");
    const json = JSON.stringify(value).replaceAll("<", "\\u003c");
    const label = escaped(`Plot: ${title || "without a title"}`);
    return `<div class="figure" role="figure" aria-label="${label}"><script type="application/json">${json}</script></div>`;
  }
  if (type === "text/html") return `<div class="output">${joined(value)}</div>`;
  if (type === "text/plain") return printed(joined(value));
  throw new Error(
    `an output of type ${output_type} with ${Object.keys(data ?? {}).join(", ")} has no form in the book`,
  );
}

/** @param {string} text */
function printed(text) {
  // Bytes that nobody can see, which an untrained model writes, as the pictures that Unicode has of them.
  // eslint-disable-next-line no-control-regex
  const seen = text.replace(/[\0-\x08\x0b-\x1f]/g, (byte) => String.fromCharCode(0x2400 + byte.charCodeAt(0)));
  return `<div class="output"><pre class="printed">${escaped(seen)}</pre></div>`;
}
