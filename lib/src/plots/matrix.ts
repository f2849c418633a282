/** Any matrix as a heatmap: similarity of states over time, attention, decays by channel. */
import type { Data, Layout } from "plotly.js";

import { ConfigurationError } from "../errors.js";
import { matrixRows, type MatrixInput } from "../inspection/matrix.js";
import { Figure } from "./figure.js";
import { coarse, meansOf, mostEntries } from "./coarse.js";
import {
  blanks,
  colourBar,
  heatmapGrid,
  isSmall,
  largestMagnitude,
  mostInRow,
  numbers,
  roundedMatrix,
  scaleOver,
} from "./heatmap-grid.js";
import { letters, lineHeight } from "./theme.js";

/** Options of `ms.plots.matrix`. */
export interface MatrixPlotOptions {
  /** what stands above the figure; default "Matrix", of several "Matrices" */
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
  /** what the colours tell apart; where it has both signs they reach equally far from zero, as by default. Else from 0 */
  range?: readonly [low: number, high: number];
}

/** Width and height of an entry at most, and of all entries together; pixels. */
const [mostOfOne, mostOfAll] = [56, { width: 640, height: 460 }];
/** What a character of a name at an axis takes, and a narrow page; pixels. */
const [character, narrow] = [8, 480];

/**
 * Rows from top to bottom, entries square unless there are too many in one direction. Values of both signs get the diverging
 * scale, others the sequential one; a matrix of up to 5 × 5 has them written into it. What is not finite is blank, and the title
 * says so: in small letters of NaN alone, which may be a mask. Of one with more rows or columns than a figure has pixels for, 640, means of
 * neighbours are shown, and the title says so.
 *
 * @throws RangeError when rows differ in length, or there are more or fewer than two axes
 */
export function matrixPlot(
  given: MatrixInput,
  { title = "Matrix", label = "value", xLabel = "column", yLabel = "row", x, y, range }: MatrixPlotOptions = {},
): Figure {
  const all = matrixRows(given);
  const shown = coarse(all, mostEntries);
  const { matrix } = shown;
  const largest = largestMagnitude([matrix]);
  const means = meansOf([shown]);
  const heading = title + blanks([all]) + means;
  const least = matrix.some((row) => row.some((value) => value < 0)) ? -largest : 0;
  const { colorscale, low, high } = scaleOver(...(range ?? [least, largest]));
  const trace = {
    type: "heatmap",
    z: roundedMatrix(matrix),
    ...(isSmall(matrix) && numbers(matrix, Math.max(-low, high))),
    ...shown.places,
    colorscale,
    zmin: low,
    zmax: high,
    colorbar: colourBar(label, Math.max(-low, high)),
    hovertemplate: `${yLabel} %{y}<br>${xLabel} %{x}<br>${label} %{z}<extra></extra>`,
  };
  const ticks = (all: readonly string[] | undefined, count: number) =>
    all ? { tickvals: all.map((_, at) => at), ticktext: [...all] } : count <= 8 ? { dtick: 1 } : {};
  const rows = all.length;
  const columns = all[0]?.length ?? 0;
  const { upright, size, lettersOf } = place(heading, rows, columns, x, y);
  return new Figure(
    [trace as Partial<Data>],
    {
      title: { text: title + blanksToTell([all]) + means },
      xaxis: {
        title: { text: xLabel },
        showgrid: false,
        ...ticks(x, columns),
        ...(x && { tickangle: upright ? -90 : 0 }),
        ...(upright && { tickfont: { size: lettersOf.x } }),
      },
      yaxis: {
        title: { text: yLabel, standoff: 10 },
        showgrid: false,
        autorange: "reversed",
        ...ticks(y, rows),
        ...(y && { tickfont: { size: lettersOf.y } }),
      },
      ...size,
    },
    `${heading}: ${rows}×${columns}, largest magnitude ${largestMagnitude([all])}`,
  );
}

