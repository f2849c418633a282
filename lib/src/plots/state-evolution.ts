/** A state as it changes from token to token: a heatmap with a slider and an animation. */
import type { Data, Frame, Layout } from "plotly.js";

import { ConfigurationError } from "../errors.js";
import { Figure } from "./figure.js";
import { heatmapGrid, isSmall, largestMagnitude, numbers, roundedMatrix } from "./heatmap-grid.js";
import { stateLabels } from "./state-heatmap.js";
import { currentTheme } from "./theme.js";

/** The state after one token. */
export interface EvolutionFrame {
  /** the token, as a person reads it; empty where its number says enough */
  readonly label: string;
  /** the token's number; default the frame's */
  readonly token?: number;
  /** the matrix after it: rows are value channels, columns key channels */
  readonly matrix: readonly (readonly number[])[];
}

/** Options of `ms.plots.stateEvolution`. */
export interface StateEvolutionOptions {
  /** what stands above the figure; default "State after each token" */
  title?: string;
  /** time a frame is shown while the animation plays, milliseconds; default 250 */
  frameMilliseconds?: number;
  /** the frame shown first, for instance one in which much is stored; default 0. A player starts there and goes to the end */
  start?: number;
}

/**
 * One heatmap a frame, all on one colour scale, with a slider over the tokens and buttons that play and pause.
 *
 * @throws ConfigurationError when there is no frame, or none with the number `start`
 */
export function stateEvolution(
  frames: readonly EvolutionFrame[],
  { title = "State after each token", frameMilliseconds = 250, start = 0 }: StateEvolutionOptions = {},
): Figure {
  const [first] = frames;
  if (!first) throw new ConfigurationError("stateEvolution: there is no frame, wanted a matrix for at least one token");
  const shown = frames[start];
  if (!shown) throw new ConfigurationError(`stateEvolution: start is ${start}, wanted 0 to ${frames.length - 1}`);
  const limit = largestMagnitude(frames.map(({ matrix }) => matrix));
  const { data, layout } = heatmapGrid([[{ title: "", matrix: shown.matrix }]], {
    ...stateLabels,
    valueLabel: "state value",
    limit,
  });
  const steps = frames.map(({ matrix }, i): Partial<Frame> => ({
    name: String(i),
    data: [{ z: roundedMatrix(matrix), ...(isSmall(matrix) && numbers(matrix, limit)) } as Partial<Data>] as never,
  }));
  const [from, to] = [first, frames.at(-1)!].map(({ label }) => JSON.stringify(label));
  return new Figure(
    data,
    { title: { text: title }, ...layout, ...controls(frames, start, frameMilliseconds, layout) },
    `${title}: ${frames.length} tokens${first.label === "" ? "" : `, from ${from} to ${to}`}`,
    steps,
  );
}

function controls(
  frames: readonly EvolutionFrame[],
  start: number,
  milliseconds: number,
  layout: Partial<Layout>,
): Partial<Layout> {
  const { text, faint, paper, axis } = currentTheme();
  const grid = String(axis.gridcolor);
  const at = (duration: number) => ({
    mode: "immediate",
    frame: { duration, redraw: true },
    transition: { duration: 0 },
  });
  const button = (label: string, args: unknown[]) => ({ label, method: "animate" as const, args });
  const bottom = 164;
  return {
    height: Number(layout.height) + bottom - layout.margin!.b!,
    margin: { ...layout.margin, b: bottom },
    sliders: [
      {
        active: start,
        x: 0.3,
        len: 0.7,
        y: 0,
        pad: { t: 62, b: 0 },
        currentvalue: { prefix: "after token ", font: { color: text } },
        font: { color: faint },
        bgcolor: grid,
        bordercolor: faint,
        activebgcolor: faint,
        // Many labels would lie over each other; the one that is shown is named above the slider.
        ticklen: 0,
        minorticklen: 0,
        steps: frames.map(({ label, token }, i) => ({
          label: label === "" ? `${token ?? i}` : `${token ?? i}: ${JSON.stringify(label)}`,
          method: "animate",
          args: [[String(i)], at(0)],
        })),
      },
    ],
    updatemenus: [
      {
        type: "buttons",
        direction: "left",
        x: -0.06,
        y: 0,
        xanchor: "left",
        yanchor: "top",
        pad: { t: 84, r: 8 },
        showactive: false,
        bgcolor: paper,
        bordercolor: faint,
        // Plotly makes a button nearly white under the mouse, on a dark page too: this can be seen on both.
        font: { color: faint },
        buttons: [button("▶", [null, { ...at(milliseconds), fromcurrent: true }]), button("❚❚", [[null], at(0)])],
      },
    ],
  } as unknown as Partial<Layout>;
}
