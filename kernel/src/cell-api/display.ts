/** `display`: how a cell shows something richer than text. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { inspect } from "node:util";
import { currentCell } from "../session/current-cell.js";
import { sendFrame } from "../session/frames.js";
import { DISPLAY_HOOK, mimeBundle, type Displayable } from "../session/mime-bundle.js";
import { errorReport } from "../session/traceback.js";
import type { MimeBundle } from "../session-protocol.js";
import { LIVE_FIGURES } from "../live-figures.js";
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
   * Shows `value` in the place of what was shown. Updates that come faster than ten a second are merged: the latest is shown,
   * at the latest when the cell ends.
   */
  update(value: unknown): void {
    this.#limiter.run(() => {
      send(value, this.#cell, this.id, true, (data) => {
        // A front end that draws a figure anew is seen to do so.
        if (!liveFigures && plotlyHeight(data) !== undefined) this.#limiter.interval = FIGURE_INTERVAL_MS;
      });
    });
  }

  /** A handle at the end of a cell shows nothing: what it stands for is on the screen already. */
  [DISPLAY_HOOK](): MimeBundle {
    return {};
  }
}

/** `display` and its kinds. */
export interface Display {
  /**
   * Shows a value below the cell: as its `Symbol.for("Jupyter.display")` hook says, as HTML where it has an `outerHTML`,
   * else as text.
   *
   * @example
   * const shown = display.markdown("**working** …");
   * shown.update("done");
   */
  (value: unknown): DisplayHandle;
  /** Shows data given by MIME type. */
  mime(data: MimeBundle): DisplayHandle;
  /** Shows HTML. */
  html(html: string): DisplayHandle;
  /** Shows an SVG image, given as its source. */
  svg(svg: string): DisplayHandle;
  /** Shows Markdown. */
  markdown(markdown: string): DisplayHandle;
  /** Shows mathematics, given as LaTeX: `display.latex("e^{i\\pi} = -1")`. Dollar signs are added where there are none. */
  latex(latex: string): DisplayHandle;
  /** Shows a value as a tree of JSON. */
  json(value: unknown): DisplayHandle;
  /**
   * Shows an image: the path of a PNG, JPEG, GIF, WebP or SVG file, or its bytes, with their MIME type where it is not
   * one of these.
   * @throws {TypeError} when the kind of image cannot be told.
   */
  image(image: string | Uint8Array, type?: string): DisplayHandle;
  /** Shows a plotly figure: `display.plotly([{ y: [1, 3, 2] }], { title: { text: "three points" } })`. */
  plotly(data: readonly object[], layout?: object, config?: object): DisplayHandle;
  /** Shows rows as a table: objects, a column for each key, or arrays. */
  table(rows: readonly TableRow[]): DisplayHandle;
  /** Removes what the cell has shown; with `wait`, only when the next output comes, so that nothing flickers. */
  clear(options?: { wait?: boolean }): void;
}

/** A row of {@link Display.table}. */
export type TableRow = Readonly<Record<string, unknown>> | readonly unknown[];

function show(value: unknown): DisplayHandle {
  const id = randomUUID();
  const cell = currentCell();
  send(value, cell, id, false);
  return new DisplayHandle(id, cell);
}

function mime(data: MimeBundle): DisplayHandle {
  return show(new Mime(data));
}

const kinds: { [K in keyof Display]: Display[K] } = {
  mime,
  html: (html) => mime({ "text/html": html, "text/plain": html }),
  svg: (svg) => mime({ "image/svg+xml": svg, "text/plain": "[SVG image]" }),
  markdown: (markdown) => mime({ "text/markdown": markdown, "text/plain": markdown }),
  latex(latex) {
    const source = /^\s*(\$|\\\[|\\\(|\\begin)/.test(latex) ? latex : `$$${latex}$$`;
    return mime({ "text/latex": source, "text/plain": latex });
  },
  json: (value) => mime({ "application/json": value, "text/plain": JSON.stringify(value, undefined, 2) }),
  image(image, given) {
    const bytes = typeof image === "string" ? readFileSync(image) : Buffer.from(image);
    const type = given ?? (typeof image === "string" ? IMAGE_TYPES[extname(image).toLowerCase()] : imageType(bytes));
    if (type === undefined) {
      throw new TypeError(`display.image: what kind of image is this? Say so, as in display.image(bytes, "image/png")`);
    }
    const data = type === "image/svg+xml" ? bytes.toString("utf8") : bytes.toString("base64");
    return mime({ [type]: data, "text/plain": `[${type}, ${bytes.length} bytes]` });
  },
  plotly: (data, layout = {}, config = {}) =>
    mime({
      "application/vnd.plotly.v1+json": { data, layout, config },
      "text/plain": `[plotly figure, ${data.length} traces]`,
    }),
  table(rows) {
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    const texts = rows.map((row) => columns.map((name) => cellText((row as Record<string, unknown>)[name])));
    const line = (tag: "td" | "th", cells: readonly string[]): string =>
      `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join("")}</tr>`;
    const head = rows.every((row) => Array.isArray(row)) ? "" : `<thead>${line("th", columns)}</thead>`;
    return mime({
      "text/html": `<table>${head}<tbody>\n${texts.map((cells) => line("td", cells)).join("\n")}\n</tbody></table>`,
      "text/plain": texts.map((cells) => cells.join("\t")).join("\n"),
    });
  },
  clear(options = {}) {
    sendFrame({ type: "clear", cell: currentCell(), wait: options.wait ?? false });
  },
};

/** Shows something richer than text below the cell, see {@link Display}. */
export const display: Display = Object.assign(show, kinds);

const IMAGE_TYPES: Readonly<Record<string, string>> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".svg": "image/svg+xml",
};

function send(
  value: unknown,
  cell: number,
  displayId: string,
  update: boolean,
  sent: (data: MimeBundle) => void = () => undefined,
): void {
  const sendData = (data: MimeBundle): void => {
    sendFrame({ type: "display", cell, data, displayId, update });
  };
  const sendBundle = (data: MimeBundle): void => {
    const height = update && !liveFigures ? plotlyHeight(data) : undefined;
    if (height !== undefined) sendData({ "text/html": `<div style="height: ${height}px"></div>` });
    sendData(data);
    sent(data);
  };
  const data = mimeBundle(value);
  if (!(data instanceof Promise)) {
    sendBundle(data);
    return;
  }
  data.then(sendBundle, (error: unknown) => {
    sendFrame({ type: "late-error", cell, error: errorReport(error) });
  });
}

/** Whether JupyterLab has the extension by which figures change in place. */
const liveFigures = process.env[LIVE_FIGURES] === "1";

/** Least time between two updates of a figure that is drawn anew each time, in milliseconds. */
const FIGURE_INTERVAL_MS = 400;

/** Height of a plotly figure where it says none, in pixels, as JupyterLab's renderer has it. */
const PLOTLY_HEIGHT = 360;

/**
 * The height of a plotly figure, undefined where the data are none. Without our extension JupyterLab's renderer of plotly
 * figures draws the first and never looks at another; something else shown in between, of the same height, makes JupyterLab take a new renderer.
 */
function plotlyHeight(data: MimeBundle): number | undefined {
  const figure = data["application/vnd.plotly.v1+json"] as { layout?: { height?: number } } | undefined;
  return figure === undefined ? undefined : (figure.layout?.height ?? PLOTLY_HEIGHT);
}

function cellText(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : inspect(value, { breakLength: Infinity });
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
