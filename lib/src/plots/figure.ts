/** What every plot is: plotly's data and layout, which displays itself in a notebook and is plain JSON otherwise. */
import type { Config, Data, Frame, Layout, LayoutAxis } from "plotly.js";

import { jupyterDisplay, Shown, type MimeBundle } from "../display.js";
import { legendAtHeight } from "./legend-below.js";
import { currentTheme, type PageHints } from "./theme.js";

/** A figure as plotly's JSON. */
export interface PlotlyJson {
  readonly data: Partial<Data>[];
  readonly layout: Partial<Layout>;
  readonly config: Partial<Config>;
  readonly frames?: Partial<Frame>[];
}

/** How {@link Figure.save} writes a figure. */
export interface SaveFigureOptions {
  /** pixels, 96 an inch; default the figure's own, or 800 */
  width?: number;
  /**
   * pixels, 96 an inch; default the figure's own. What has no room in the size asked for is drawn smaller, letters too;
   * a figure of squares keeps its form and fits into it
   */
  height?: number;
  /** of `.png`: pixels of the file a pixel of the figure; default 2 */
  scale?: number;
}

/** A plotly figure of plain arrays. Change `data` and `layout` as you like before it is shown. */
export class Figure extends Shown {
  readonly config: Partial<Config> = { displaylogo: false, responsive: true };
  readonly layout: Partial<Layout>;

  /**
   * @param data plotly traces
   * @param layout plotly layout, on top of the current theme's
   * @param text one line for where plots cannot be drawn
   * @param frames of an animation
   */
  constructor(
    readonly data: Partial<Data>[],
    layout: Partial<Layout>,
    private readonly text: string,
    readonly frames: Partial<Frame>[] = [],
  ) {
    super();
    const { layout: look, axis } = currentTheme();
    const axes = Object.entries(layout)
      .filter(([name]) => /^[xy]axis\d*$/.test(name))
      .map(([name, own]) => {
        const { title, ...rest } = own as Partial<LayoutAxis>;
        // Plotly's own distance is large: what stands below, a legend or a slider, would touch the name.
        const near = name.startsWith("x") ? { standoff: 10 } : {};
        return [name, { ...axis, ...rest, ...(title && { title: { ...near, ...(title as object) } }) }] as const;
      });
    const title = layout.title && { x: 0.02, xanchor: "left" as const, ...(layout.title as object) };
    const meta: PageHints | undefined = layout.autosize === false ? { ...look.meta, scales: true } : look.meta;
    this.layout = { ...look, ...(meta && { meta }), ...layout, ...Object.fromEntries(axes), ...(title && { title }) };
  }

  /** What the plot shows, in a line or a few. */
  override toString(): string {
    return this.text;
  }

  /** Data, layout, config and frames, as plotly's JSON. */
  toJSON(): PlotlyJson {
    const { data, config, frames } = this;
    return { data, layout: legendAtHeight(this.layout), config, ...(frames.length > 0 && { frames }) };
  }

  /**
   * Writes the figure to a file of the kind that the name ends with: `.png`, `.svg` and `.pdf` are drawn by an installed
   * Chromium, Chrome or Edge; `.html` is one page that works offline; `.json` is plotly's JSON. The file is whole or not there.
   *
   * @throws ConfigurationError when the kind is another; Error with what to install when there is no browser to draw with
   */
  async save(path: string, options: SaveFigureOptions = {}): Promise<void> {
    // Only now: whoever does not save needs no browser.
    const { saveFigure } = await import("./save-figure.js");
    await saveFigure(this.toJSON(), path, options);
  }

  [jupyterDisplay](): MimeBundle {
    return { "application/vnd.plotly.v1+json": this.toJSON(), "text/plain": this.text };
  }
}

/** A number with few digits, so that a figure in a notebook file stays small. */
export function rounded(value: number, digits = 4): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : value;
}
