/** Data frames like those of polars, which Deno's kernel shows as tables without a hook of their own. */
import type { MimeBundle } from "../../session-protocol.js";

/** What a data frame is known by. */
interface DataFrame {
  /** Types by the names of the columns. */
  readonly schema: Readonly<Record<string, unknown>>;
  head(rows?: number): DataFrame;
  toRecords(): readonly Readonly<Record<string, unknown>>[];
}

/** Rows in the table; the data resource, which front ends page through, has more. */
const ROWS_SHOWN = 10;
const ROWS_SENT = 10_000;

export function isDataFrame(value: object): value is DataFrame {
  try {
    const { schema, head, toRecords } = value as Partial<DataFrame>;
    return typeof toRecords === "function" && typeof head === "function" && typeof schema === "object";
  } catch {
    // A getter may throw; whatever the value is, it is no data frame.
    return false;
  }
}

/** A table as HTML, and as a data resource (https://specs.frictionlessdata.io/tabular-data-resource/). */
export function dataFrameBundle(frame: DataFrame): MimeBundle {
  const names = Object.keys(frame.schema);
  const records = frame.head(ROWS_SENT).toRecords();
  const row = (tag: "td" | "th", cells: readonly unknown[]): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(text(cell))}</${tag}>`).join("")}</tr>`;
  const shown = records.slice(0, ROWS_SHOWN).map((record) => names.map((name) => record[name]));
  const body = shown.map((cells) => row("td", cells)).join("\n");
  return {
    "application/vnd.dataresource+json": {
      data: records.map((record) => Object.fromEntries(names.map((name) => [name, plain(record[name])]))),
      schema: { fields: names.map((name) => ({ name, type: fieldType(String(frame.schema[name])) })) },
    },
    "text/html": `<table><thead>${row("th", names)}</thead><tbody>\n${body}\n</tbody></table>`,
    "text/plain": [names, ...shown.map((cells) => cells.map(text))].map((cells) => cells.join("\t")).join("\n"),
  };
}

function fieldType(type: string): string {
  if (/^u?int/i.test(type)) return "integer";
  if (/^(float|decimal)/i.test(type)) return "number";
  if (/^bool/i.test(type)) return "boolean";
  return /^(date|time)/i.test(type) ? "datetime" : "string";
}

/** What JSON cannot carry, as text. */
function plain(value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

function text(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (value instanceof Date) return value.toISOString();
  const carried = plain(value);
  return typeof carried === "string" ? carried : JSON.stringify(carried);
}

function escapeHtml(html: string): string {
  return html.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
