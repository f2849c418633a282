/** What every plot is: plotly's data and layout, which displays itself in a notebook and is plain JSON otherwise. */
import type { Config, Data, Layout } from "plotly.js";

import { jupyterDisplay, type Displayable, type MimeBundle } from "../display.js";

/** A plotly figure of plain arrays. Change `data` and `layout` as you like before it is shown. */
export class Figure implements Displayable {
  readonly config: Partial<Config> = { displaylogo: false, responsive: true };

  /**
   * @param data plotly traces
   * @param layout plotly layout, on top of the library's own look
   * @param text one line for where plots cannot be drawn
   */
  constructor(
    readonly data: Partial<Data>[],
    readonly layout: Partial<Layout>,
    private readonly text: string,
  ) {
    this.layout = { ...look, ...layout };
  }

  toString(): string {
    return this.text;
  }

  /** Data, layout and config, as plotly's JSON. */
  toJSON(): { data: Partial<Data>[]; layout: Partial<Layout>; config: Partial<Config> } {
    return { data: this.data, layout: this.layout, config: this.config };
  }

  [jupyterDisplay](): MimeBundle {
    return { "application/vnd.plotly.v1+json": this.toJSON(), "text/plain": this.text };
  }
}

/** One look for all plots: light, no template to download, readable at the width of a cell. */
const look: Partial<Layout> = {
  font: { family: "system-ui, -apple-system, 'Segoe UI', sans-serif", size: 13, color: "#24292f" },
  paper_bgcolor: "#ffffff",
  plot_bgcolor: "#ffffff",
  margin: { l: 64, r: 24, t: 48, b: 52 },
  autosize: true,
  height: 380,
};

/** The look of an axis: a light grid, a line at the edge. */
export const axisLook = {
  gridcolor: "#e6e8eb",
  linecolor: "#8c959f",
  showline: true,
  ticks: "outside",
  tickcolor: "#8c959f",
  zeroline: false,
} as const;

/** Okabe and Ito's colours, told apart with any colour vision. */
export const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"] as const;

/** A number with few digits, so that a figure in a notebook file stays small. */
export function rounded(value: number, digits = 4): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : value;
}
