/** A model's parameters as a table. */
import type { Data } from "plotly.js";

import type { LanguageModel } from "../model/language-model.js";
import { Figure } from "./figure.js";
import { currentTheme } from "./theme.js";

/** Options of `ms.plots.parameterTable`. */
export interface ParameterTableOptions {
  /** what stands above the figure; default "Parameters" */
  title?: string;
  /** `parts` (default) adds up what has the same name in all layers; `all` shows every parameter */
  rows?: "parts" | "all";
}

/**
 * Names, shapes and counts of parameters, and the portion of the whole that each is.
 *
 * @param model of any kind
 */
export function parameterTable(
  model: Pick<LanguageModel, "parameters">,
  { title = "Parameters", rows = "parts" }: ParameterTableOptions = {},
): Figure {
  const groups = new Map<string, { shape: string; layers: number; count: number }>();
  let total = 0;
  for (const [name, { shape, size }] of model.parameters) {
    const key = rows === "all" ? name : name.replace(/^(\w+)\.\d+\./, "$1.*.");
    const group = groups.get(key) ?? { shape: `[${shape.join(", ")}]`, layers: 0, count: 0 };
    group.layers++;
    group.count += size;
    groups.set(key, group);
    total += size;
  }
  const number = (value: number): string => value.toLocaleString("en");
  const lines = [...groups].map(([name, { shape, layers, count }]) => [
    name,
    shape,
    ...(rows === "all" ? [] : [`${layers}`]),
    number(count),
    `${((100 * count) / total).toFixed(1)} %`,
  ]);
  lines.push(["all", "", ...(rows === "all" ? [] : [""]), number(total), "100 %"]);
  const head = ["parameter", "shape", ...(rows === "all" ? [] : ["times"]), "elements", "portion"];
  const { paper, text, axis, sequential } = currentTheme();
  const right = head.map((_, column) => (column < 2 ? "left" : "right"));
  const border = { color: String(axis.gridcolor), width: 1 };
  const trace = {
    type: "table",
    columnwidth: head.map((_, column) => [3, 1.6][column] ?? 1),
    header: {
      values: head.map((name) => `<b>${name}</b>`),
      align: right,
      fill: { color: sequential[1]![1] },
      line: border,
    },
    cells: {
      values: head.map((_, column) => lines.map((line) => line[column]!)),
      align: right,
      fill: { color: paper },
      line: border,
      height: 24,
      font: { color: text },
    },
  };
  return new Figure(
    [trace as unknown as Partial<Data>],
    { title: { text: title }, height: Math.min(1000, 110 + 24 * lines.length), margin: { l: 16, r: 16, t: 48, b: 8 } },
    [head, ...lines].map((line) => line.join("  ")).join("\n"),
  );
}
