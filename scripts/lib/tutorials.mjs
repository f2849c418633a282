// @ts-check
// The tutorials as files: which there are, what they are called, and their pictures.

import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { notebooks } from "./checkout.mjs";
import { UsageError } from "./failure.mjs";
import { drawOutputs, PLOTLY } from "./figure-pictures.mjs";

/**
 * @typedef {object} Tutorial
 * @property {string} name of the file, without `.ipynb`
 * @property {string} path
 * @property {string} title its first heading
 */

/**
 * The tutorials in their order.
 *
 * @param {readonly string[]} [only] beginnings of names; all unless told
 * @returns {Tutorial[]}
 * @throws {UsageError} when a beginning fits none
 */
export function tutorials(only = []) {
  const all = readdirSync(notebooks)
    .filter((file) => /^\d\d-.*\.ipynb$/.test(file))
    .sort();
  for (const start of only) {
    if (all.some((file) => file.startsWith(start))) continue;
    throw new UsageError(`no tutorial begins with ${JSON.stringify(start)}; there are ${all.join(", ")}`);
  }
  return all
    .filter((file) => only.length === 0 || only.some((start) => file.startsWith(start)))
    .map((file) => {
      const path = join(notebooks, file);
      const [first] = read(path).cells;
      const title = /^# (.+)$/m.exec(joined(first?.source))?.[1] ?? file;
      return { name: file.replace(/\.ipynb$/, ""), path, title };
    });
}

/**
 * @typedef {import("./figure-pictures.mjs").Output} Output
 * @typedef {{cells: {cell_type: string, source: string | string[], outputs?: Output[]}[], metadata: object}} Notebook
 */

/**
 * @param {string} path
 * @returns {Notebook}
 */
export function read(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** @param {string | readonly string[] | undefined} text as nbformat keeps it, in one piece or in lines */
export function joined(text) {
  return typeof text === "string" ? text : (text ?? []).join("");
}

/**
 * The outputs of a notebook that hold a plotly figure.
 *
 * @param {Notebook} notebook
 * @returns {(Output & {data: Record<string, any>})[]}
 */
export function figureOutputs(notebook) {
  const outputs = notebook.cells.flatMap(({ outputs = [] }) => outputs);
  return /** @type {(Output & {data: Record<string, any>})[]} */ (outputs.filter(({ data }) => data?.[PLOTLY]));
}

/**
 * Puts a picture beside each plotly figure of notebook files, for whoever cannot draw figures (GitHub, and conversions to other
 * formats). JupyterLab goes on drawing the figures. One browser draws them all; each file is written whole or not at all.
 *
 * @param {readonly string[]} paths
 * @returns {Promise<number[]>} how many each file got
 */
export async function addPictures(paths) {
  const files = paths.map((path) => {
    const notebook = read(path);
    return { path, notebook, outputs: figureOutputs(notebook) };
  });
  const outputs = files.flatMap((file) => file.outputs);
  const pictures = await drawOutputs(outputs);
  outputs.forEach((output, i) => {
    output.data = { ...output.data, "image/png": `${Buffer.from(pictures[i].png).toString("base64")}\n` };
    output.metadata = { ...output.metadata, "image/png": pictures[i].size };
  });
  for (const { path, notebook } of files) writeWhole(path, sortedJson(notebook));
  return files.map(({ outputs }) => outputs.length);
}

/**
 * As nbformat writes a notebook, so that a run changes only what is different.
 *
 * @param {Notebook} notebook
 */
function sortedJson(notebook) {
  /** @param {unknown} value @returns {unknown} */
  const sorted = (value) => {
    if (Array.isArray(value)) return value.map(sorted);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, part]) => [name, sorted(part)]),
    );
  };
  return `${JSON.stringify(sorted(notebook), null, 1)}\n`;
}

/**
 * @param {string} path
 * @param {string} text
 */
export function writeWhole(path, text) {
  const temporary = join(dirname(path), `.${process.pid}.tmp`);
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** @param {string} path @returns {number} megabytes */
export function megabytes(path) {
  return statSync(path).size / 1e6;
}
