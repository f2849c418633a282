/** What a comparison found: runs, and the table that is made of them. */
import { htmlTable, jupyterDisplay, Shown, textTable, type MimeBundle } from "../display.js";
import type { Figure } from "../plots/figure.js";
import { seedsPlot, type SeedsPlotOptions } from "../plots/training-curves.js";
import { mean, sampleDeviation } from "../spread.js";
import { pairedTest, type PairedTest } from "./statistics.js";

/** A point of a run's curve. */
export interface ComparedPoint {
  readonly step: number;
  /** mean training loss since the point before, nats a token */
  readonly loss: number;
  /** on held-out data, on the steps that measure it */
  readonly validationLoss?: number;
  /** on held-out data, on the steps that measure it */
  readonly accuracy?: number;
}

/** One training of one model by one seed. Plain JSON. */
export interface ComparedRun {
  readonly model: string;
  readonly seed: number;
  readonly parameterCount: number;
  /** positions that it learned from */
  readonly tokens: number;
  /** on held-out data at the end, nats a token; `null` when it diverged */
  readonly loss: number | null;
  /** the portion of held-out answers that are right at the end; `null` when it diverged */
  readonly accuracy: number | null;
  /** the first measured step with the accuracy wanted; `null` when it was never there */
  readonly reachedAt: number | null;
  /** the training, in at most 200 points */
  readonly curve: readonly ComparedPoint[];
  /** how long training and measuring took */
  readonly seconds: number;
  /** why it ended before its last step */
  readonly diverged?: string;
}

/** What models are compared by. */
export type ComparedMeasure = "loss" | "accuracy";

/** How a {@link Comparison} is to be read. */
export interface ComparisonSettings {
  /** loss: less is better; accuracy: more */
  readonly measure: ComparedMeasure;
  /** steps of each training */
  readonly steps: number;
  /** what losses are in; default `nats a token` */
  readonly unit?: string;
  /** the accuracy of {@link ComparedRun.reachedAt}; left out where there was none */
  readonly threshold?: number;
  /** how far parameter counts may be apart and still count as equal, as a portion; default 0.02 */
  readonly parameterTolerance?: number;
}

/** One model's line of the table. */
export interface ComparisonRow {
  readonly model: string;
  readonly parameterCount: number;
  /** parameterCount / that of the first model − 1 */
  readonly parametersAbove: number;
  /** the measure, by seed, in the order of the seeds; `null` where it diverged */
  readonly values: readonly { readonly seed: number; readonly value: number | null }[];
  /** over the seeds that did not diverge */
  readonly mean: number;
  /** sample standard deviation over the seeds; NaN of one */
  readonly deviation: number;
  /** by seed, the step at which the threshold was reached */
  readonly reachedAt: readonly (number | null)[];
  /** this model minus the first, seed by seed; left out for the first, and where no seed is shared */
  readonly difference?: PairedTest;
  /** the difference in words */
  readonly verdict: string;
}

/** Above this probability of chance no difference is claimed. */
const significance = 0.05;

/** Models side by side, over the same seeds and the same tokens. Displays itself as a table. */
export class Comparison extends Shown {
  constructor(
    readonly runs: readonly ComparedRun[],
    readonly settings: ComparisonSettings,
  ) {
    super();
  }

  /** A line a model, in the order in which they first ran. */
  get rows(): ComparisonRow[] {
    const names = [...new Set(this.runs.map(({ model }) => model))];
    const [first] = names;
    return names.map((name) => this.row(name, first!));
  }

  /** Sentences that a reader of the table should know: parameters apart, runs that diverged, too few seeds. */
  get notes(): string[] {
    const { parameterTolerance = 0.02 } = this.settings;
    const apart = this.rows
      .filter(({ parametersAbove }) => Math.abs(parametersAbove) > parameterTolerance)
      .map(({ model, parametersAbove }) => `${model} has ${signedPercent(parametersAbove)} parameters: not equal.`);
    const diverged = this.runs
      .filter((run) => run.diverged !== undefined)
      .map(({ model, seed, diverged }) => `${model}, seed ${seed}, is not counted: ${diverged}`);
    const tokens = new Set(this.runs.filter((run) => run.diverged === undefined).map((run) => run.tokens));
    const uneven = tokens.size > 1 ? [`Runs learned from different numbers of tokens: ${[...tokens].join(", ")}.`] : [];
    return [...apart, ...diverged, ...uneven];
  }

  /** By model, a curve a seed: what `ms.plots.seeds` takes. */
  get curves(): Record<string, (readonly ComparedPoint[])[]> {
    const names = [...new Set(this.runs.map(({ model }) => model))];
    return Object.fromEntries(names.map((name) => [name, this.of(name).map(({ curve }) => curve)]));
  }

