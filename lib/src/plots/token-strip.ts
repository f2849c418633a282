/** A text with a value for each token: surprise, size of the state's update, a probe's answer. */
import type { Data } from "plotly.js";

import { ConfigurationError } from "../errors.js";
import { Figure, rounded } from "./figure.js";
import { colourBar, scaleOver } from "./heatmap-grid.js";
import { monospace } from "./theme.js";

/** Options of `ms.plots.tokenStrip`. */
export interface TokenStripOptions {
  /** what stands above the figure; default "Tokens" */
  title?: string;
  /** what the values are; default `value` */
  label?: string;
  /** tokens a line; default as many as fit */
  perLine?: number;
  /** what the colours tell apart; where it has both signs they reach equally far from zero, as by default. Else from 0 */
  range?: readonly [low: number, high: number];
}

/** Width of a character, height of a line, and what a cell's width leaves for the tokens beside the colour bar; pixels. */
const character = 9;
const line = 26;
const room = 720;

/**
 * The tokens in reading order, each on a field of the colour of its value. Values of both signs get the diverging scale.
 *
 * @param tokens as a person reads them
 * @param values one a token; `NaN` stays without a colour
 * @throws ConfigurationError when there are not as many values as tokens, or none
 */
export function tokenStrip(
  tokens: readonly string[],
  values: ArrayLike<number>,
  { title = "Tokens", label = "value", perLine, range }: TokenStripOptions = {},
): Figure {
  if (tokens.length === 0 || tokens.length !== values.length) {
    throw new ConfigurationError(
      `tokenStrip: ${tokens.length} tokens and ${values.length} values, wanted one value for each of at least one token`,
    );
  }
  const shown = tokens.map(visible);
  const longest = Math.max(...shown.map(({ length }) => length), 2);
  const columns = Math.min(tokens.length, perLine ?? Math.max(8, Math.floor(room / (longest * character))));
  // A second line, if empty: plotly makes text small enough for its field only where there is more than one.
  const lines = Math.max(2, Math.ceil(tokens.length / columns));
  const margin = { l: 16, r: 24, t: 48, b: 16 };
  const height = Math.max(150, lines * line + 64);
  const finite = Array.from(values).filter(Number.isFinite);
  const least = Math.min(0, ...finite);
  const largest = Math.max(...finite, 0) || 1;
  const { colorscale, low, high } = scaleOver(...(range ?? [least, largest]));
  const cells = <T>(of: (token: number) => T): (T | null)[][] =>
    Array.from({ length: lines }, (_, row) =>
      Array.from({ length: columns }, (_, column) => {
        const token = row * columns + column;
        return token < tokens.length ? of(token) : null;
      }),
    );
  const trace = {
    type: "heatmap",
    z: cells((token) => (Number.isFinite(values[token]) ? rounded(values[token]!, 3) : null)),
    text: cells((token) => shown[token]!).map((row) => row.map((word) => word ?? " ")),
    customdata: cells((token) => token),
    texttemplate: "%{text}",
    // Without a size of its own text is as large as its field lets it be, and no larger than other text.
    textfont: { family: monospace },
    colorscale,
    zmin: low,
    zmax: high,
    xgap: 1,
    ygap: 3,
    colorbar: colourBar(label, Math.max(-low, high), height - margin.t - margin.b),
    hovertemplate: `token %{customdata}: %{text}<br>${label} %{z}<extra></extra>`,
    hoverongaps: false,
  };
  const mean = finite.reduce((sum, value) => sum + value, 0) / (finite.length || 1);
  return new Figure(
    [trace as unknown as Partial<Data>],
    {
      title: { text: title },
      xaxis: { visible: false },
      yaxis: { visible: false, autorange: "reversed" },
      margin,
      height,
    },
    `${title}: ${tokens.length} tokens, ${label} ${rounded(mean, 3)} in the mean`,
  );
}

/** Spaces and line ends made to be seen. */
function visible(token: string): string {
  const marked = token.replaceAll("\n", "⏎").replaceAll("\t", "⇥").replaceAll(" ", "·");
  return marked === "" ? "∅" : marked;
}
