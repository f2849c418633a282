/** Lines that stand for something beside the curves of a plot: what guessing gets, the step at which a model grew. */
import type { Shape } from "plotly.js";

import { currentTheme } from "./theme.js";

/** Lines that a plot of curves marks, by the name that its legend gives them. */
export interface MarkedLines {
  /** values of the vertical axis, each a line across the plot: for instance what guessing gets */
  levels?: Readonly<Record<string, number>>;
  /** values of the horizontal axis, each an upright line: for instance the step at which a model grew */
  places?: Readonly<Record<string, number>>;
}

/** Told apart from each other, and from curves, without colours. */
const dashes = ["dash", "dot", "dashdot", "longdash"] as const;

/** The lines as plotly's shapes, which reach from edge to edge. */
export function markedLines({ levels = {}, places = {} }: MarkedLines): Partial<Shape>[] {
  const across = Object.entries(levels).map(([name, y]) => ({ name, xref: "paper", x0: 0, x1: 1, y0: y, y1: y }));
  const upright = Object.entries(places).map(([name, x]) => ({ name, yref: "paper", y0: 0, y1: 1, x0: x, x1: x }));
  return [...across, ...upright].map((line, i) => ({
    ...line,
    type: "line",
    // Over the grid, which they may lie on, and under the curves.
    layer: "between",
    showlegend: true,
    line: { color: currentTheme().text, width: 1, dash: dashes[i % dashes.length]! },
  })) as unknown as Partial<Shape>[]; // whose types know of no layer between
}