  /**
   * A metric of the curves over training: each model's mean over its seeds, and the spread as a band.
   *
   * @param options as those of `ms.plots.seeds`, with a title and a label that fit the metric
   */
  plot(
    metric: "loss" | "validationLoss" | "accuracy" = "loss",
    options: Omit<SeedsPlotOptions, "metric"> = {},
  ): Figure {
    const label = { loss: "training loss", validationLoss: "held-out loss", accuracy: "accuracy" }[metric];
    const unit = metric === "accuracy" ? "" : ` (${this.unit})`;
    return seedsPlot(this.curves, { metric, label: `${label}${unit}`, ...options });
  }

  private get unit(): string {
    return this.settings.unit ?? "nats a token";
  }

  private of(model: string): ComparedRun[] {
    return this.runs.filter((run) => run.model === model).sort((a, b) => a.seed - b.seed);
  }

  private row(model: string, first: string): ComparisonRow {
    const { measure, threshold } = this.settings;
    const runs = this.of(model);
    const values = runs.map((run) => ({ seed: run.seed, value: run[measure] }));
    const counted = values.flatMap(({ value }) => (value === null ? [] : [value]));
    const parameterCount = runs[0]!.parameterCount;
    const difference = model === first ? undefined : this.difference(model, first);
    return {
      model,
      parameterCount,
      parametersAbove: parameterCount / this.of(first)[0]!.parameterCount - 1,
      values,
      mean: mean(counted),
      deviation: sampleDeviation(counted),
      reachedAt: threshold === undefined ? [] : runs.map(({ reachedAt }) => reachedAt),
      ...(difference && { difference }),
      verdict: model === first ? "" : verdict(difference, measure),
    };
  }

  private difference(model: string, first: string): PairedTest | undefined {
    const { measure } = this.settings;
    const others = new Map(this.of(first).map((run) => [run.seed, run[measure]]));
    const differences = this.of(model).flatMap((run) => {
      const [own, other] = [run[measure], others.get(run.seed) ?? null];
      return own === null || other === null ? [] : [own - other];
    });
    return differences.length > 0 ? pairedTest(differences) : undefined;
  }

  /** The cells of the table; the first row is its head. */
  cells(): string[][] {
    const { measure, threshold, steps } = this.settings;
    const measured = measure === "loss" ? `held-out loss (${this.unit})` : measure;
    const head = ["model", "parameters", `${measured}, mean ± sd`, "each seed"];
    if (threshold !== undefined) head.push(`${percent(threshold)} at step`);
    const rows = this.rows;
    if (rows.length > 1) head.push(`against ${rows[0]!.model}`);
    const cells = rows.map((row) => {
      const line = [
        row.model,
        row.parameterCount.toLocaleString("en"),
        `${figure(row.mean, measure)}${Number.isNaN(row.deviation) ? "" : ` ± ${figure(row.deviation, measure)}`}`,
        row.values.map(({ value }) => (value === null ? "diverged" : figure(value, measure))).join(", "),
      ];
      if (threshold !== undefined) line.push(reached(row.reachedAt, steps));
      if (rows.length > 1) line.push(row.verdict);
      return line;
    });
    return [head, ...cells];
  }

  override toString(): string {
    if (this.runs.length === 0) return "no run has finished yet";
    return [textTable(this.cells()), ...this.notes].join("\n");
  }

  [jupyterDisplay](): MimeBundle {
    if (this.runs.length === 0) return { "text/plain": this.toString() };
    const notes = htmlTable([["notes"], ...this.notes.map((note) => [note])]);
    return {
      "text/html": htmlTable(this.cells()) + (this.notes.length > 0 ? notes : ""),
      "text/plain": this.toString(),
    };
  }
}

function verdict(difference: PairedTest | undefined, measure: ComparedMeasure): string {
  if (!difference) return "no seed in common";
  const { mean: by, p, pairs } = difference;
  const size = `${by > 0 ? "+" : by < 0 ? "-" : ""}${figure(Math.abs(by), measure)}`;
  if (pairs < 2) return `${size}: one seed says nothing of chance`;
  const chance = p < 0.001 ? "p < 0.001" : `p ${p.toPrecision(2)}`;
  if (!(p < significance)) return `${size}: within noise (${chance})`;
  return `${size}: ${by < 0 === (measure === "loss") ? "better" : "worse"} (${chance})`;
}

function figure(value: number, measure: ComparedMeasure): string {
  return measure === "accuracy" ? `${(100 * value).toFixed(1)} %` : value.toFixed(3);
}

function reached(steps: readonly (number | null)[], last: number): string {
  if (steps.every((step) => step === null)) return `not within ${last}`;
  return steps.map((step) => (step === null ? `> ${last}` : String(step))).join(", ");
}

function percent(portion: number): string {
  return `${Number((100 * portion).toPrecision(3))} %`;
}

function signedPercent(portion: number): string {
  return `${Math.abs(100 * portion).toFixed(1)} % ${portion > 0 ? "more" : "fewer"}`;
}
