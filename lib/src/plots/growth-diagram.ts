/** What a model had before it grew, and what is new: layers, heads with their states, parameter tokens. */
import type { Annotations, Data } from "plotly.js";

import { ConfigurationError } from "../errors.js";
import { modelSizes, type ModelSizes } from "../growth/model-sizes.js";
import type { LanguageModel } from "../model/language-model.js";
import { Figure } from "./figure.js";
import { currentTheme } from "./theme.js";

/** A model before and after growth. */
export interface GrownModels {
  readonly before: LanguageModel;
  readonly after: LanguageModel;
}

/** What the diagram needs of a `GrowthReport`: sizes and parameter counts before and after. */
export interface GrownSizes {
  readonly sizes: { readonly before: ModelSizes; readonly after: ModelSizes };
  readonly parameterCount: { readonly before: number; readonly after: number };
}

/** Options of `ms.plots.growthDiagram`. */
export interface GrowthDiagramOptions {
  /** what stands above the figure; default "What grew, and what was there" */
  title?: string;
}

/** A rectangle of the diagram. */
interface Box {
  readonly x: readonly [left: number, right: number];
  readonly y: readonly [bottom: number, top: number];
  /** what it is, for who points at it */
  readonly what: string;
  readonly isNew: boolean;
}

/** The columns, in hundredths of the width: WKV states, SSE, parameter tokens. */
const columns = { states: [0, 26], sse: [30, 56], tokens: [60, 100] } as const;
/** More layers than this are not told apart: those in the middle are drawn as one row. */
const mostRows = 12;

/**
 * A row for each layer, the first one at the bottom: its heads' WKV states as squares, again those that carry
 * the SSE, and its parameter tokens as a bar. What was there has one colour, what is new another; both are named, and counted in the legend.
 *
 * @param grown a report of `ms.growthReport`, or the models `{ before, after }`
 * @throws ConfigurationError when a model does not tell how many layers, heads and parameter tokens it has
 */
export function growthDiagram(
  grown: GrownSizes | GrownModels,
  { title = "What grew, and what was there" }: GrowthDiagramOptions = {},
): Figure {
  const { sizes, parameterCount } = "sizes" in grown ? grown : told(grown);
  const [before, after] = [complete(sizes.before), complete(sizes.after)];
  const rows = rowsOf(before.layers, after.layers);
  const boxes = rows.flatMap(({ isNew }, row) => [
    ...heads(row, isNew ? 0 : before.heads, after.heads, columns.states, "WKV state"),
    ...heads(row, isNew ? 0 : before.sseHeads, after.sseHeads, columns.sse, "SSE"),
    ...tokens(row, isNew ? 0 : before.parameterTokens, after.parameterTokens),
  ]);
  const { series } = currentTheme();
  const added = parameterCount.after - parameterCount.before;
  const data = [
    area("was there", parameterCount.before, boxes, false, series[0]!),
    area("new", added, boxes, true, series[1]!),
    {
      type: "scatter",
      mode: "markers",
      x: boxes.map(({ x }) => (x[0] + x[1]) / 2),
      y: boxes.map(({ y }) => (y[0] + y[1]) / 2),
      text: boxes.map(({ what }) => what),
      hovertemplate: "%{text}<extra></extra>",
      marker: { size: 12, opacity: 0 },
      showlegend: false,
    },
  ] satisfies Partial<Data>[];
  const hidden = { visible: false, fixedrange: true, showline: false };
  const labels: Partial<Annotations>[] = [
    heading("heads:<br>WKV states S", columns.states),
    ...(after.sseHeads > 0 ? [heading("heads<br>with SSE", columns.sse)] : []),
    heading("parameter tokens:<br>rows of K<sub>P</sub>, V<sub>P</sub>", columns.tokens),
    ...rows.map(({ label }, row) => ({
      ...{ text: label, x: -1, y: row + 0.5, xanchor: "right" as const, showarrow: false },
    })),
    ...rows.flatMap(({ isNew }, row) => tokenLabels(row, isNew ? 0 : before.parameterTokens, after.parameterTokens)),
  ];
  const changes = changesOf(sizes.before, sizes.after);
  return new Figure(
    data,
    {
      title: {
        text: `${title}<br><span style="font-size:12px">${changes.join(" · ")}</span>`,
        ...{ y: 1, yanchor: "top", pad: { t: 24 } },
      },
      xaxis: { ...hidden, range: [-21, 101] },
      yaxis: { ...hidden, range: [-0.1, rows.length + 0.1] },
      legend: { orientation: "h", x: 0.14, y: -0.02, yanchor: "top" },
      annotations: labels,
      margin: { l: 16, r: 16, t: 108, b: 68 },
      height: 174 + rows.length * (rows.length > 6 ? 44 : 64),
      hovermode: "closest",
    },
    `${title}: ${changes.join(", ")}; ${added.toLocaleString("en")} parameters are new`,
  );
}

type CompleteSizes = ModelSizes & Required<Pick<ModelSizes, "layers" | "heads" | "sseHeads" | "parameterTokens">>;

function told({ before, after }: GrownModels): GrownSizes {
  const count = ({ parameters }: LanguageModel): number =>
    [...parameters.values()].reduce((sum, { size }) => sum + size, 0);
  return {
    sizes: { before: modelSizes(before), after: modelSizes(after) },
    parameterCount: { before: count(before), after: count(after) },
  };
}

