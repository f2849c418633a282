/** A head's state matrix as a heatmap. */
import * as tf from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import type { ModelState, StatePart } from "../model/state.js";
import { axisLook, Figure, rounded } from "./figure.js";

/** Options of `ms.plots.stateHeatmap`. */
export interface StateHeatmapOptions {
  /** default 0, the first */
  layer?: number;
  /** default 0 */
  head?: number;
  /** the WKV state S or the Meta-State M; default `wkv` */
  part?: StatePart;
  /** row of the batch; default 0 */
  batch?: number;
  title?: string;
}

/** Blue through white to orange-red: signs are told apart with any colour vision, and zero is white. */
const diverging: [number, string][] = [
  [0, "#08519c"],
  [0.25, "#6baed6"],
  [0.5, "#ffffff"],
  [0.75, "#fd8d3c"],
  [1, "#a63603"],
];

/**
 * One head's N×N state: value channels down, from 0 on top, key channels across. The colour scale is symmetric around
 * zero and reaches to the largest magnitude.
 *
 * @throws ConfigurationError naming the index that is out of range, or that the model has no Meta-State
 */
export function stateHeatmap(
  state: ModelState,
  { layer = 0, head = 0, part = "wkv", batch = 0, title }: StateHeatmapOptions = {},
): Figure {
  const matrix = headMatrix(state, { layer, head, part, batch });
  const largest = matrix.flat().reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const limit = rounded(largest, 3) || 1;
  const what = part === "wkv" ? "WKV state" : "Meta-State";
  const heading = title ?? `${what}, layer ${layer}, head ${head}`;
  return new Figure(
    [
      {
        type: "heatmap",
        z: matrix.map((row) => row.map((value) => rounded(value, 3))),
        colorscale: diverging,
        zmin: -limit,
        zmax: limit,
        colorbar: { title: { text: "state value", side: "right" }, thickness: 14, outlinewidth: 0, len: 0.9 },
        hovertemplate: "value channel %{y}<br>key channel %{x}<br>%{z}<extra></extra>",
      },
    ],
    {
      title: { text: heading, x: 0.02, xanchor: "left" },
      xaxis: { ...axisLook, title: { text: "key channel" }, showgrid: false, constrain: "domain" },
      yaxis: {
        ...axisLook,
        title: { text: "value channel" },
        showgrid: false,
        autorange: "reversed",
        scaleanchor: "x",
        constrain: "domain",
      },
      // A fixed width keeps the colour bar beside the square.
      width: 560,
      height: 480,
      autosize: false,
    },
    `${heading}: ${matrix.length}×${matrix.length}, largest magnitude ${rounded(largest, 3)}`,
  );
}

function headMatrix(
  state: ModelState,
  { layer, head, part, batch }: { layer: number; head: number; part: StatePart; batch: number },
): number[][] {
  const layerState = state.layers[layer];
  if (!layerState) throw outOfRange("layer", layer, state.layers.length);
  const tensor = layerState[part];
  if (!tensor) {
    throw new ConfigurationError(
      `stateHeatmap: part "${part}" is not in this state: the model's SSE carries no Meta-State; use part "wkv"`,
    );
  }
  const [batches, heads, rows, columns] = tensor.shape;
  if (!(batch >= 0 && batch < batches)) throw outOfRange("batch", batch, batches);
  if (!(head >= 0 && head < heads)) throw outOfRange("head", head, heads);
  const values = tf.tidy(() => tf.slice(tensor, [batch, head, 0, 0], [1, 1, rows, columns]).dataSync<"float32">());
  return Array.from({ length: rows }, (_, i) => Array.from(values.subarray(i * columns, (i + 1) * columns)));
}

function outOfRange(name: string, value: number, count: number): ConfigurationError {
  return new ConfigurationError(`stateHeatmap: ${name} is ${value}, wanted 0 to ${count - 1}`);
}
