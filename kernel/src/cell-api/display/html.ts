/** Text and HTML, and what stands between them. */
import { inspect } from "node:util";

/** Text as HTML: also within an attribute in double or single quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Something that knows its HTML: an element of a document, in a browser's sense. */
export interface HtmlElement {
  readonly outerHTML: string;
}

function isElement(value: unknown): value is HtmlElement {
  return value !== null && typeof value === "object" && typeof (value as Partial<HtmlElement>).outerHTML === "string";
}

/** HTML from a string, an element, or a tagged template: its values are text, unless they are elements or lists of these. */
export function htmlOf(source: string | HtmlElement | TemplateStringsArray, values: readonly unknown[] = []): string {
  if (typeof source === "string") return source;
  if (isElement(source)) return source.outerHTML;
  if (!isTemplate(source)) throw notMarkup(source, "HTML: a string, or an element");
  return source.map((part, i) => part + (i < values.length ? valueHtml(values[i]) : "")).join("");
}

function valueHtml(value: unknown): string {
  if (value === undefined || value === null || value === false) return "";
  if (isElement(value)) return value.outerHTML;
  if (Array.isArray(value)) return value.map(valueHtml).join("");
  return escapeHtml(`${value as string}`);
}

/** Text of a tagged template as of a function call: `` md`a ${1}` `` is `md("a 1")`. */
export function textOf(source: string | TemplateStringsArray, values: readonly unknown[] = []): string {
  if (typeof source === "string") return source;
  if (!isTemplate(source)) throw notMarkup(source, "text: a string");
  // As typed: in LaTeX and Markdown a backslash is a backslash.
  return source.raw.map((part, i) => part + (i < values.length ? String(values[i] as string) : "")).join("");
}

function isTemplate(source: unknown): boolean {
  return Array.isArray(source) && "raw" in source;
}

/** TypeScript refuses it, unless it came as an `any`. */
function notMarkup(source: unknown, wanted: string): TypeError {
  return new TypeError(`${inspect(source, { depth: 0 })} is no ${wanted}. To show any value: display(value)`);
}
