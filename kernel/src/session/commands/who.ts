/** `%who`: what cells have declared. */
import { inspect } from "node:util";
import { display } from "../../cell-api/display.js";
import { escapeHtml } from "../../cell-api/display.js";

/** A declared name, as the compiled cell tells of it. */
export interface Declared {
  readonly name: string;
  readonly type: string;
  /** Reads a variable's value; throws where it has none yet. */
  readonly read?: () => unknown;
}

const LONGEST_VALUE = 60;
const LONGEST_TYPE = 60;

/** Shows a table of the names and types; with a text, of those that have it in them. */
export function who(declared: readonly Declared[], text: string): void {
  const wanted = text.toLowerCase();
  const shown = declared
    .filter(({ name, type }) => name.toLowerCase().includes(wanted) || type.toLowerCase().includes(wanted))
    .sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
  if (shown.length === 0) {
    const none = declared.length === 0 ? "Nothing has been declared yet." : `No name and no type has "${text}" in it.`;
    display.mime({ "text/plain": none });
    return;
  }
  const rows = shown.map(({ name, type, read }) => [
    name,
    cut(type.replace(/\s+/g, " "), LONGEST_TYPE),
    read === undefined ? "" : preview(read),
  ]);
  const row = (tag: "td" | "th", cells: readonly string[]): string =>
    `<tr>${cells.map((cell) => `<${tag} style="text-align: left">${tag === "td" && cell !== "" ? `<code>${escapeHtml(cell)}</code>` : cell}</${tag}>`).join("")}</tr>`;
  const widths = [0, 1].map((i) => Math.max(...rows.map((cells) => cells[i]?.length ?? 0)));
  display.mime({
    "text/html": `<table><thead>${row("th", ["name", "type", "value"])}</thead><tbody>\n${rows.map((cells) => row("td", cells)).join("\n")}\n</tbody></table>`,
    "text/plain": rows
      .map((cells) =>
        cells
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join("  ")
          .trimEnd(),
      )
      .join("\n"),
  });
}

function preview(read: () => unknown): string {
  let text: string;
  try {
    const value = read();
    text = inspect(value, { depth: 0, maxArrayLength: 5, maxStringLength: LONGEST_VALUE, breakLength: Infinity });
  } catch {
    return "";
  }
  return cut(text.replace(/\s+/g, " "), LONGEST_VALUE);
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}