/** What a title says of what is not finite: in small letters of NaN, by which one masks what is not to be seen, unless there is nothing else. */
function blanksToTell(matrices: readonly (readonly (readonly number[])[])[]): string {
  const values = matrices.flat(2);
  const isMask = !values.some((value) => Math.abs(value) === Infinity) && values.some(Number.isFinite);
  const told = blanks(matrices);
  return isMask && told !== "" ? `<span style="font-size:11px">${told}</span>` : told;
}

/**
 * How large a heatmap of rows × columns is, with its names and its colour bar; whether its columns' names stand upright; and how
 * large the letters of names are, which must not touch where the heatmap is drawn smaller.
 */
function place(
  title: string,
  rows: number,
  columns: number,
  x: readonly string[] | undefined,
  y: readonly string[] | undefined,
): { upright: boolean; size: Partial<Layout>; lettersOf: { x: number; y: number } } {
  const widest = {
    width: Math.min(mostOfOne, mostOfAll.width / Math.max(1, columns)),
    height: Math.min(mostOfOne, mostOfAll.height / Math.max(1, rows)),
  };
  const side = Math.min(widest.width, widest.height);
  // A long thin matrix would be a line if its entries were square.
  const square = Math.max(rows, columns) <= 4 * Math.min(rows, columns);
  const inner = {
    width: Math.round(columns * (square ? side : widest.width)),
    height: Math.round(rows * (square ? side : widest.height)),
  };
  const longest = (names: readonly string[] = []): number =>
    character * Math.max(3, ...names.map(({ length }) => length));
  // Names of columns stand upright where they would touch.
  const upright = x !== undefined && longest(x) > inner.width / columns;
  const margin = { l: 60 + longest(y), r: 110, t: 60, b: 56 + (upright ? longest(x) : 0) };
  const portion = Math.min(1, (narrow - margin.l - margin.r) / inner.width);
  return {
    upright,
    lettersOf: {
      x: letters((portion * inner.width) / columns, lineHeight),
      y: letters((portion * inner.height) / rows, lineHeight),
    },
    size: {
      // A fixed size keeps the squares square and the colour bar beside them.
      autosize: false,
      width: Math.max(inner.width + margin.l + margin.r, title.length * (character + 1) + 40),
      height: inner.height + margin.t + margin.b,
      margin,
    },
  };
}

/**
 * Several matrices side by side on one symmetric scale, each under its name: for instance the parts of a state's update. Those of
 * up to 5 × 5 have their values written into them; of large ones means are shown, and NaN is left blank, as in `ms.plots.matrix`.
 *
 * @throws ConfigurationError when there is none; RangeError as `ms.plots.matrix`
 */
export function matricesPlot(
  matrices: Readonly<Record<string, MatrixInput>>,
  {
    title = "Matrices",
    label = "value",
    xLabel = "column",
    yLabel = "row",
  }: Pick<MatrixPlotOptions, "title" | "label" | "xLabel" | "yLabel"> = {},
): Figure {
  const entries = Object.entries(matrices);
  if (entries.length === 0) throw new ConfigurationError("plots.matrices: there is no matrix, wanted at least one");
  const all = entries.map(([, matrix]) => matrixRows(matrix));
  // Two a pixel of their row, for screens that have two.
  const most = Math.min(mostEntries, Math.floor((2 * mostEntries) / Math.min(mostInRow, all.length)));
  const shown = all.map((matrix) => coarse(matrix, most));
  const cells = shown.map((cell, i) => ({ title: entries[i]![0], ...cell }));
  const { data, layout } = heatmapGrid([cells], { xLabel, yLabel, valueLabel: label });
  const means = meansOf(shown);
  const sizes = all.map((matrix, i) => `${entries[i]![0]} ${matrix.length}×${matrix[0]?.length ?? 0}`);
  return new Figure(
    data,
    { title: { text: title + blanksToTell(all) + means }, ...layout },
    `${title}${blanks(all)}${means}: ${sizes.join(", ")}`,
  );
}
