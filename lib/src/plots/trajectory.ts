/** The path of a state in the plane of its principal components. */
import type { Data } from "plotly.js";

import { Figure, rounded } from "./figure.js";
import { currentTheme } from "./theme.js";

/** One path. */
export interface TrajectoryPath {
  /** one point a token, in the first two principal components */
  readonly points: readonly (readonly [number, number, ...number[]])[];
  /** the tokens, as a person reads them */
  readonly labels?: readonly string[];
}

/** Options of `ms.plots.trajectory`. */
export interface TrajectoryOptions {
  /** what stands above the figure; default "Path of the state" */
  title?: string;
  /** the portions of the variance that the two components explain, from 0 to 1 */
  explained?: readonly number[];
}

/**
 * Paths through the plane, from a filled to an open marker; equal distances are equal on both axes. Paths that share their
 * components can be compared: where two texts part, and whether they meet again.
 *
 * @param paths one, or several by name
 */
export function trajectory(
  paths: TrajectoryPath | Readonly<Record<string, TrajectoryPath>>,
  { title = "Path of the state", explained = [] }: TrajectoryOptions = {},
): Figure {
  const { series, paper } = currentTheme();
  const named = isOne(paths) ? [["path", paths] as const] : Object.entries(paths);
  const data = named.flatMap(([name, { points, labels = [] }], i): Partial<Data>[] => {
    const colour = series[i % series.length]!;
    const x = points.map(([value]) => rounded(value));
    const y = points.map(([, value]) => rounded(value));
    const last = points.length - 1;
    return [
      {
        type: "scatter",
        mode: "lines+markers",
        name,
        x,
        y,
        text: points.map((_, at) => `${at}: ${JSON.stringify(labels[at] ?? "")}`),
        line: { color: colour, width: 1.5 },
        marker: {
          color: points.map((_, at) => (at === last ? paper : colour)),
          size: points.map((_, at) => (at === 0 || at === last ? 11 : 5)),
          line: { color: colour, width: 2 },
        },
        hovertemplate: `${name}, token %{text}<br>%{x}, %{y}<extra></extra>`,
      },
    ];
  });
  const axis = (number: number): string => {
    const portion = explained[number];
    const share = portion === undefined ? "" : ` (${(100 * portion).toFixed(0)} % of the variance)`;
    return `principal component ${number + 1}${share}`;
  };
  return new Figure(
    data,
    {
      title: { text: title },
      xaxis: { title: { text: axis(0) } },
      yaxis: { title: { text: axis(1) }, scaleanchor: "x" },
      height: 480,
      showlegend: named.length > 1,
    },
    `${title}: ${named.map(([name, { points }]) => `${name}, ${points.length} tokens`).join("; ")}`,
  );
}

function isOne(paths: TrajectoryPath | Readonly<Record<string, TrajectoryPath>>): paths is TrajectoryPath {
  return Array.isArray((paths as TrajectoryPath).points);
}
