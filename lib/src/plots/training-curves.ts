/** Metrics over training: the loss, or any other; of one run, of several, of several seeds. */
import type { Data, Layout } from "plotly.js";

import { ConfigurationError } from "../errors.js";
import { mean, sampleDeviation } from "../spread.js";
import { Figure, rounded } from "./figure.js";
import { legendBelow, type Named } from "./legend-below.js";
import { logarithmicAxis } from "./logarithmic-axis.js";
import { markedLines, type MarkedLines } from "./marked-lines.js";
import { currentTheme } from "./theme.js";
import { thinned } from "./thinning.js";

/** The part of a step's metrics that the loss plot shows. */
export interface LossPoint {
  readonly step: number;
  readonly loss: number;
  readonly validationLoss?: number;
}

/** Options of `ms.plots.loss`. */
export interface LossPlotOptions extends MarkedLines {
  /** what stands above the figure; default "Training" */
  title?: string;
  /** steps over which the line is smoothed (exponential mean); default a fiftieth of the steps, 1 for none */
  smooth?: number;
  /** the unit of the loss; default `nats a token`. Of a text that is read byte by byte `nats per byte` says it better */
  unit?: string;
}

/** Options of `ms.plots.metric`. */
export interface MetricPlotOptions extends MarkedLines {
  /** the metric's name in the history, e.g. `gradientNorm`, `learningRate`, `tokensPerSecond` */
  metric: string;
  /** what stands above the figure; default the label */
  title?: string;
  /** what stands at the vertical axis; default the metric's name in words */
  label?: string;
  /** steps over which the line is smoothed (exponential mean); default 1, not at all */
  smooth?: number;
  /** whether the vertical axis is logarithmic; default no */
  log?: boolean;
}

/** Options of `ms.plots.seeds`. */
export interface SeedsPlotOptions extends Partial<MetricPlotOptions> {
  /** what the band around the mean reaches to: one sample standard deviation (default), or from least to most */
  band?: "deviation" | "range";
  /** what stands above the figure; default the label, the number of seeds, and what the band is */
  title?: string;
  /** what the horizontal axis is; default `step` */
  xLabel?: string;
  /** the ends of the vertical axis, for instance to leave out how all began; default so that all is seen */
  range?: readonly [low: number, high: number];
}

/**
 * Training loss step by step (pale), smoothed (line), and held-out loss where it was measured (points).
 *
 * @param history the metrics of one run, or of several by name
 *
 * @example
 * ```ts
 * const history: ms.TrainMetrics[] = [];
 * const chart = display(ms.plots.loss(history));
 * for await (const metrics of ms.train(model, batches, { steps: 600 })) {
 *   history.push(metrics);
 *   chart.update(ms.plots.loss(history));
 * }
 * ```
 */
export function lossPlot(
  history: readonly LossPoint[] | Readonly<Record<string, readonly LossPoint[]>>,
  { title = "Training", smooth, unit = "nats a token", ...marked }: LossPlotOptions = {},
): Figure {
  const { series } = currentTheme();
  const runs = namedRuns("plots.loss", history);
  const data = runs.flatMap(([name, points], i) => lossTraces(name, points, series[i % series.length]!, smooth));
  return new Figure(data, overSteps(data, title, `loss (${unit})`, marked), lossSummary(title, runs, unit));
}

/**
 * Any metric of training over its steps; steps without it are left out.
 *
 * @param history the metrics of one run, or of several by name
 */
export function metricPlot(
  history: readonly object[] | Readonly<Record<string, readonly object[]>>,
  { metric, title, label = inWords(metric), smooth = 1, log = false, ...marked }: MetricPlotOptions,
): Figure {
  const { series } = currentTheme();
  const runs = namedRuns("plots.metric", history).map(([name, points]) => [name, valuesOf(points, metric)] as const);
  const heading = title ?? capital(label);
  const data = runs.map(([name, { steps, values }], i) => {
    const kept = thinned(steps.length);
    const smoothed = exponentialMean(values, smooth);
    return {
      type: "scatter" as const,
      mode: "lines" as const,
      name: name === "" ? label : name,
      x: kept.map((at) => steps[at]!),
      y: kept.map((at) => rounded(smoothed[at]!)),
      line: { color: series[i % series.length]!, width: 2 },
    };
  });
  const layout = overSteps(data, heading, label, marked);
  const last = runs.map(([name, { values }]) => `${name === "" ? heading : name}: ${rounded(values.at(-1) ?? NaN)}`);
  const scale = log && logarithmicAxis(data.flatMap(({ y }) => y));
  return new Figure(data, { ...layout, yaxis: { ...layout.yaxis, ...scale } }, last.join("\n"));
}

