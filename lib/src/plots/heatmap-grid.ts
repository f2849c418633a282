/** Several matrices as heatmaps side by side, on one colour scale. */
import type { ColorBar, Data, Layout } from "plotly.js";

import { rounded } from "./figure.js";
import { currentTheme, type ColourScale } from "./theme.js";

/** One heatmap of a grid. */
export interface GridCell {
  readonly title: string;
  readonly matrix: readonly (readonly number[])[];
  /** where the matrix's entries lie, unless at whole numbers from 0 */
  readonly places?: Places;
}

/** Where rows and columns of a heatmap lie on its axes: the first, and the distance. */
export interface Places {
  readonly x0: number;
  readonly dx: number;
  readonly y0: number;
  readonly dy: number;
}

/** What is the same for all heatmaps of a grid. */
export interface GridOptions {
  readonly xLabel: string;
  readonly yLabel: string;
  /** what the colour bar says */
  readonly valueLabel: string;
  /** the magnitude at the ends of the scale, which is symmetric around zero; default the largest there is */
  readonly limit?: number;
}

/** Width of all heatmaps together: what the width of a cell, 860, leaves beside the edges. Pixels, as all here. */
const room = 680;
/** Width and height of one heatmap at most, and how many stand in a row, without and with numbers: more could not be read. */
const [most, mostNumbered] = [360, 3];
export const mostInRow = 8;
/** Rows and columns of a heatmap that has its values written into it, at most. */
const fewEntries = 5;
/** From so many heatmaps in a row on, text is smaller, so that it has room on a page of half the width too. */
const many = 4;
/** Width of the horizontal axis' name in small letters, on a page of half the width. */
const nameWidth = 2 * 70;
const gap = { columns: 20, rows: 34 };
const edge = { left: 70, right: 110, top: 74, bottom: 56 };

/**
 * The largest finite magnitude of matrices, with three digits; 1 when all is zero, so that a scale has an end. Values that are not
 * finite are left blank by plotly.
 */
export function largestMagnitude(matrices: readonly (readonly (readonly number[])[])[]): number {
  let largest = 0;
  for (const matrix of matrices) {
    for (const row of matrix) {
      for (const value of row) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
    }
  }
  return rounded(largest, 3) || 1;
}

/** What a figure's title, or its text, adds when some of the values are not finite; else nothing. */
export function blanks(matrices: readonly (readonly (readonly number[])[])[]): string {
  const values = matrices.flat(2);
  const count = values.filter((value) => !Number.isFinite(value)).length;
  return count > 0 ? ` (blank: ${count} of ${values.length} values, not finite)` : "";
}

/** Numbers as a figure keeps them. */
export function roundedMatrix(matrix: readonly (readonly number[])[]): number[][] {
  return matrix.map((row) => row.map((value) => rounded(value, 3)));
}

/**
 * Traces and layout of a grid of square heatmaps, rows from top to bottom; row 0 of each matrix is on top. A row of more than
 * eight goes on below itself.
 *
 * @param wanted rows of cells, all of the same length
 */
export function heatmapGrid(
  wanted: readonly (readonly GridCell[])[],
  { xLabel, yLabel, valueLabel, limit = largestMagnitude(wanted.flat().map(({ matrix }) => matrix)) }: GridOptions,
): { data: Partial<Data>[]; layout: Partial<Layout> } {
  const numbered = wanted.flat().every(({ matrix }) => isSmall(matrix));
  const cells = wanted.flatMap((row) => broken(row, numbered ? mostNumbered : mostInRow));
  const rows = cells.length;
  const columns = cells[0]!.length;
  const size = Math.floor(Math.min(most, (room + gap.columns) / columns - gap.columns));
  const inner = {
    width: columns * (size + gap.columns) - gap.columns,
    height: rows * (size + gap.rows) - gap.rows,
  };
  const small = columns >= many;
  const text = small ? { tickfont: { size: 10 } } : {};
  const named = (name: string) => ({ title: { text: name, ...(small && { font: { size: 11 } }) } });
  const bar = colourBar(valueLabel, limit, small ? inner.height : Infinity);
  // Names that would touch are left out: all columns have the same.
  const every = Math.ceil(nameWidth / (size + gap.columns));
  const data: Partial<Data>[] = [];
  const layout: Record<string, unknown> = {
    // A fixed size keeps the squares square and the colour bar beside them.
    autosize: false,
    width: inner.width + edge.left + edge.right,
    height: inner.height + edge.top + edge.bottom,
    margin: { l: edge.left, r: edge.right, t: edge.top, b: edge.bottom },
    coloraxis: {
      colorscale: currentTheme().diverging,
      cmin: -limit,
      cmax: limit,
      colorbar: { ...bar, ...text, ...(small && { title: { ...bar.title, font: { size: 11 } } }) },
    },
  };
  const annotations: unknown[] = [];
  cells.forEach((line, row) =>
    line.forEach(({ title, matrix, places }, column) => {
      const number = row * columns + column + 1;
      const suffix = number === 1 ? "" : String(number);
      const x0 = (column * (size + gap.columns)) / inner.width;
      const y1 = 1 - (row * (size + gap.rows)) / inner.height;
      // The last line of a broken row may be shorter: what stands above nothing has the numbers of its columns.
      const isLowest = cells[row + 1]?.[column] === undefined;
      // Few channels would get ticks between whole numbers.
      const ticks = (count: number) => (count <= 8 ? { dtick: 1 } : {});
      const domain = { x: [x0, x0 + size / inner.width], y: [y1 - size / inner.height, y1] };
      data.push({
        type: "heatmap",
        z: roundedMatrix(matrix),
        ...(numbered && numbers(matrix, limit)),
        ...places,
        coloraxis: "coloraxis",
        xaxis: `x${suffix}`,
        yaxis: `y${suffix}`,
        hovertemplate: `${title ? `${title}<br>` : ""}${yLabel} %{y}<br>${xLabel} %{x}<br>${valueLabel} %{z}<extra></extra>`,
      } as Partial<Data>);
      layout[`xaxis${suffix}`] = {
        domain: domain.x,
        anchor: `y${suffix}`,
        showgrid: false,
        ...ticks(matrix[0]?.length ?? 0),
        showticklabels: isLowest,
        ...text,
        ...(isLowest && (column % every === 0 || !small) && named(xLabel)),
      };
      layout[`yaxis${suffix}`] = {
        domain: domain.y,
        anchor: `x${suffix}`,
        showgrid: false,
        ...ticks(matrix.length),
        autorange: "reversed",
        showticklabels: column === 0,
        ...text,
        ...(column === 0 && named(yLabel)),
      };
      if (title) annotations.push(cellTitle(title, (domain.x[0]! + domain.x[1]!) / 2, y1));
    }),
  );
  return { data, layout: { ...layout, annotations } as Partial<Layout> };
}