function complete({ layers, heads, sseHeads = 0, parameterTokens, ...rest }: ModelSizes): CompleteSizes {
  for (const [name, size] of Object.entries({ layers, heads, parameterTokens })) {
    if (size === undefined) {
      throw new ConfigurationError(
        `growthDiagram: the model's configuration does not tell its ${name}, wanted a model of createModel or createBaseline`,
      );
    }
  }
  return { ...rest, layers: layers!, heads: heads!, sseHeads, parameterTokens: parameterTokens! };
}

/** A row each layer, or one for those in the middle where there are too many. */
function rowsOf(before: number, after: number): { label: string; isNew: boolean }[] {
  const groups = [
    { from: 0, to: before, isNew: false },
    { from: before, to: after, isNew: true },
  ];
  const most = mostRows / (after > before ? 2 : 1);
  return groups.flatMap(({ from, to, isNew }) => {
    const label = (layers: string): string => `layer ${layers}${isNew ? " (new)" : ""}`;
    const one = (layer: number) => ({ label: label(String(layer)), isNew });
    const all = Array.from({ length: to - from }, (_, i) => one(from + i));
    if (all.length <= most) return all;
    const start = Math.floor(most / 2);
    const end = all.length - (most - start - 1);
    const middle = { label: label(`${from + start} – ${from + end - 1}`).replace("layer", "layers"), isNew };
    return [...all.slice(0, start), middle, ...all.slice(end)];
  });
}

/** The heads of a layer as squares side by side. */
function heads(row: number, before: number, after: number, column: readonly [number, number], what: string): Box[] {
  const each = (column[1] - column[0]) / Math.max(after, 4);
  return Array.from({ length: after }, (_, head): Box => {
    const left = column[0] + head * each;
    const isNew = head >= before;
    return {
      x: [left, left + 0.85 * each],
      y: [row + 0.16, row + 0.84],
      what: `${what} of head ${head}${isNew ? ", new" : ""}`,
      isNew,
    };
  });
}

/** The parameter tokens of a layer as a bar: old ones, then new ones. */
function tokens(row: number, before: number, after: number): Box[] {
  const [left, right] = columns.tokens;
  const border = left + ((right - left) * before) / after;
  const part = (from: number, to: number, count: number, isNew: boolean): Box[] =>
    count === 0
      ? []
      : [
          {
            x: [from, to],
            y: [row + 0.16, row + 0.84],
            what: `${count.toLocaleString("en")} ${isNew ? "new " : ""}parameter tokens`,
            isNew,
          },
        ];
  return [...part(left, border, before, false), ...part(border, right, after - before, true)];
}

/** How many there are, in the bar. */
function tokenLabels(row: number, before: number, after: number): Partial<Annotations>[] {
  return tokens(row, before, after).map(({ x, isNew }) => ({
    text: isNew ? `+ ${(after - before).toLocaleString("en")}` : before.toLocaleString("en"),
    x: (x[0] + x[1]) / 2,
    y: row + 0.5,
    showarrow: false,
    font: { color: currentTheme().text, size: 12 },
  }));
}

/** All boxes of a kind as one trace, whose name stands in the legend. */
function area(name: string, parameters: number, boxes: readonly Box[], isNew: boolean, colour: string) {
  const corners = boxes
    .filter((box) => box.isNew === isNew)
    .map(({ x: [left, right], y: [bottom, top] }) => ({
      x: [left, right, right, left, left, null],
      y: [bottom, bottom, top, top, bottom, null],
    }));
  return {
    type: "scatter" as const,
    mode: "lines" as const,
    fill: "toself" as const,
    name: `${name}: ${parameters.toLocaleString("en")} parameters`,
    x: corners.flatMap(({ x }) => x),
    y: corners.flatMap(({ y }) => y),
    // Pale, so that the theme's text can be read on it.
    fillcolor: `${colour}55`,
    line: { color: colour, width: 1.5, ...(isNew && corners.length <= 120 && { dash: "dot" as const }) },
    hoverinfo: "skip" as const,
  };
}

function heading(text: string, [left]: readonly [number, number]): Partial<Annotations> {
  const place = { x: left, xanchor: "left", y: 1, yref: "paper", yanchor: "bottom" } as const;
  return { text, ...place, align: "left", showarrow: false, font: { size: 12 } };
}

const sizeNames: Readonly<Record<keyof ModelSizes, string>> = {
  parameterTokens: "parameter tokens",
  heads: "heads",
  sseHeads: "heads with SSE",
  layers: "layers",
  headSize: "head size",
  width: "width",
  vocabSize: "vocabulary",
};

function changesOf(before: ModelSizes, after: ModelSizes): string[] {
  const changes = (Object.keys(sizeNames) as (keyof ModelSizes)[])
    .filter((name) => before[name] !== after[name])
    // Heads that all carry the SSE are said once.
    .filter((name) => !(name === "sseHeads" && before.sseHeads === before.heads && after.sseHeads === after.heads))
    .map((name) => `${sizeNames[name]} ${before[name]} → ${after[name]}`);
  return changes.length > 0 ? changes : ["no size is different"];
}