/**
 * A metric of several models, each trained with several seeds: the mean over seeds as a line, its spread as a band.
 *
 * @param runs by model, a history a seed; steps that not every seed has are left out
 */
export function seedsPlot(
  runs: Readonly<Record<string, readonly (readonly object[])[]>>,
  {
    metric = "validationLoss",
    label = metric === "validationLoss" ? "held-out loss (nats a token)" : inWords(metric),
    smooth = 1,
    band = "deviation",
    title = seedsTitle(label, runs, band),
    log = false,
    xLabel = "step",
    range,
    ...marked
  }: SeedsPlotOptions = {},
): Figure {
  const { series } = currentTheme();
  const lines: string[] = [];
  const shown: number[] = [];
  const data = Object.entries(runs).flatMap(([name, histories], i): Partial<Data>[] => {
    const colour = series[i % series.length]!;
    const { steps, rows } = aligned(histories.map((history) => valuesOf(history, metric)));
    const smoothed = rows.map((row) => exponentialMean(row, smooth));
    const kept = thinned(steps.length);
    const columns = kept.map((at) => smoothed.map((row) => row[at]!));
    const means = columns.map(mean);
    const spread = columns.map((values) => spreadOf(values, band));
    const x = kept.map((at) => steps[at]!);
    shown.push(...spread.flat());
    const last = columns.at(-1);
    if (last) lines.push(`${name}: ${rounded(mean(last))} ± ${rounded(deviation(last), 2)} (${last.length} seeds)`);
    return [
      {
        type: "scatter",
        mode: "lines",
        name: `${name}, spread`,
        legendgroup: name,
        showlegend: false,
        x: [...x, ...[...x].reverse()],
        y: [...spread.map(([, high]) => rounded(high)), ...spread.map(([low]) => rounded(low)).reverse()],
        fill: "toself",
        fillcolor: colour,
        opacity: 0.18,
        line: { width: 0 },
        hoverinfo: "skip",
      },
      {
        type: "scatter",
        mode: "lines",
        name,
        legendgroup: name,
        x,
        y: means.map((value) => rounded(value)),
        line: { color: colour, width: 2 },
      },
    ];
  });
  const layout = overSteps(data, title, label, marked, xLabel);
  return new Figure(
    data,
    { ...layout, yaxis: { ...layout.yaxis, ...(log && logarithmicAxis(range ?? shown)), ...ends(range, log) } },
    lines.join("\n"),
  );
}

/** A fixed axis; plotly wants the logarithms of a logarithmic one. */
function ends(range: readonly [number, number] | undefined, log: boolean): { range?: number[] } {
  return range ? { range: range.map((end) => (log ? Math.log10(end) : end)) } : {};
}

function overSteps(
  data: readonly Partial<Data>[],
  title: string,
  label: string,
  marked: MarkedLines,
  xLabel = "step",
): Partial<Layout> {
  const shapes = markedLines(marked);
  return {
    title: { text: title },
    xaxis: { title: { text: xLabel }, rangemode: "tozero" },
    // From zero, where there are levels: one at the end of the axis would look like its line.
    yaxis: { title: { text: label }, ...(marked.levels && { rangemode: "tozero" as const }) },
    shapes,
    ...legendBelow([...(data as Named[]), ...shapes]),
    hovermode: "x unified",
  };
}

function namedRuns<T extends object>(
  caller: string,
  history: readonly T[] | Readonly<Record<string, readonly T[]>>,
): [name: string, points: readonly T[]][] {
  if (Array.isArray(history)) return [["", history as readonly T[]]];
  const given: unknown = history;
  // A training, or a promise of its history, has no names, and would be an empty figure.
  if (typeof given === "object" && given !== null && !(Symbol.asyncIterator in given) && !("then" in given)) {
    const runs = Object.entries(history as Readonly<Record<string, readonly T[]>>);
    if (runs.every(([, points]) => Array.isArray(points))) return runs;
  }
  throw new ConfigurationError(
    `${caller}: the history is no list, wanted a list of steps' metrics, or several by name: collect them as they come, ` +
      `for await (const metrics of training) history.push(metrics)`,
  );
}

