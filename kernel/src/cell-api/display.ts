/** `display`: how a cell shows something richer than text. */
import { currentCell } from "../session/current-cell.js";
import { sendFrame } from "../session/frames.js";
import { DISPLAY_HOOK, vegaBundle, type Displayable } from "../session/mime-bundle.js";
import type { MimeBundle } from "../session-protocol.js";
import { DisplayHandle, Mime, show, showRead, type DisplayOptions } from "./display/handle.js";
import { escapeHtml, htmlOf, textOf, type HtmlElement } from "./display/html.js";
import { image, type ImageOptions, type ImageSource } from "./display/image.js";
import { figureJson, jsonOf } from "./display/json.js";
import { table, type TableOptions, type TableRow, type TableSource } from "./display/table.js";

export { DisplayHandle, escapeHtml };
export type { Displayable, DisplayOptions, HtmlElement, ImageOptions, ImageSource, MimeBundle };
export type { TableOptions, TableRow, TableSource };

/** `display` and its kinds. */
export interface Display {
  /**
   * Shows a value below the cell: as its `Symbol.for("Jupyter.display")` hook says; as what it looks like (an element with
   * `outerHTML`, a canvas, a Vega or Vega-Lite chart); else as text.
   *
   * @example
   * const shown = display.markdown("**working** …");
   * shown.update("done");
   */
  (value: unknown, options?: DisplayOptions): DisplayHandle;
  /** Shows data given by MIME type. */
  mime(data: MimeBundle, metadata?: MimeBundle): DisplayHandle;
  /**
   * Shows HTML: a string, an element, or a template, whose values are escaped.
   *
   * @example
   * display.html`<b>${name}</b>`;
   */
  html(html: string | HtmlElement): DisplayHandle;
  html(parts: TemplateStringsArray, ...values: unknown[]): DisplayHandle;
  /** Shows an SVG image: its source, or an element. */
  svg(svg: string | HtmlElement): DisplayHandle;
  svg(parts: TemplateStringsArray, ...values: unknown[]): DisplayHandle;
  /** Shows Markdown. */
  markdown(markdown: string): DisplayHandle;
  markdown(parts: TemplateStringsArray, ...values: unknown[]): DisplayHandle;
  /**
   * Shows mathematics, given as LaTeX: `` display.latex`e^{i\pi} = -1` `` or `display.latex("e^{i\\pi} = -1")`. Dollar signs
   * are added where there are none.
   */
  latex(latex: string): DisplayHandle;
  latex(parts: TemplateStringsArray, ...values: unknown[]): DisplayHandle;
  /** Shows a value as a tree of JSON, to unfold; maps, typed arrays and circles are allowed. */
  json(value: unknown, options?: { readonly expanded?: boolean }): DisplayHandle;
  /**
   * Shows an image: the path of a PNG, JPEG, GIF, WebP, BMP, AVIF or SVG file, a URL, bytes, or a canvas. The second argument
   * gives its MIME type where it cannot be told, or width and height on the screen.
   * @throws {TypeError} when the kind of image cannot be told.
   */
  image(image: ImageSource, options?: ImageOptions | string): DisplayHandle;
  /**
   * Shows a plotly figure: `display.plotly([{ y: [1, 3, 2] }], { title: { text: "three points" } })`.
   * @throws {TypeError} for what is no list of traces, and for values in it that are no plain data, with their place.
   */
  plotly(data: readonly object[], layout?: object, config?: object): DisplayHandle;
  /**
   * Shows a Vega or Vega-Lite chart, given as its specification. One without a `$schema` is taken for Vega-Lite.
   * @throws {TypeError} when the `$schema` is another's.
   */
  vega(spec: object): DisplayHandle;
  /**
   * Shows a table: from rows that are objects or arrays, from a map, or from columns by their names. The first hundred rows,
   * unless `rows` says how many.
   */
  table(source: TableSource, options?: TableOptions): DisplayHandle;
  /** Removes what the cell has shown; with `wait`, only when the next output comes, so that nothing flickers. */
  clear(options?: { readonly wait?: boolean }): void;
}

function mime(data: MimeBundle, metadata?: MimeBundle): DisplayHandle {
  return show(new Mime(data, metadata));
}

type Markup = string | HtmlElement | TemplateStringsArray;

function showText(text: string, read: (text: string) => Mime): DisplayHandle {
  return showRead(read(text), (given) => (typeof given === "string" ? read(given) : given));
}

/** Shows what is read of a value; so does its handle, but for objects that show themselves. */
function showOf<T>(value: T, read: (value: T) => unknown): DisplayHandle {
  const showsItself = (given: unknown): boolean => given !== null && typeof given === "object" && DISPLAY_HOOK in given;
  return showRead(read(value), (given) => (showsItself(given) ? given : read(given as T)));
}

/** What a plotly figure is changed to. */
interface Figure {
  readonly data: readonly object[];
  readonly layout?: object;
}

function isFigure(value: unknown): value is Figure {
  return typeof value === "object" && value !== null && "data" in value;
}

function figure(data: readonly object[], layout: object, config: object): Mime {
  return new Mime({
    "application/vnd.plotly.v1+json": figureJson(data, layout, config),
    "text/plain": `[plotly figure, ${data.length} ${data.length === 1 ? "trace" : "traces"}]`,
  });
}

const kinds: { [K in keyof Display]: Display[K] } = {
  mime,
  html: (source: Markup, ...values: unknown[]) =>
    showText(htmlOf(source, values), (html) => new Mime({ "text/html": html, "text/plain": html })),
  svg: (source: Markup, ...values: unknown[]) =>
    showText(htmlOf(source, values), (svg) => new Mime({ "image/svg+xml": svg, "text/plain": "[SVG image]" })),
  markdown: (source: string | TemplateStringsArray, ...values: unknown[]) =>
    showText(textOf(source, values), (text) => new Mime({ "text/markdown": text, "text/plain": text })),
  latex: (given: string | TemplateStringsArray, ...values: unknown[]) =>
    showText(textOf(given, values), (latex) => {
      const source = /^\s*(\$|\\\[|\\\(|\\begin)/.test(latex) ? latex : `$$${latex}$$`;
      return new Mime({ "text/latex": source, "text/plain": latex });
    }),
  json: (value, { expanded = false } = {}) =>
    showOf(value, (given) => {
      const json = jsonOf(given);
      return new Mime(
        { "application/json": json, "text/plain": JSON.stringify(json, undefined, 2) },
        { "application/json": { expanded } },
      );
    }),
  image: (source, options) => showOf(source, (given) => image(given, options)),
  plotly: (data, layout = {}, config = {}) =>
    showOf<readonly object[] | Figure>(data, (given) =>
      isFigure(given) ? figure(given.data, given.layout ?? layout, config) : figure(given, layout, config),
    ),
  vega: (spec) =>
    showOf(spec, (given) => {
      const data = vegaBundle("$schema" in given ? given : { $schema: VEGA_LITE, ...given });
      if (data === undefined) throw new TypeError("display.vega: the $schema is neither Vega's nor Vega-Lite's");
      return new Mime(data);
    }),
  table: (source, options) => showOf(source, (given) => new Mime(table(given, options))),
  clear(options = {}) {
    sendFrame({ type: "clear", cell: currentCell(), wait: options.wait ?? false });
  },
};

const VEGA_LITE = "https://vega.github.io/schema/vega-lite/v5.json";

/** Shows something richer than text below the cell, see {@link Display}. */
export const display: Display = Object.assign(show, kinds);
