/**
 * How a value shows itself in a notebook: a method under a well-known symbol that returns data by MIME type. Kernels that
 * do not know the symbol see an ordinary object.
 */

/** The well-known symbol under which a value keeps its notebook form. */
export const jupyterDisplay: unique symbol = Symbol.for("Jupyter.display") as never;

/** Data by MIME type, as in the Jupyter protocol's `display_data`. */
export type MimeBundle = Record<string, unknown>;

/** A value that shows itself in a notebook. */
export interface Displayable {
  /** The value's forms by MIME type; a front end shows the richest that it knows. */
  [jupyterDisplay](): MimeBundle;
}

/** The well-known symbol of Node's `util.inspect`, and so of `console.log`. */
const inspectText: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

/** What shows itself in a notebook, and by the same text where it is printed, or stands in an array or a text. */
export abstract class Shown implements Displayable {
  /** The value's forms by MIME type; a front end shows the richest that it knows. */
  abstract [jupyterDisplay](): MimeBundle;

  /** The text of the notebook form. */
  toString(): string {
    return String(this[jupyterDisplay]()["text/plain"]);
  }

  /** What `console.log` prints, of all that the object holds. */
  [inspectText](depth: number): string {
    const { name } = this.constructor;
    if (depth < 0) return `[${name}]`;
    try {
      return this.toString();
    } catch (error) {
      // Of a state that was disposed of, say.
      return `[${name}: ${error instanceof Error ? error.message : String(error)}]`;
    }
  }
}

/** The text with HTML's special characters escaped. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** An HTML table; the first row is the head. Cells are text and are escaped. */
export function htmlTable(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[], tag: "th" | "td"): string =>
    `<tr>${cells.map((cell) => `<${tag} style="text-align:left">${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
  const [head = [], ...body] = rows;
  return `<table><thead>${line(head, "th")}</thead><tbody>${body.map((row) => line(row, "td")).join("")}</tbody></table>`;
}

/** The same table as plain text, columns padded. */
export function textTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** What a value that is a table shows, a title above it. */
export function tableForms(rows: readonly (readonly string[])[], title?: string): MimeBundle {
  if (title === undefined) return { "text/html": htmlTable(rows), "text/plain": textTable(rows) };
  return {
    "text/html": `<p>${escapeHtml(title)}</p>${htmlTable(rows)}`,
    "text/plain": `${title}\n${textTable(rows)}`,
  };
}
