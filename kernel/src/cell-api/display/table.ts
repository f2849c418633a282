/** Tables from rows, columns or maps. */
import { inspect } from "node:util";
import type { MimeBundle } from "../../session-protocol.js";
import { escapeHtml } from "./html.js";

/** A row of a table. */
export type TableRow = Readonly<Record<string, unknown>> | readonly unknown[] | ArrayBufferView;

/** What `display.table` takes: rows; a map, a row for each entry; columns by their names. */
export type TableSource =
  Iterable<TableRow> | ReadonlyMap<unknown, unknown> | Readonly<Record<string, readonly unknown[] | ArrayBufferView>>;

/** Options of `display.table`. */
export interface TableOptions {
  /** The columns to show, in this order; all where nothing is said. */
  readonly columns?: readonly string[];
  /** Rows shown at most. Default: 100. */
  readonly rows?: number;
}

const MOST_ROWS = 100;
const MOST_COLUMNS = 100;
/** Characters of a cell. */
const LONGEST_CELL = 300;

interface Table {
  /** Names of the columns; undefined for rows that are arrays, which have none. */
  readonly columns: readonly string[];
  readonly head: boolean;
  readonly rows: readonly (readonly unknown[])[];
  /** Rows there are. */
  readonly count: number;
}

/** A table as HTML and as text. What is cut is said below it. */
export function table(source: TableSource, { columns, rows = MOST_ROWS }: TableOptions = {}): MimeBundle {
  const found = tableOf(source, columns, rows);
  const cut = { ...found, columns: found.columns.slice(0, MOST_COLUMNS) };
  const notes = [
    ...(cut.count > cut.rows.length ? [`${(cut.count - cut.rows.length).toLocaleString("en")} more rows`] : []),
    ...(found.columns.length > MOST_COLUMNS ? [`${found.columns.length - MOST_COLUMNS} more columns`] : []),
  ];
  const note = notes.length === 0 ? undefined : `… ${notes.join(" and ")}`;
  const texts = cut.rows.map((row) => cut.columns.map((_, i) => cellText(row[i])));
  const right = cut.columns.map((_, i) => cut.rows.length > 0 && cut.rows.every((row) => isNumeric(row[i])));
  return { "text/html": html(cut, texts, right, note), "text/plain": text(cut, texts, right, note) };
}

function tableOf(source: TableSource, wanted: readonly string[] | undefined, most: number): Table {
  if (!isRecord(source) && !Array.isArray(source)) {
    const given = inspect(source, { depth: 0, maxStringLength: 40 });
    throw new TypeError(
      `display.table: ${given} is no table. Give it rows, [{ a: 1 }, { a: 2 }], or columns, { a: [1, 2] }`,
    );
  }
  if (source instanceof Map) {
    const entries = [...(source as ReadonlyMap<unknown, unknown>)];
    return named(
      entries.map(([key, value]) => (isRecord(value) ? { key, ...value } : { key, value })),
      wanted,
      most,
    );
  }
  if (!(Symbol.iterator in source)) {
    const lists = Object.entries(source as Readonly<Record<string, ArrayLike<unknown>>>);
    const count = Math.max(0, ...lists.map(([, list]) => list.length));
    const columns = wanted ?? lists.map(([name]) => name);
    const byName = new Map(lists);
    const rows = Array.from({ length: Math.min(count, most) }, (_, i) => columns.map((name) => byName.get(name)?.[i]));
    return { columns, head: true, rows, count };
  }
  const all = [...(source as Iterable<unknown>)];
  if (!all.some((row) => Array.isArray(row) || ArrayBuffer.isView(row))) return named(all.map(asRecord), wanted, most);
  // Rows without names: numbers from 0 stand for them.
  const rows = all.slice(0, most).map((row) => (isListLike(row) ? Array.from(row) : [row]));
  const width = Math.max(0, ...rows.map((row) => row.length));
  const columns = Array.from({ length: width }, (_, i) => String(i));
  if (wanted === undefined) return { columns, head: false, rows, count: all.length };
  return {
    columns: wanted,
    head: true,
    rows: rows.map((row) => wanted.map((name) => row[Number(name)])),
    count: all.length,
  };
}

function named(
  records: readonly Readonly<Record<string, unknown>>[],
  wanted: readonly string[] | undefined,
  most: number,
): Table {
  const shown = records.slice(0, most);
  const columns = wanted ?? [...new Set(shown.flatMap((row) => Object.keys(row)))];
  return { columns, head: true, rows: shown.map((row) => columns.map((name) => row[name])), count: records.length };
}

function asRecord(row: unknown): Readonly<Record<string, unknown>> {
  return isRecord(row) ? row : { value: row };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    value !== null &&
    typeof value === "object" &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value) &&
    !(value instanceof Date)
  );
}

function isListLike(row: unknown): row is ArrayLike<unknown> {
  return Array.isArray(row) || (ArrayBuffer.isView(row) && !(row instanceof DataView));
}

function isNumeric(value: unknown): boolean {
  return typeof value === "number" || typeof value === "bigint" || value === undefined || value === null;
}

function cellText(value: unknown): string {
  if (value === undefined) return "";
  const whole =
    typeof value === "string" ? value : inspect(value, { breakLength: Infinity, maxArrayLength: 20, depth: 1 });
  return whole.length > LONGEST_CELL ? `${whole.slice(0, LONGEST_CELL)}…` : whole;
}

function html(
  { columns, head }: Table,
  texts: readonly (readonly string[])[],
  right: readonly boolean[],
  note: string | undefined,
): string {
  const cell = (tag: "td" | "th", content: string, i: number): string =>
    `<${tag} style="text-align: ${right[i] === true ? "right" : "left"}">${escapeHtml(content)}</${tag}>`;
  const line = (tag: "td" | "th", cells: readonly string[]): string =>
    `<tr>${cells.map((content, i) => cell(tag, content, i)).join("")}</tr>`;
  const header = head ? `<thead>${line("th", columns)}</thead>` : "";
  const body = texts.map((cells) => line("td", cells)).join("\n");
  const below = note === undefined ? "" : `<div>${note}</div>`;
  return `<table style="font-variant-numeric: tabular-nums">${header}<tbody>\n${body}\n</tbody></table>${below}`;
}

function text(
  { columns, head }: Table,
  texts: readonly (readonly string[])[],
  right: readonly boolean[],
  note: string | undefined,
): string {
  const lines = head ? [columns, ...texts] : texts;
  const widths = columns.map((_, i) => Math.max(0, ...lines.map((cells) => (cells[i] ?? "").length)));
  const padded = (cells: readonly string[]): string =>
    cells
      .map((content, i) => (right[i] === true ? content.padStart(widths[i] ?? 0) : content.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return [...lines.map(padded), ...(note === undefined ? [] : [note])].join("\n");
}
