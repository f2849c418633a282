/** What growth added, and how far the larger model is from the smaller one: data that shows itself as tables. */
import { escapeHtml, htmlTable, jupyterDisplay, Shown, textTable, type MimeBundle } from "../display.js";
import type { Difference } from "../model/state-distance.js";
import type { ModelSizes } from "./model-sizes.js";

/** What became of a parameter. */
export interface ParameterChange {
  readonly name: string;
  /** the old shape; null when the parameter is new */
  readonly before: readonly number[] | null;
  readonly after: readonly number[];
  /** what `ms.grow` fills the new part with; empty when there is none */
  readonly filled: string;
  /** whether the old values are there, bit by bit */
  readonly kept: boolean;
}

/** Both models on one input. */
export interface GrowthMeasurement {
  /** what the input was */
  readonly input: string;
  /** positions compared, over all rows */
  readonly tokens: number;
  /** of the logits of tokens that both have */
  readonly logits: Difference;
  /** the largest magnitude among the smaller model's logits */
  readonly largestLogit: number;
  /** of the states that both have; the worst tensor. Absent when head size or width differ */
  readonly state?: Difference;
}

/** `exact`: no bit differs; `equal to rounding`: as far as another order of summation takes it; else `not equal`. */
export type GrowthVerdict = "exact" | "equal to rounding" | "not equal";

/** What {@link GrowthReport} is made of. */
export interface GrowthFindings {
  readonly verdict: GrowthVerdict;
  /** every parameter of the larger model, in checkpoint order */
  readonly changes: readonly ParameterChange[];
  readonly measurements: readonly GrowthMeasurement[];
  readonly parameterCount: { readonly before: number; readonly after: number };
  readonly sizes: { readonly before: ModelSizes; readonly after: ModelSizes };
  /** what still counted as rounding, as a part of the largest magnitude */
  readonly tolerance: number;
}

/** The result of `ms.growthReport`. */
export class GrowthReport extends Shown implements GrowthFindings {
  readonly verdict: GrowthVerdict;
  readonly changes: readonly ParameterChange[];
  readonly measurements: readonly GrowthMeasurement[];
  readonly parameterCount: { readonly before: number; readonly after: number };
  readonly sizes: { readonly before: ModelSizes; readonly after: ModelSizes };
  readonly tolerance: number;

  constructor({ verdict, changes, measurements, parameterCount, sizes, tolerance }: GrowthFindings) {
    super();
    this.verdict = verdict;
    this.changes = changes;
    this.measurements = measurements;
    this.parameterCount = parameterCount;
    this.sizes = sizes;
    this.tolerance = tolerance;
  }

  /** The parameters that are new or longer. */
  get added(): readonly ParameterChange[] {
    return this.changes.filter(({ before, after }) => before?.join() !== after.join());
  }

  /** The verdict as a sentence. */
  get summary(): string {
    return this.verdictInWords + (this.added.length === 0 ? " Nothing was added: the models are of equal sizes." : "");
  }

  private get verdictInWords(): string {
    const { before, after } = this.parameterCount;
    const sizes = `${before.toLocaleString("en")} → ${after.toLocaleString("en")} parameters`;
    const changed = this.changes.filter(({ kept }) => !kept).map(({ name }) => name);
    const most = this.measurements.reduce((largest, { logits }) => Math.max(largest, logits.largest), 0);
    switch (this.verdict) {
      case "exact":
        return `Growth was exact: not a bit of logits or states differs (${sizes}).`;
      case "equal to rounding":
        return (
          `Growth was equal to rounding: logits differ by at most ${most.toExponential(1)}, which another order of ` +
          `summation explains (${sizes}).`
        );
      default: {
        const trained = `: ${changed.length} parameters have other values than before, ${changed[0]} for one`;
        return (
          `Growth was NOT exact: logits differ by up to ${most.toPrecision(3)} (${sizes})` +
          `${changed.length > 0 ? `${trained}, so that this is no longer the same function.` : "."}`
        );
      }
    }
  }

  [jupyterDisplay](): MimeBundle {
    const { added } = this;
    const tables = [...(added.length > 0 ? [additionRows(added)] : []), measurementRows(this.measurements)];
    return {
      "text/html": `<p>${escapeHtml(this.summary)}</p>${tables.map((rows) => htmlTable(rows)).join("")}`,
      "text/plain": [this.summary, ...tables.map((rows) => textTable(rows))].join("\n\n"),
    };
  }
}

/** Parameters that changed alike in several layers share a row, `blocks.*.ffn.key.weight`; new layers have one together. */
function additionRows(added: readonly ParameterChange[]): string[][] {
  const groups = new Map<string, { row: string[]; count: number; name: string }>();
  const layers = newLayers(added);
  for (const { name, before, after, filled } of added) {
    if (layers.includes(layerOf(name) ?? -1)) continue;
    const pattern = name.replace(/^blocks\.\d+\./, "blocks.*.");
    const row = [before ? shape(before) : "—", shape(after), filled];
    const key = [pattern, ...row].join("|");
    const group = groups.get(key) ?? { row, count: 0, name };
    groups.set(key, { row, count: group.count + 1, name: group.count === 0 ? name : pattern });
  }
  return [
    ["parameter", "in layers", "before", "after", "new part"],
    ...[...groups.values()].map(({ row, count, name }) => [name, String(count), ...row]),
    ...(layers.length > 0 ? [layersRow(layers, added)] : []),
  ];
}

function layerOf(name: string): number | undefined {
  const layer = /^blocks\.(\d+)\./.exec(name)?.[1];
  return layer === undefined ? undefined : Number(layer);
}

/** Layers all of whose parameters are new; each has a first layer norm. */
function newLayers(added: readonly ParameterChange[]): number[] {
  return added
    .filter(({ name, before }) => !before && /^blocks\.\d+\.ln1\.weight$/.test(name))
    .map(({ name }) => layerOf(name)!);
}

function layersRow(layers: readonly number[], added: readonly ParameterChange[]): string[] {
  const first = added.filter(({ name }) => layerOf(name) === layers[0]);
  const zeros = first.filter(({ filled }) => filled === "zero").map(({ name }) => name.replace(/^blocks\.\d+\./, ""));
  const name = layers.length === 1 ? `blocks.${layers[0]}.*` : `blocks.${layers[0]}–${layers.at(-1)}.*`;
  return [name, String(layers.length), "—", `${first.length} each`, `as at the start; ${zeros.join(", ")} zero`];
}

function measurementRows(measurements: readonly GrowthMeasurement[]): string[][] {
  return [
    ["input", "positions", "largest difference of logits", "largest logit", "of states, relative"],
    ...measurements.map(({ input, tokens, logits, largestLogit, state }) => [
      input,
      String(tokens),
      number(logits.largest),
      largestLogit.toPrecision(3),
      state ? number(state.relative) : "other sizes",
    ]),
  ];
}

function number(value: number): string {
  return value === 0 ? "0" : value.toExponential(1);
}

function shape(sizes: readonly number[]): string {
  return `[${sizes.join(", ")}]`;
}
