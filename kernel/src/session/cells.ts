/** The cells that have run, by the URL under which V8 knows them: for tracebacks in the user's own text. */
import { SourceMap } from "node:module";
import type { CompiledCell } from "../session-protocol.js";

/** A place in a cell; line and column count from 1. */
export interface CellPosition {
  readonly label: string;
  readonly line: number;
  readonly column: number;
  /** The cell's lines as written. */
  readonly lines: readonly string[];
}

/** Cells kept for tracebacks; a function of an older cell is shown without its text. */
const MOST_KEPT = 5000;
const cells = new Map<string, { readonly cell: CompiledCell; map?: SourceMap }>();

/** The script URL of a cell. */
export function cellUrl(cell: CompiledCell): string {
  return `cell-${cell.id}.ts`;
}

export function rememberCell(cell: CompiledCell): void {
  cells.set(cellUrl(cell), { cell });
  if (cells.size > MOST_KEPT) {
    const [oldest] = cells.keys();
    if (oldest !== undefined) cells.delete(oldest);
  }
}

/** The place in the TypeScript that a place in a cell's script comes from; line and column count from 1. */
export function originalPosition(url: string, line: number, column: number): CellPosition | undefined {
  const known = cells.get(url);
  if (known === undefined) return undefined;
  known.map ??= new SourceMap(JSON.parse(known.cell.sourceMap) as ConstructorParameters<typeof SourceMap>[0]);
  const lines = known.cell.source.split("\n");
  const entry = known.map.findEntry(line - 1, column - 1);
  if (!("originalLine" in entry)) return { label: known.cell.label, line: 1, column: 1, lines };
  return { label: known.cell.label, line: entry.originalLine + 1, column: entry.originalColumn + 1, lines };
}
