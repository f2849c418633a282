/** Any matrix as a heatmap: similarity of states over time, attention, decays by channel. */
import type { Data } from "plotly.js";

import { ConfigurationError } from "../errors.js";
import { Figure } from "./figure.js";
import { colourBar, heatmapGrid, largestMagnitude, roundedMatrix } from "./heatmap-grid.js";
import { currentTheme } from "./theme.js";

/** Options of `ms.plots.matrix`. */
export interface MatrixPlotOptions {
  title?: string;
  /** what the values are; default `value` */
  label?: string;
  /** what the columns are; default `column` */
  xLabel?: string;
  /** what the rows are; default `row` */
  yLabel?: string;
  /** the names of the columns */
  x?: readonly string[];
  /** the names of the rows */
  y?: readonly string[];
  /** the range of the colours; default symmetric around zero where there are both signs, else from 0 */
  range?: readonly [low: number, high: number];
}

/** Rows from top to bottom. Values of both signs get the diverging scale, others the sequential one. */
export function matrixPlot(
  matrix: readonly (readonly number[])[],
  { title = "Matrix", label = "value", xLabel = "column", yLabel = "row", x, y, range }: MatrixPlotOptions = {},
): Figure {
  const { diverging, sequential } = currentTheme();
  const largest = largestMagnitude([matrix]);
  const bothSigns = matrix.some((row) => row.some((value) => value < 0));
  const [low, high] = range ?? [bothSigns ? -largest : 0, largest];
  const trace = {
    type: "heatmap",
    z: roundedMatrix(matrix),
    colorscale: low < 0 ? diverging : sequential,
    zmin: low,
    zmax: high,
    colorbar: colourBar(label),
    hovertemplate: `${yLabel} %{y}<br>${xLabel} %{x}<br>${label} %{z}<extra></extra>`,
  };
  const ticks = (all: readonly string[] | undefined, count: number) =>
    all ? { tickvals: all.map((_, at) => at), ticktext: [...all] } : count <= 8 ? { dtick: 1 } : {};
  const rows = matrix.length;
  const columns = matrix[0]?.length ?? 0;
  return new Figure(
    [trace as Partial<Data>],
    {
      title: { text: title },
      xaxis: { title: { text: xLabel }, showgrid: false, constrain: "domain", ...ticks(x, columns) },
      yaxis: {
        title: { text: yLabel },
        showgrid: false,
        autorange: "reversed",
        constrain: "domain",
        ...ticks(y, rows),
      },
      height: Math.round(Math.min(560, Math.max(300, (rows / Math.max(1, columns)) * 620))),
    },
    `${title}: ${rows}×${columns}, largest magnitude ${largest}`,
  );
}

/**
 * Several matrices side by side on one symmetric scale, each under its name: for instance the parts of a state's update.
 *
 * @throws ConfigurationError when there is none
 */
export function matricesPlot(
  matrices: Readonly<Record<string, readonly (readonly number[])[]>>,
  {
    title = "Matrices",
    label = "value",
    xLabel = "column",
    yLabel = "row",
  }: Pick<MatrixPlotOptions, "title" | "label" | "xLabel" | "yLabel"> = {},
): Figure {
  const entries = Object.entries(matrices);
  if (entries.length === 0) throw new ConfigurationError("plots.matrices: there is no matrix, wanted at least one");
  const cells = entries.map(([name, matrix]) => ({ title: name, matrix }));
  const { data, layout } = heatmapGrid([cells], { xLabel, yLabel, valueLabel: label });
  return new Figure(
    data,
    { title: { text: title }, ...layout },
    `${title}: ${entries.map(([name, matrix]) => `${name} ${matrix.length}×${matrix[0]?.length ?? 0}`).join(", ")}`,
  );
}
