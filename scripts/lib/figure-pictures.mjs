// @ts-check
// Pictures of the plotly figures among the outputs of notebooks, all drawn by one browser.

import { join } from "node:path";
import { root } from "./checkout.mjs";

/** The type of a plotly figure among an output's data. */
export const PLOTLY = "application/vnd.plotly.v1+json";

/** Pixels of a picture a pixel of its figure: sharper ones would make the files too large to be looked at on the web. */
const SCALE = 1;
/** The width of a figure without one of its own: what a notebook's cell leaves it. */
const WIDTH = 860;

/**
 * An output of a cell, as nbformat keeps it.
 *
 * @typedef {{output_type: string, data?: Record<string, any>, metadata?: Record<string, any>}} Output
 */

/**
 * Draws the figures of outputs that have one.
 *
 * @param {readonly (Output & {data: Record<string, any>})[]} outputs
 * @returns {Promise<{png: Uint8Array, size: {width: number, height: number}}[]>} the pictures, and the sizes they are shown at
 */
export async function drawOutputs(outputs) {
  if (outputs.length === 0) return [];
  const { drawFigures, pictureSize } = await import(join(root, "lib/dist/plots/save-figure.js"));
  const figures = outputs.map(({ data }) => {
    const { data: traces, layout } = data[PLOTLY];
    return { data: traces, layout: { ...layout, width: layout.width ?? WIDTH }, config: {} };
  });
  /** @type {Uint8Array[]} */
  const pngs = await drawFigures(figures, { format: "png", scale: SCALE });
  return pngs.map((png, i) => ({ png, size: pictureSize(figures[i].layout) }));
}
