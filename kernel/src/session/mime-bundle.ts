/** From any value to what a front end can show. */
import { inspect } from "node:util";
import type { MimeBundle } from "../session-protocol.js";

/** The hook by which a value says how it is shown; it returns data by MIME type, or a promise of that. */
export const DISPLAY_HOOK = Symbol.for("Jupyter.display");

/** A value that displays itself. The symbol is `Symbol.for("Jupyter.display")`; no data at all shows nothing. */
export interface Displayable {
  [DISPLAY_HOOK](): MimeBundle | Promise<MimeBundle>;
}

const LONGEST_TEXT = 1_000_000;

/** A value's data by MIME type: by its display hook, as HTML where it is like an element, else as text. */
export function mimeBundle(value: unknown): MimeBundle | Promise<MimeBundle> {
  if (value !== null && (typeof value === "object" || typeof value === "function")) {
    const hook = (value as Partial<Displayable>)[DISPLAY_HOOK];
    if (typeof hook === "function") return hook.call(value as Displayable);
    const html = (value as { outerHTML?: unknown }).outerHTML;
    if (typeof html === "string") return { "text/html": html, "text/plain": html };
  }
  return { "text/plain": plainText(value) };
}

/** A value as text, cut with a notice where it is very long. */
function plainText(value: unknown): string {
  const text = inspect(value, { depth: 4, maxArrayLength: 200, maxStringLength: LONGEST_TEXT, breakLength: 100 });
  if (text.length <= LONGEST_TEXT) return text;
  return `${text.slice(0, LONGEST_TEXT)}\n… (${text.length - LONGEST_TEXT} more characters)`;
}
