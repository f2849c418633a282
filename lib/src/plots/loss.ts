/** The loss over training. */
import type { Data } from "plotly.js";

import type { TrainMetrics } from "../training/train.js";
import { axisLook, colours, Figure, rounded } from "./figure.js";

/** The part of a step's metrics that is plotted. */
export type LossPoint = Pick<TrainMetrics, "step" | "loss" | "validationLoss">;

/** Options of `ms.plots.loss`. */
export interface LossPlotOptions {
  title?: string;
  /** steps over which the line is smoothed (exponential mean); default a fiftieth of the steps, 1 for none */
  smooth?: number;
  /** the unit of the loss; default `nats per byte` */
  unit?: string;
}

/** More points than this are not seen in a cell, only stored. */
const mostPoints = 500;

/**
 * Training loss step by step (pale), smoothed (line), and held-out loss where it was measured (points).
 *
 * @param history the metrics of one run, or of several by name
 */
export function lossPlot(
  history: readonly LossPoint[] | Readonly<Record<string, readonly LossPoint[]>>,
  { title = "Training", smooth, unit = "nats per byte" }: LossPlotOptions = {},
): Figure {
  const runs: [name: string, points: readonly LossPoint[]][] = isOne(history)
    ? [["", history]]
    : Object.entries(history);
  const data = runs.flatMap(([name, points], i) => traces(name, points, colours[i % colours.length]!, smooth));
  return new Figure(
    data,
    {
      title: { text: title, x: 0.02, xanchor: "left" },
      xaxis: { ...axisLook, title: { text: "step" }, rangemode: "tozero" },
      yaxis: { ...axisLook, title: { text: `loss (${unit})` } },
      legend: { x: 1, xanchor: "right", y: 1, bgcolor: "rgba(255,255,255,0.8)" },
      hovermode: "x unified",
    },
    summary(title, runs, unit),
  );
}

function isOne(
  history: readonly LossPoint[] | Readonly<Record<string, readonly LossPoint[]>>,
): history is readonly LossPoint[] {
  return Array.isArray(history);
}

function traces(name: string, points: readonly LossPoint[], colour: string, smooth?: number): Partial<Data>[] {
  const label = (what: string): string => (name === "" ? what : `${name}, ${what}`);
  const every = Math.ceil(points.length / mostPoints);
  const kept = (_: unknown, i: number): boolean => i % every === 0 || i === points.length - 1;
  const steps = points.map(({ step }) => step).filter(kept);
  const mean = smoothed(points, smooth ?? Math.max(1, Math.round(points.length / 50)));
  const measured = points.filter(({ validationLoss }) => validationLoss !== undefined);
  const result: Partial<Data>[] = [
    {
      type: "scatter",
      mode: "lines",
      name: label("each step"),
      x: steps,
      y: points.map(({ loss }) => rounded(loss)).filter(kept),
      line: { color: colour, width: 1 },
      opacity: 0.25,
      hoverinfo: "skip",
    },
    {
      type: "scatter",
      mode: "lines",
      name: label("training"),
      x: steps,
      y: mean.map((loss) => rounded(loss)).filter(kept),
      line: { color: colour, width: 2 },
    },
  ];
  if (measured.length > 0) {
    result.push({
      type: "scatter",
      mode: "lines+markers",
      name: label("held out"),
      x: measured.map(({ step }) => step),
      y: measured.map(({ validationLoss }) => rounded(validationLoss!)),
      line: { color: colour, width: 1.5, dash: "dot" },
      marker: { color: "#ffffff", size: 8, line: { color: colour, width: 2 } },
    });
  }
  return result;
}

/**
 * Exponential mean over a window that grows to `steps`: where the loss falls steeply, at the start, a wide one would trail
 * far behind it.
 */
function smoothed(points: readonly LossPoint[], steps: number): number[] {
  let mean = 0;
  return points.map(({ loss }, i) => {
    mean += (loss - mean) / Math.min(steps, 1 + i / 8);
    return mean;
  });
}

function summary(title: string, runs: readonly [string, readonly LossPoint[]][], unit: string): string {
  const lines = runs.map(([name, points]) => {
    const last = points.at(-1);
    const held = points.findLast(({ validationLoss }) => validationLoss !== undefined)?.validationLoss;
    const text = last ? `loss ${last.loss.toFixed(3)} ${unit} at step ${last.step}` : "no steps yet";
    return `${name === "" ? title : name}: ${text}${held === undefined ? "" : `, held out ${held.toFixed(3)}`}`;
  });
  return lines.join("\n");
}
