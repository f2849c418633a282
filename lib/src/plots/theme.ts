/** The two looks of plots, and their colours. */
import type { Layout, LayoutAxis } from "plotly.js";

import { ConfigurationError } from "../errors.js";

/** The names of the looks. */
export type ThemeName = "light" | "dark";

/** A scale of colours, from 0 to 1. */
export type ColourScale = [at: number, colour: string][];

/** What a look sets. */
export interface Theme {
  readonly layout: Partial<Layout>;
  readonly axis: Partial<LayoutAxis>;
  /** of lines and points, in order */
  readonly series: readonly string[];
  /** for values of both signs: zero has the colour of the paper */
  readonly diverging: ColourScale;
  /** for values from zero */
  readonly sequential: ColourScale;
  readonly paper: string;
  readonly text: string;
  /** text that says less */
  readonly faint: string;
}

/** Okabe and Ito's colours, told apart with any colour vision; the last one is the text's. */
const okabeIto = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"] as const;

function theme(colours: {
  paper: string;
  text: string;
  faint: string;
  grid: string;
  series: readonly string[];
  diverging: readonly string[];
  sequential: readonly string[];
}): Theme {
  const { paper, text, faint, grid } = colours;
  const scale = (steps: readonly string[]): ColourScale => steps.map((colour, i) => [i / (steps.length - 1), colour]);
  return {
    paper,
    text,
    faint,
    series: colours.series,
    diverging: scale(colours.diverging),
    sequential: scale(colours.sequential),
    layout: {
      font: { family: "system-ui, -apple-system, 'Segoe UI', sans-serif", size: 13, color: text },
      paper_bgcolor: paper,
      plot_bgcolor: paper,
      margin: { l: 64, r: 24, t: 48, b: 52 },
      autosize: true,
      height: 380,
    },
    axis: {
      gridcolor: grid,
      linecolor: faint,
      showline: true,
      ticks: "outside",
      tickcolor: faint,
      zeroline: false,
    },
  };
}

/** Blue through the paper's colour to orange-red: signs are told apart with any colour vision. */
const themes: Readonly<Record<ThemeName, Theme>> = {
  light: theme({
    paper: "#ffffff",
    text: "#24292f",
    faint: "#8c959f",
    grid: "#e6e8eb",
    series: [...okabeIto, "#000000"],
    diverging: ["#08519c", "#6baed6", "#ffffff", "#fd8d3c", "#a63603"],
    sequential: ["#ffffff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"],
  }),
  dark: theme({
    paper: "#16191d",
    text: "#e3e6ea",
    faint: "#7d858f",
    grid: "#2c3138",
    series: ["#56b4e9", "#e69f00", "#2fbf94", "#e29bc6", "#f5793a", "#0f8fd6", "#ffffff"],
    diverging: ["#9ecae1", "#3182bd", "#16191d", "#e6550d", "#fdae6b"],
    sequential: ["#16191d", "#08457e", "#2171b5", "#6baed6", "#deebf7"],
  }),
};

let current: ThemeName = "light";

/** The look of figures that are made from here on. */
export function currentTheme(): Theme {
  return themes[current];
}

/**
 * Chooses the look of all figures that are made from here on: `light` (at the start) or `dark`.
 *
 * @throws ConfigurationError when there is no such look
 */
export function setTheme(name: ThemeName): void {
  if (!Object.hasOwn(themes, name)) {
    throw new ConfigurationError(`plots.setTheme: "${name}" is no theme, wanted "light" or "dark"`);
  }
  current = name;
}
