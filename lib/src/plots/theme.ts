/** The looks of plots, and their colours. */
import type { Layout, LayoutAxis } from "plotly.js";

import { ConfigurationError } from "../errors.js";

/** The names of the looks; `auto` is light, and dark on a dark page. */
export type ThemeName = "auto" | "light" | "dark";

/** A scale of colours, from 0 to 1. */
export type ColourScale = [at: number, colour: string][];

/** What a figure tells the page that it is on, in `layout.meta`; plotly leaves it alone. */
export interface PageHints {
  /** what each of its colours is on a dark page */
  readonly dark?: Readonly<Record<string, string>>;
  /** whether it is drawn smaller, in proportion, where the page has less room than its width */
  readonly scales?: boolean;
}

/** What a look sets. */
export interface Theme {
  readonly layout: Partial<Layout> & { readonly meta?: PageHints };
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

/** The font of tokens, whose characters are all of one width. */
export const monospace = "ui-monospace, 'DejaVu Sans Mono', monospace";

/** The size of letters for which there is so much room along a line, `portion` of their size: no larger than other text. */
export function letters(room: number, portion: number): number {
  return Math.max(8, Math.min(13, Math.floor(room / portion)));
}

/** What a line of letters is high, as a portion of their size. */
export const lineHeight = 1.17;

/** Okabe and Ito's colours, told apart with any colour vision; the last one is the text's. */
const okabeIto = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"] as const;

interface Colours {
  readonly paper: string;
  readonly text: string;
  readonly faint: string;
  readonly grid: string;
  readonly series: readonly string[];
  readonly diverging: readonly string[];
  readonly sequential: readonly string[];
}

/** The colours of one look with those of the other that stand in their places. */
function paired(from: Colours, to: Colours): Record<string, string> {
  const all = (colours: Colours): string[] => Object.values(colours).flat() as string[];
  const others = all(to);
  return Object.fromEntries(all(from).map((colour, i) => [colour, others[i]!]));
}

function theme(colours: Colours): Theme {
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
const lightColours: Colours = {
  paper: "#ffffff",
  text: "#24292f",
  faint: "#8c959f",
  grid: "#e6e8eb",
  series: [...okabeIto, "#000000"],
  diverging: ["#08519c", "#6baed6", "#ffffff", "#fd8d3c", "#a63603"],
  sequential: ["#ffffff", "#c6dbef", "#6baed6", "#2171b5", "#08306b"],
};

/** What is the same colour above is the same here, so that a figure can change its look by its colours alone. */
const darkColours: Colours = {
  paper: "#16191d",
  text: "#e3e6ea",
  faint: "#7d858f",
  grid: "#2c3138",
  series: ["#56b4e9", "#e69f00", "#2fbf94", "#e29bc6", "#f5793a", "#0f8fd6", "#ffffff"],
  diverging: ["#9ecae1", "#3182bd", "#16191d", "#e6550d", "#fdae6b"],
  sequential: ["#16191d", "#08457e", "#3182bd", "#6baed6", "#deebf7"],
};

const light = theme(lightColours);

/** {@link PageHints} are read by the kernel's extension of JupyterLab, and by the pages that are made of notebooks. */
const themes: Readonly<Record<ThemeName, Theme>> = {
  auto: { ...light, layout: { ...light.layout, meta: { dark: paired(lightColours, darkColours) } } },
  light,
  dark: theme(darkColours),
};

let current: ThemeName = "auto";

/** The look of figures that are made from here on. */
export function currentTheme(): Theme {
  return themes[current];
}

/**
 * Chooses the look of all figures that are made from here on: `light`, `dark`, or `auto` (at the start), which is light, and dark
 * where a figure is shown on a dark page.
 *
 * @throws ConfigurationError when there is no such look
 */
export function setTheme(name: ThemeName): void {
  if (!Object.hasOwn(themes, name)) {
    throw new ConfigurationError(`plots.setTheme: "${name}" is no theme, wanted "auto", "light" or "dark"`);
  }
  current = name;
}
