/** A notebook of ours as one for the stock tslab kernel: what our kernel's cells have without an import is imported. */
import ts from "typescript";
import { joined, type Notebook } from "./notebook-file.js";

/** What a cell of ours finds without an import, in tslab's terms. */
const GLOBALS = `
import * as ms from "metastate";
import * as tf from "@tensorflow/tfjs-core";
import * as tslab from "tslab";

/** Shows a value by its own data, as far as tslab can: one type of data at a time. */
function show(display: tslab.Display, value: any) {
  const hook = value[Symbol.for("Jupyter.display")];
  if (hook === undefined) return display.text(String(value));
  const [type, data] = Object.entries<any>(hook.call(value))[0];
  display.raw(type, data);
}
function shown(value: any) {
  const place = tslab.newDisplay();
  show(place, value);
  return { update: (next: any) => show(place, next) };
}
const display = Object.assign(shown, { markdown: (text: string) => tslab.display.markdown(text) });
const progress = <T>(iterable: AsyncIterable<T>, options?: object) => iterable;

const engineStart = await ms.startEngine({ log: console.log });
`;

/** Steps of the training: enough to see that it learns. */
const STEPS = 40;
/** What the notebook itself asks for takes more steps. Of the loss: bytes by their frequency alone give 3.1. */
const BARS: readonly [there: string, here: string][] = [
  ["loss < 2)", "loss < 4)"],
  ["inS > 60 && inM > 50", "inS > 0 && inM > 0"],
];

/** The notebook with its cells' sources changed where our kernel gives them more than TypeScript does. */
export function forTslab(notebook: Notebook, kernelName: string): Notebook {
  const cells = notebook.cells.map((cell) => {
    if (cell.cell_type !== "code") return cell;
    const source = BARS.reduce((text, [there, here]) => text.replace(there, here), joined(cell.source))
      .replace(/\bconst steps = \d+/, `const steps = ${STEPS}`)
      .replace(/evaluate: \{ data: validation, every: \d+ \}/, `evaluate: { data: validation, every: ${STEPS / 2} }`)
      // tslab sees that a cell awaits by its other awaits only.
      .replace(/^for await/m, "await null;\nfor await")
      // tslab prints a cell's value, and knows no other way to show it.
      .replace(/^ms\.plots\.(.*)$/m, "display(ms.plots.$1);");
    return { ...cell, source: withoutShorthands(source), outputs: [], execution_count: null };
  });
  const first = { cell_type: "code", id: "globals", metadata: {}, source: GLOBALS, outputs: [], execution_count: null };
  const metadata = { kernelspec: { name: kernelName, display_name: kernelName, language: "typescript" } };
  return { ...notebook, cells: [first as Notebook["cells"][number], ...cells], metadata };
}

/** `{ x }` as `{ x: x }`: in tslab the first throws where an earlier cell has declared `x`. */
function withoutShorthands(source: string): string {
  const places: number[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isShorthandPropertyAssignment(node)) places.push(node.name.end);
    ts.forEachChild(node, visit);
  };
  const file = ts.createSourceFile("cell.ts", source, ts.ScriptTarget.ESNext, true);
  visit(file);
  let text = source;
  for (const end of places.reverse()) {
    const name = /[\w$]+$/.exec(source.slice(0, end))?.[0] ?? "";
    text = `${text.slice(0, end)}: ${name}${text.slice(end)}`;
  }
  return text;
}