/** Whether a matrix is small enough for {@link numbers}. */
export function isSmall(matrix: readonly (readonly number[])[]): boolean {
  return matrix.length <= fewEntries && (matrix[0]?.length ?? 0) <= fewEntries;
}

/**
 * Of a heatmap's trace: its values, written into it as large as there is room, with two digits of the largest that shares its
 * scale. Plotly would give those of a template a hyphen for their minus, other than its axes have.
 */
export function numbers(
  matrix: readonly (readonly number[])[],
  largest: number,
): { text: string[][]; texttemplate: string } {
  const decimals = Math.max(2, 1 - Math.floor(Math.log10(largest)));
  const written = (value: number): string => {
    if (!Number.isFinite(value)) return "";
    // Many zeros would be no easier to read than a power of ten.
    const short = decimals > 4 ? value.toExponential(1) : String(Number(value.toFixed(decimals)) + 0);
    return (value === 0 ? "0" : short).replaceAll("-", "−");
  };
  return { text: matrix.map((row) => row.map(written)), texttemplate: "%{text}" };
}

/**
 * The colours over a range, and the values at their ends: from its low to its high end where it has one sign; where it has both,
 * equally far to both sides, so that zero has the colour of the paper and equal magnitudes are equally strong.
 */
export function scaleOver(low: number, high: number): { colorscale: ColourScale; low: number; high: number } {
  const { diverging, sequential } = currentTheme();
  if (low >= 0) return { colorscale: sequential, low, high };
  const reach = Math.max(-low, high);
  return { colorscale: diverging, low: -reach, high: reach };
}

/** A row as lines of about equal length, none of them longer than `most`. */
function broken<T>(row: readonly T[], most: number): T[][] {
  const lines = Math.ceil(row.length / most);
  const length = Math.ceil(row.length / lines);
  return Array.from({ length: lines }, (_, line) => row.slice(line * length, (line + 1) * length));
}

/**
 * A colour bar that says what its colours are.
 *
 * @param largest magnitude of its numbers
 * @param plotHeight of the plot beside it, pixels, where it is low: words that would reach beyond it get lines of their own
 */
export function colourBar(label: string, largest: number, plotHeight = Infinity): Partial<ColorBar> {
  const height = portionOfHeight * plotHeight;
  // Plotly moves such a title away from the numbers that it would lie over, and no farther: it would stand between wider ones
  // above and below it. Empty lines first leave the room that the widest takes.
  const decimals = Math.max(0, Math.ceil(-Math.log10(largest / 4)));
  // Beyond so many characters plotly writes a power of ten.
  const widest = Math.min(7, "−".length + Math.trunc(largest).toString().length + (decimals && 1 + decimals));
  const room = "<br>".repeat(Math.max(1, Math.ceil((widest * titleCharacter) / titleLine) - 1));
  return {
    title: { text: room + wrapped(label, height / titleCharacter), side: "right" },
    thickness: 14,
    outlinewidth: 0,
    len: portionOfHeight,
    // As many numbers as do not lie over each other, and few even beside a high plot: those between whole ones are long.
    nticks: Math.max(2, Math.min(5, Math.floor(height / titleLine))),
  };
}

/** Width of a character of a colour bar's title, and height of its lines, pixels; and the bar's part of the plot's height. */
const [titleCharacter, titleLine] = [8, 20];
const portionOfHeight = 0.9;

/** Lines of at most so many characters, broken between words. */
function wrapped(text: string, most: number): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.join("<br>");
}

function cellTitle(text: string, x: number, y: number) {
  const anchors = { xanchor: "center", yanchor: "bottom" };
  return { text, x, y, xref: "paper", yref: "paper", ...anchors, showarrow: false, font: { size: 12 } };
}
