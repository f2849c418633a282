/** Notebooks as they lie on disk (nbformat 4), as far as the tests read them. */
import { readFileSync, writeFileSync } from "node:fs";

export interface Output {
  readonly name?: string;
  readonly output_type: "stream" | "display_data" | "execute_result" | "error";
  readonly text?: string | readonly string[];
  readonly data?: Readonly<Record<string, unknown>>;
  readonly ename?: string;
  readonly evalue?: string;
}

export interface Cell {
  readonly cell_type: "code" | "markdown" | "raw";
  readonly source: string | readonly string[];
  readonly execution_count?: number | null;
  readonly outputs?: readonly Output[];
}

export interface Notebook {
  readonly cells: readonly Cell[];
  readonly metadata: { readonly kernelspec?: { readonly name: string } };
}

/** A plotly trace, as far as the tests read it. */
export interface Trace {
  readonly type?: string;
  readonly name?: string;
  readonly y?: readonly (number | null)[];
  readonly z?: readonly (readonly number[])[];
}

export const PLOTLY = "application/vnd.plotly.v1+json";

export function readNotebook(path: string): Notebook {
  return JSON.parse(readFileSync(path, "utf8")) as Notebook;
}

/** Writes a notebook of these cells of code. */
export function writeNotebook(path: string, ...sources: string[]): void {
  const cells = sources.map((source, i) => ({
    ...{ cell_type: "code", id: `cell-${i}`, metadata: {}, source, outputs: [], execution_count: null },
  }));
  writeFileSync(path, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells }));
}

/** A multi-line string: nbformat keeps it as a list of lines, or as one. */
export function joined(text: string | readonly string[] | undefined): string {
  return typeof text === "string" ? text : (text ?? []).join("");
}

/** The code cells that hold something to run. */
export function codeCells({ cells }: Notebook): Cell[] {
  return cells.filter(({ cell_type, source }) => cell_type === "code" && joined(source).trim() !== "");
}

export function outputs(notebook: Notebook): Output[] {
  return notebook.cells.flatMap((cell) => cell.outputs ?? []);
}

/** A plotly figure, as far as the tests read it. */
export interface PlotlyFigure {
  readonly data: readonly Trace[];
  /** the title, the axes (`xaxis`, `xaxis2`, …) and other parts, by name */
  readonly layout: Readonly<
    Record<string, { readonly title?: { readonly text?: string }; readonly text?: string } | undefined>
  >;
}

/** Every plotly figure. */
export function plots(notebook: Notebook): PlotlyFigure[] {
  return outputs(notebook)
    .map(({ data }) => data?.[PLOTLY] as PlotlyFigure | undefined)
    .filter((figure) => figure !== undefined);
}

/** The traces of every plotly figure, figure by figure. */
export function figures(notebook: Notebook): (readonly Trace[])[] {
  return plots(notebook).map(({ data }) => data);
}

/** What the cells printed. */
export function printed(notebook: Notebook): string {
  return outputs(notebook)
    .filter(({ output_type }) => output_type === "stream")
    .map(({ text }) => joined(text))
    .join("");
}
