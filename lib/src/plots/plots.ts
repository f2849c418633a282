/** The plots as `ms.plots` names them. */
import { distribution } from "./distributions.js";
import { growthDiagram } from "./growth-diagram.js";
import { matricesPlot, matrixPlot } from "./matrix.js";
import { opTimes } from "./op-times.js";
import { overTokens } from "./over-tokens.js";
import { parameterTable } from "./parameter-table.js";
import { roofline } from "./roofline.js";
import { schedulePlot } from "./schedule.js";
import { spectrum } from "./spectrum.js";
import { stateEvolution } from "./state-evolution.js";
import { stateDifference, stateHeatmap } from "./state-heatmap.js";
import { setTheme } from "./theme.js";
import { tokenStrip } from "./token-strip.js";
import { lossPlot, metricPlot, seedsPlot } from "./training-curves.js";
import { trajectory } from "./trajectory.js";

/**
 * Plotly figures that display themselves; each is a pure function of data, and `save`s itself as a picture or a page.
 *
 * @namespace
 */
export const plots = {
  /** Training loss, smoothed, with held-out points; of one history or of several by name. */
  loss: lossPlot,
  /** Any other metric of training: gradient norm, learning rate, tokens per second. */
  metric: metricPlot,
  /** A metric of several models over several seeds: means with bands. */
  seeds: seedsPlot,
  /** The learning rate of each step, of one schedule or of several by name. */
  schedule: schedulePlot,
  /** WKV states or Meta-States as heatmaps: one head, all heads, all layers. */
  stateHeatmap,
  /** What has changed between two states. */
  stateDifference,
  /** A state from token to token, with a slider and an animation. */
  stateEvolution,
  /** Singular values of states. */
  spectrum,
  /** The path of a state in the plane of its principal components. */
  trajectory,
  /** A text with a value for each token. */
  tokenStrip,
  /** Values over tokens: sizes of updates, norms, ranks. */
  overTokens,
  /** How decays, gates and other values are spread. */
  distribution,
  /** Any matrix as a heatmap: similarity over time, attention. */
  matrix: matrixPlot,
  /** Several matrices side by side on one scale. */
  matrices: matricesPlot,
  /** Names, shapes and counts of a model's parameters. */
  parameterTable,
  /** What a model had before it grew, and what is new: layers, heads with their states, parameter tokens. */
  growthDiagram,
  /** What a machine could do, and what ops do of it. */
  roofline,
  /** The time of a computation by op. */
  opTimes,
  /** The look of the figures made from here on: `auto`, `light` or `dark`. */
  setTheme,
};
