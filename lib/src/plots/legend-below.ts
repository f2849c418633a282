/** A legend below the plot: long names beside it would take their width from it, and over it curves may reach every corner. */
import type { Data, Layout } from "plotly.js";

/** What a character of a name takes, and the line or point before it; and a narrow page that has room for names; pixels. */
const [character, sample, narrow] = [8, 48, 480];
/** The parts of the figure: title, plot, numbers and name of the horizontal axis; pixels. */
const [titleHeight, plotHeight, axisHeight] = [48, 276, 52];
/** A row of names, and what plotly keeps free around all rows; pixels. */
const [row, around] = [20, 22];

/**
 * Legend, margin and height of a figure with the names of `data` below the plot. There is room for the rows that they take on a
 * narrow page: plotly would make the plot lower for them, and leave them where they were when the page becomes wide again.
 *
 * @param downwards what names of ticks take that stand upright, pixels
 */
export function legendBelow(
  data: readonly Partial<Data>[],
  downwards = 0,
): Pick<Layout, "legend" | "margin" | "height"> {
  const shown = data.flatMap((trace) => {
    const { name = "", showlegend = true } = trace as { name?: string; showlegend?: boolean };
    return showlegend ? [name.length * character + sample] : [];
  });
  const rows = Math.max(1, Math.ceil(shown.reduce((sum, width) => sum + width, 0) / narrow));
  const axis = axisHeight + downwards;
  const bottom = axis + rows * row + around;
  return {
    legend: { orientation: "h", x: 0, y: -axis / plotHeight, yanchor: "top", tracegroupgap: 0 },
    margin: { l: 64, r: 24, t: titleHeight, b: bottom },
    height: titleHeight + plotHeight + bottom,
  };
}
