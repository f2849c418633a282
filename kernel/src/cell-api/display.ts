/** `display`: how a cell shows something richer than text. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { currentCell } from "../session/current-cell.js";
import { sendFrame } from "../session/frames.js";
import { DISPLAY_HOOK, mimeBundle, type Displayable } from "../session/mime-bundle.js";
import { errorReport } from "../session/traceback.js";
import type { MimeBundle } from "../session-protocol.js";
import { UpdateLimiter } from "./update-limiter.js";

export type { Displayable, MimeBundle };

/** Data that was chosen by hand rather than found from a value. */
class Mime implements Displayable {
  readonly #data: MimeBundle;
  constructor(data: MimeBundle) {
    this.#data = data;
  }
  [DISPLAY_HOOK](): MimeBundle {
    return this.#data;
  }
}

/** What was displayed, to be changed in place. */
export class DisplayHandle implements Displayable {
  readonly id: string;
  readonly #cell: number;
  readonly #limiter: UpdateLimiter;

  /** @internal Cells get handles from `display`. */
  constructor(id: string, cell: number) {
    this.id = id;
    this.#cell = cell;
    this.#limiter = new UpdateLimiter(cell);
  }

  /**
   * Shows `value` in the place of what was shown. Updates that come faster than ten a second are merged: the latest is
   * shown, at the latest when the cell ends.
   */
  update(value: unknown): void {
    this.#limiter.run(() => {
      send(value, this.#cell, this.id, true);
    });
  }

  /** A handle at the end of a cell shows nothing: what it stands for is on the screen already. */
  [DISPLAY_HOOK](): MimeBundle {
    return {};
  }
}

/**
 * Shows a value below the cell: as its `Symbol.for("Jupyter.display")` hook says, as HTML where it has an `outerHTML`, else
 * as text.
 *
 * @example
 * const shown = display.markdown("**working** …");
 * shown.update("done");
 */
export function display(value: unknown): DisplayHandle {
  const id = randomUUID();
  const cell = currentCell();
  send(value, cell, id, false);
  return new DisplayHandle(id, cell);
}

/** Shows data given by MIME type. */
display.mime = (data: MimeBundle): DisplayHandle => display(new Mime(data));

/** Shows HTML. */
display.html = (html: string): DisplayHandle => display.mime({ "text/html": html, "text/plain": html });

/** Shows an SVG image, given as its source. */
display.svg = (svg: string): DisplayHandle => display.mime({ "image/svg+xml": svg, "text/plain": "[SVG image]" });

/** Shows Markdown. */
display.markdown = (markdown: string): DisplayHandle =>
  display.mime({ "text/markdown": markdown, "text/plain": markdown });

/** Shows mathematics, given as LaTeX: `display.latex("e^{i\\pi} = -1")`. Dollar signs are added where there are none. */
display.latex = (latex: string): DisplayHandle => {
  const source = /^\s*(\$|\\\[|\\\(|\\begin)/.test(latex) ? latex : `$$${latex}$$`;
  return display.mime({ "text/latex": source, "text/plain": latex });
};

/** Shows a value as a tree of JSON. */
display.json = (value: unknown): DisplayHandle =>
  display.mime({ "application/json": value, "text/plain": JSON.stringify(value, undefined, 2) });

const IMAGE_TYPES: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".svg": "image/svg+xml",
};

/**
 * Shows an image: the path of a PNG, JPEG, GIF, WebP or SVG file, or its bytes with their MIME type.
 * @throws {TypeError} when the kind of image cannot be told.
 */
display.image = (image: string | Uint8Array, type?: string): DisplayHandle => {
  const bytes = typeof image === "string" ? readFileSync(image) : Buffer.from(image);
  const mime = type ?? (typeof image === "string" ? IMAGE_TYPES[extname(image).toLowerCase()] : imageType(bytes));
  if (mime === undefined) {
    throw new TypeError(`display.image: what kind of image is this? Say so, as in display.image(bytes, "image/png")`);
  }
  const data = mime === "image/svg+xml" ? bytes.toString("utf8") : bytes.toString("base64");
  return display.mime({ [mime]: data, "text/plain": `[${mime}, ${bytes.length} bytes]` });
};

/** Shows a plotly figure: `display.plotly([{ y: [1, 3, 2] }], { title: { text: "three points" } })`. */
display.plotly = (data: readonly object[], layout: object = {}, config: object = {}): DisplayHandle =>
  display.mime({
    "application/vnd.plotly.v1+json": { data, layout, config },
    "text/plain": `[plotly figure, ${data.length} traces]`,
  });

/**
 * Shows rows as a table: an array of objects (a column per key) or of arrays.
 */
display.table = (rows: readonly (Readonly<Record<string, unknown>> | readonly unknown[])[]): DisplayHandle => {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const isList = rows.every((row) => Array.isArray(row));
  const head = isList ? "" : `<thead><tr>${columns.map((name) => `<th>${escapeHtml(name)}</th>`).join("")}</tr></thead>`;
  const cell = (value: unknown): string => `<td>${escapeHtml(value === undefined ? "" : cellText(value))}</td>`;
  const body = rows
    .map((row) => columns.map((name) => cell((row as Readonly<Record<string, unknown>>)[name])).join(""))
    .map((cells) => `<tr>${cells}</tr>`)
    .join("\n");
  return display.mime({
    "text/html": `<table>${head}<tbody>\n${body}\n</tbody></table>`,
    "text/plain": rows.map((row) => columns.map((name) => cellText((row as Record<string, unknown>)[name])).join("\t")).join("\n"),
  });
};

/** Removes what the cell has shown so far; with `wait`, only when the next output comes, so that nothing flickers. */
display.clear = (options: { wait?: boolean } = {}): void => {
  sendFrame({ type: "clear", cell: currentCell(), wait: options.wait ?? false });
};

function send(value: unknown, cell: number, displayId: string, update: boolean): void {
  const show = (data: MimeBundle): void => {
    sendFrame({ type: "display", cell, data, metadata: {}, displayId, update });
  };
  const data = mimeBundle(value);
  if (!(data instanceof Promise)) {
    show(data);
    return;
  }
  data.then(show, (error: unknown) => {
    sendFrame({ type: "late-error", cell, error: errorReport(error) });
  });
}

function cellText(value: unknown): string {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

function imageType(bytes: Buffer): string | undefined {
  if (bytes.subarray(0, 4).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47]))) return "image/png";
  if (bytes.subarray(0, 2).equals(Buffer.from([0xff, 0xd8]))) return "image/jpeg";
  if (bytes.subarray(0, 4).toString("latin1") === "GIF8") return "image/gif";
  if (bytes.subarray(8, 12).toString("latin1") === "WEBP") return "image/webp";
  return undefined;
}

/** Text as HTML. */
export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
