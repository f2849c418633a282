/** Values over tokens: sizes of updates, norms, ranks. */
import type { Data } from "plotly.js";

import { Figure, rounded } from "./figure.js";
import { legendBelow, legendByLength, type Named } from "./legend-below.js";
import { logarithmicAxis } from "./logarithmic-axis.js";
import { markedLines, type MarkedLines } from "./marked-lines.js";
import { currentTheme, letters, lineHeight, monospace } from "./theme.js";

/** Options of `ms.plots.overTokens`. */
export interface OverTokensOptions extends MarkedLines {
  /** what stands above the figure; default "Over tokens" */
  title?: string;
  /** what the values are; default `value` */
  label?: string;
  /** the tokens, as a person reads them */
  tokens?: readonly string[];
  /** where the values stand on the horizontal axis; default 0, 1, 2, … */
  x?: ArrayLike<number>;
  /** what the horizontal axis is; default `token` */
  xLabel?: string;
  /** distance of two ticks of a linear horizontal axis, for instance 15 for angles; default as plotly likes it */
  xTick?: number;
  /** whether the horizontal axis is logarithmic, or has its values side by side at even steps: both name each value; default `linear` */
  xScale?: "linear" | "log" | "even";
  /** whether the vertical axis is logarithmic; default no */
  log?: boolean;
}

/** What a character of a name takes, and the space between two names at least; and the plot's width on a narrow page; pixels. */
const [character, apart, narrow] = [8, 2, 392];
/** What a character of {@link monospace} is wide, as a portion of its size. */
const widthOfMonospace = 0.61;

/**
 * A line for each name, a value a token: for instance the size of the state's update in each layer.
 *
 * @param values by name, one a token; or those of a single line, which is called as `label` says
 */
export function overTokens(
  values: Readonly<Record<string, ArrayLike<number>>> | ArrayLike<number>,
  {
    title = "Over tokens",
    label = "value",
    tokens,
    x,
    xLabel = "token",
    xTick,
    xScale = "linear",
    log = false,
    ...marked
  }: OverTokensOptions = {},
): Figure {
  const { series } = currentTheme();
  const entries = Object.entries(isOneLine(values) ? { [label]: values } : values);
  const data = entries.map(([name, all], i): Partial<Data> => {
    const numbers = Array.from(all);
    return {
      type: "scatter",
      mode: numbers.length > 100 ? "lines" : "lines+markers",
      name,
      x: numbers.map((_, at) => (xScale === "even" ? `${x?.[at] ?? at}` : (x?.[at] ?? at))),
      y: numbers.map((value) => rounded(value)),
      ...(tokens && { text: numbers.map((_, at) => JSON.stringify(tokens[at] ?? "")) }),
      line: { color: series[i % series.length]!, width: 1.5, dash: i < series.length ? "solid" : "dot" },
      marker: { size: 4 },
      hovertemplate: `${name}: %{y}${tokens ? " at %{text}" : ""}<extra></extra>`,
    };
  });
  const shapes = markedLines(marked);
  const named: Named[] = [...(data as Named[]), ...shapes];
  const legend = legendByLength(named);
  const beside = legend.showlegend === true && legend.legend === undefined;
  const width = 740 - (beside ? Math.max(...named.map(({ name = "" }) => name.length)) * character + 50 : 0);
  const shown = tokens !== undefined && tokens.length <= 60 ? tokens.map(shortened) : [];
  const longest = Math.max(0, ...shown.map(({ length }) => length));
  const upright = longest * character + apart > width / shown.length;
  // Many tokens have room on a narrow page when their letters are small, and no legend is beside them.
  const size = letters(narrow / shown.length, upright ? lineHeight : longest * widthOfMonospace);
  const dense = size < 13;
  return new Figure(
    data,
    {
      title: { text: title },
      xaxis: {
        title: { text: xLabel },
        ...(xTick !== undefined && { dtick: xTick }),
        ...(xScale === "log" && { type: "log" as const, ...(x && { tickvals: Array.from(x) }) }),
        ...(xScale === "even" && { type: "category" as const }),
        ...(shown.length > 0 && {
          tickvals: shown.map((_, at) => at),
          ticktext: shown,
          tickangle: upright ? -90 : 0,
          ...(x === undefined && { range: [-0.7, shown.length - 0.3] }),
          ...(dense && { tickfont: { family: monospace, size } }),
        }),
      },
      yaxis: {
        title: { text: label, standoff: 12 },
        automargin: true,
        ...(log && logarithmicAxis(entries.flatMap(([, all]) => Array.from(all)))),
      },
      hovermode: "x unified",
      shapes,
      ...legend,
      ...((upright || (dense && beside)) && legendBelow(named, upright ? longest * character : 0)),
    },
    `${title}\n${entries.map(([name, all]) => `${name}: last ${rounded(all[all.length - 1] ?? NaN)}`).join("\n")}`,
  );
}

function isOneLine(values: Parameters<typeof overTokens>[0]): values is ArrayLike<number> {
  return Array.isArray(values) || ArrayBuffer.isView(values);
}

function shortened(token: string): string {
  const shown = token.replaceAll("\n", "⏎").replaceAll(" ", "·");
  return shown.length > 6 ? `${shown.slice(0, 5)}…` : shown;
}
