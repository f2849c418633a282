/** What has been compiled, by the URL under which V8 knows it: for tracebacks in the user's own text. */
import { SourceMap } from "node:module";
import type { CompiledCell } from "../session-protocol.js";

/** A place in the user's text; line and column count from 1. */
export interface SourcePosition {
  readonly label: string;
  readonly line: number;
  readonly column: number;
  /** The lines as written. */
  readonly lines: readonly string[];
}

/** A cell, or a file of the notebook's own. */
type Compiled = Pick<CompiledCell, "label" | "source" | "sourceMap">;

/** Cells kept for tracebacks; a function of an older cell is shown without its text. */
const MOST_KEPT = 5000;
/** As TypeScript, and so the source map, counts lines. */
const LINE_END = /\r\n|[\n\r\u2028\u2029]/;
const known = new Map<string, { readonly compiled: Compiled; map?: SourceMap }>();

/** Remembers what is evaluated under this URL. */
export function rememberSource(url: string, compiled: Compiled): void {
  known.set(url, { compiled });
  if (known.size > MOST_KEPT) {
    const [oldest] = known.keys();
    if (oldest !== undefined) known.delete(oldest);
  }
}

/** The place in the TypeScript that a place in a script comes from; line and column count from 1. */
export function originalPosition(url: string, line: number, column: number): SourcePosition | undefined {
  const found = known.get(url);
  if (found === undefined) return undefined;
  const { label, source, sourceMap } = found.compiled;
  found.map ??= parseSourceMap(sourceMap);
  const lines = source.split(LINE_END);
  const entry = found.map.findEntry(line - 1, column - 1);
  if (!("originalLine" in entry)) return { label, line: 1, column: 1, lines };
  return { label, line: entry.originalLine + 1, column: entry.originalColumn + 1, lines };
}

/** @param json version 3 */
export function parseSourceMap(json: string): SourceMap {
  return new SourceMap(JSON.parse(json) as ConstructorParameters<typeof SourceMap>[0]);
}
