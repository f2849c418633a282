// @ts-check
// The pictures of docs/gallery.md, out of the tutorials' outputs.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./checkout.mjs";
import { Failure } from "./failure.mjs";
import { drawOutputs, PLOTLY } from "./figure-pictures.mjs";
import { figureOutputs, read, tutorials } from "./tutorials.mjs";

/** Which figure of which tutorial, by the beginning of its title, and what its picture is called. */
const pictures = /** @type {const} */ ([
  ["01", "Meta-State on Moby-Dick", "training"],
  ["01", "What one head remembers", "state"],
  ["02", "The sixth token, part by part", "update"],
  ["03", "S, used as weights", "weights"],
  ["04", "Four models of one size", "comparison"],
  ["05", "How surprised", "surprise"],
  ["05", "How alike", "similarity"],
  ["06", "WKV state of layer 1", "evolution"],
  ["06", "Distance of the two states", "meeting"],
  ["08", "What grew", "growth"],
  ["08", "The same steps, spent in four ways", "grown"],
  ["09", "Right orders after each move", "tracking"],
  ["10", "Ops of a training step", "roofline"],
  ["10", "Memory for the text so far", "memory"],
]);

/**
 * Draws them anew.
 *
 * @returns {Promise<number>} how many
 * @throws {Failure} when a tutorial has no such figure (any more)
 */
export async function drawGallery() {
  const outputs = pictures.map(([start, title, name]) => {
    const [{ path }] = tutorials([start]);
    const output = figureOutputs(read(path)).find(({ data }) => titleOf(data[PLOTLY]).startsWith(title));
    if (output) return { name, output };
    throw new Failure(
      `${path} has no figure whose title begins with "${title}"`,
      "mend the list in scripts/lib/gallery.mjs",
    );
  });
  const folder = join(root, "docs", "images", "gallery");
  mkdirSync(folder, { recursive: true });
  const drawn = await drawOutputs(outputs.map(({ output }) => output));
  outputs.forEach(({ name }, i) => writeFileSync(join(folder, `${name}.png`), drawn[i].png));
  return outputs.length;
}

/** @param {{layout: {title?: {text?: string}}}} figure */
function titleOf({ layout }) {
  return layout.title?.text ?? "";
}