function lossTraces(name: string, points: readonly LossPoint[], colour: string, smooth?: number): Partial<Data>[] {
  const measured = points.filter(({ validationLoss }) => validationLoss !== undefined);
  const label = (what: string): string => (name === "" ? what : `${name}, ${what}`);
  const kept = thinned(points.length);
  const steps = kept.map((at) => points[at]!.step);
  const losses = points.map(({ loss }) => loss);
  const window = smooth ?? Math.max(1, Math.round(points.length / 50));
  const smoothed = exponentialMean(losses, window);
  const averaged = name === "" && window > 1 ? `training, smoothed over ${window} steps` : "training";
  const result: Partial<Data>[] = [
    {
      type: "scatter",
      mode: "lines",
      name: label("each step"),
      // Pale lines need no entry each where there are several.
      showlegend: name === "",
      x: steps,
      y: kept.map((at) => rounded(losses[at]!)),
      line: { color: colour, width: 1 },
      opacity: 0.25,
      hoverinfo: "skip",
    },
    {
      type: "scatter",
      mode: "lines",
      // With nothing beside it to be told from, a run's line needs no name but the run's.
      name: measured.length === 0 && name !== "" ? name : label(averaged),
      x: steps,
      y: kept.map((at) => rounded(smoothed[at]!)),
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
      marker: { color: currentTheme().paper, size: 8, line: { color: colour, width: 2 } },
    });
  }
  return result;
}

function lossSummary(title: string, runs: readonly [string, readonly LossPoint[]][], unit: string): string {
  const lines = runs.map(([name, points]) => {
    const last = points.at(-1);
    const held = points.findLast(({ validationLoss }) => validationLoss !== undefined)?.validationLoss;
    const text = last ? `loss ${last.loss.toFixed(3)} ${unit} at step ${last.step}` : "no steps yet";
    return `${name === "" ? title : name}: ${text}${held === undefined ? "" : `, held out ${held.toFixed(3)}`}`;
  });
  return lines.join("\n");
}

/** The steps that have the metric, and its values. */
function valuesOf(history: readonly object[], metric: string): { steps: number[]; values: number[] } {
  const steps: number[] = [];
  const values: number[] = [];
  history.forEach((point, i) => {
    const { step = i + 1, [metric]: value } = point as { step?: number; [metric: string]: unknown };
    if (typeof value !== "number") return;
    steps.push(step);
    values.push(value);
  });
  return { steps, values };
}

/** The steps that all have, and a row of values of each. */
function aligned(runs: readonly { steps: number[]; values: number[] }[]): { steps: number[]; rows: number[][] } {
  const tables = runs.map(({ steps, values }) => new Map(steps.map((step, i) => [step, values[i]!])));
  const steps = (runs[0]?.steps ?? []).filter((step) => tables.every((table) => table.has(step)));
  return { steps, rows: tables.map((table) => steps.map((step) => table.get(step)!)) };
}

/**
 * Exponential mean over a window that grows to `steps`: where values fall steeply, at the start, a wide one would trail far
 * behind them.
 */
function exponentialMean(values: readonly number[], steps: number): number[] {
  let running = 0;
  return values.map((value, i) => {
    running += (value - running) / Math.min(steps, 1 + i / 8);
    return running;
  });
}

/** What line and band are; the number of seeds where all models have as many. The unit stands at the axis. */
function seedsTitle(label: string, runs: Readonly<Record<string, readonly unknown[]>>, band: string): string {
  const [count, ...others] = new Set(Object.values(runs).map(({ length }) => length));
  const seeds = count === undefined || others.length > 0 ? "the seeds" : `${count} ${count === 1 ? "seed" : "seeds"}`;
  const spread = band === "range" ? "mean and range" : "mean ± 1 SD";
  return `${capital(label.replace(/ \(.*\)$/, ""))}: ${spread} of ${seeds}`;
}

/** The sample standard deviation; a single value has no spread to show. */
function deviation(values: readonly number[]): number {
  return values.length < 2 ? 0 : sampleDeviation(values);
}

function spreadOf(values: readonly number[], band: "deviation" | "range"): [low: number, high: number] {
  if (band === "range") return [Math.min(...values), Math.max(...values)];
  const middle = mean(values);
  const by = deviation(values);
  return [middle - by, middle + by];
}

/** `gradientNorm` as `gradient norm`. */
function inWords(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
