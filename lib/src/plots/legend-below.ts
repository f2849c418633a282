/** A legend below the plot: long names beside it would take their width from it, and over it curves may reach every corner. */
import type { Layout } from "plotly.js";

/** What a legend has an entry of, unless it says that it has none: a trace, or a marked line. */
export interface Named {
  readonly name?: string;
  readonly showlegend?: boolean;
}

/** What a character of a name takes, and the line or point before it; and what a narrow page has for names; pixels. */
const [character, sample, narrow] = [6.6, 40, 392];
/** The parts of the figure: title, plot, numbers and name of the horizontal axis; pixels. */
const [titleHeight, plotHeight, axisHeight] = [48, 276, 52];
/** A row of names, and what plotly keeps free around all rows; pixels. */
const [row, around] = [20, 22];
/** Characters of the longest name that may stand beside a plot. */
const shortEnough = 18;

/** The names that a legend has. */
function legendNames(entries: readonly Named[]): string[] {
  return entries.flatMap(({ name = "", showlegend = true }) => (showlegend ? [name] : []));
}

/** Where there is more than one name, a legend: beside the plot where all are short, else below it. */
export function legendByLength(entries: readonly Named[]): Partial<Layout> {
  const names = legendNames(entries);
  const isLong = names.length > 1 && names.some(({ length }) => length > shortEnough);
  return isLong ? legendBelow(entries) : { showlegend: names.length > 1 };
}

/**
 * Legend, margin and height of a figure with its names below the plot; a single name needs none. There is room for the rows
 * that they take on a narrow page: plotly would make the plot lower for them, and leave them where they were when the page
 * becomes wide again.
 *
 * @param downwards what names of ticks take that stand upright, pixels
 */
export function legendBelow(
  entries: readonly Named[],
  downwards = 0,
): Pick<Layout, "showlegend" | "legend" | "margin" | "height"> {
  const widths = legendNames(entries).map(({ length }) => length * character + sample);
  const showlegend = widths.length > 1;
  const axis = axisHeight + downwards;
  const bottom = axis + (showlegend ? rowsOf(widths) * row + around : 0);
  return {
    showlegend,
    legend: { orientation: "h", x: 0, y: -axis / plotHeight, yanchor: "top", tracegroupgap: 0 },
    margin: { l: 64, r: 24, t: titleHeight, b: bottom },
    height: titleHeight + plotHeight + bottom,
  };
}

/**
 * The layout with a legend of {@link legendBelow} as far below the axis as it was, where the figure is now of another height.
 *
 * @param before the layout that the legend was placed for; {@link legendBelow}'s own where it is left out
 */
export function legendAtHeight(layout: Partial<Layout>, before?: Partial<Layout>): Partial<Layout> {
  const { legend } = layout;
  const y = legend?.orientation === "h" && legend.x === 0 ? (legend.y ?? 0) : 0;
  const [was, is] = [before ? heightOfPlot(before) : plotHeight, heightOfPlot(layout)];
  return y < 0 && was > 0 && is > 0 ? { ...layout, legend: { ...legend, y: (y * was) / is } } : layout;
}

function heightOfPlot({ height, margin }: Partial<Layout>): number {
  return (height ?? 0) - (margin?.t ?? 0) - (margin?.b ?? 0);
}

/** Rows that names of some widths take on a narrow page: one where they fit into it, else plotly gives each as much as the longest. */
function rowsOf(widths: readonly number[]): number {
  const all = widths.reduce((sum, width) => sum + width, 0);
  return all <= narrow ? 1 : Math.ceil(widths.length / Math.max(1, Math.floor(narrow / Math.max(...widths))));
}
