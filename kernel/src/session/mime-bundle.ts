/** From any value to what a front end can show. */
import { types } from "node:util";
import type { MimeBundle } from "../session-protocol.js";
import { dataFrameBundle, isDataFrame } from "./compat/data-frame.js";
import { plainText } from "./plain-text.js";

/** The hook by which a value says how it is shown; it returns data by MIME type, or a promise of that. */
export const DISPLAY_HOOK = Symbol.for("Jupyter.display");

/** A value that displays itself. The symbol is `Symbol.for("Jupyter.display")`; no data at all shows nothing. */
export interface Displayable {
  [DISPLAY_HOOK](): MimeBundle | Promise<MimeBundle>;
}

/**
 * A value's data by MIME type: by its display hook, by what it looks like (an element, a canvas, a Vega chart), else as text.
 * There is always a `text/plain`, unless there is nothing to show.
 * @throws what the value's hook throws; {@link TypeError} when the hook returns no data
 */
export function mimeBundle(value: unknown): MimeBundle | Promise<MimeBundle> {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return textBundle(value);
  const hook = property(value, DISPLAY_HOOK);
  if (typeof hook === "function") {
    const data: unknown = (hook as Displayable[typeof DISPLAY_HOOK]).call(value as Displayable);
    // A proxy that has an answer to everything has no hook.
    if (types.isProxy(value) && !isThenable(data) && !isBundle(data)) return textBundle(value);
    return isThenable(data) ? Promise.resolve(data).then((later) => checked(value, later)) : checked(value, data);
  }
  return types.isProxy(value) || Array.isArray(value) ? textBundle(value) : (lookalike(value) ?? textBundle(value));
}

function textBundle(value: unknown): MimeBundle {
  return { "text/plain": plainText(value) + howToRun(value) };
}

/** What an iterator does is done when it is asked: a generator that was only called has not begun. */
function howToRun(value: unknown): string {
  if (value === null || typeof value !== "object" || types.isProxy(value)) return "";
  if (typeof property(value, "next") !== "function") return "";
  const [loop, method] =
    property(value, Symbol.asyncIterator) === undefined
      ? ["for", Symbol.iterator]
      : ["for await", Symbol.asyncIterator];
  if (typeof property(value, method) !== "function") return "";
  return `\nIt runs as it is iterated over: ${loop} (const x of …) { … }`;
}

function checked(value: object, data: unknown): MimeBundle {
  if (!isBundle(data)) {
    throw new TypeError(
      `The method Symbol.for("Jupyter.display") of ${nameOf(value) || "an object"} returned ${plainText(data).slice(0, 100)}: ` +
        `let it return data by MIME type, as in { "text/plain": "…", "text/html": "…" }`,
    );
  }
  const bundle = Object.fromEntries(
    Object.entries(data).flatMap(([type, shown]) =>
      shown === undefined || shown === null ? [] : [[type, transferable(type, shown)]],
    ),
  );
  if ("text/plain" in bundle || Object.keys(bundle).length === 0) return bundle;
  return { ...bundle, "text/plain": textFor(value, bundle) };
}

/** Types whose data are any JSON; all else is text, or Base64, and a notebook with anything else in it cannot be saved. */
const JSON_TYPE = /json$/;

/** Data as messages and notebooks carry them. */
function transferable(type: string, shown: unknown): unknown {
  if (JSON_TYPE.test(type) || typeof shown === "string") return shown;
  if (types.isUint8Array(shown))
    return Buffer.from(shown.buffer, shown.byteOffset, shown.byteLength).toString("base64");
  throw new TypeError(`Data of type ${type} must be a string; what was given is ${plainText(shown).slice(0, 100)}`);
}

/** An object whose keys are MIME types. */
function isBundle(data: unknown): data is MimeBundle {
  return (
    data !== null &&
    typeof data === "object" &&
    !Array.isArray(data) &&
    Object.keys(data).every((key) => /^[\w.+-]+\/[\w.+-]+$/.test(key))
  );
}

/** For front ends that show only text. */
function textFor(value: object, data: MimeBundle): string {
  for (const type of ["text/markdown", "text/latex"]) {
    const text = data[type];
    if (typeof text === "string") return text;
  }
  // Nothing to see is nothing in text too.
  if (Object.values(data).every((shown) => shown === "")) return "";
  const name = nameOf(value);
  return `[${name === "" || name === "Object" ? Object.keys(data).join(", ") : name}]`;
}

function nameOf(value: object): string {
  const constructor = property(value, "constructor");
  return typeof constructor === "function" ? constructor.name : "";
}

/** Values of libraries that know nothing of Jupyter, by what they have. */
function lookalike(value: object): MimeBundle | Promise<MimeBundle> | undefined {
  const html = property(value, "outerHTML");
  if (typeof html === "string") return { "text/html": html, "text/plain": html };
  const toSpec = property(value, "toSpec");
  if (typeof toSpec === "function") {
    const spec: unknown = toSpec.call(value);
    const chart = spec !== null && typeof spec === "object" ? vegaBundle(spec) : undefined;
    if (chart !== undefined) return chart;
  }
  return canvasBundle(value) ?? vegaBundle(value) ?? (isDataFrame(value) ? dataFrameBundle(value) : undefined);
}

/** A canvas of a browser, or of the packages `canvas`, `@napi-rs/canvas` and `skia-canvas`. */
export function canvasBundle(value: object): MimeBundle | Promise<MimeBundle> | undefined {
  const toDataURL = property(value, "toDataURL");
  if (typeof toDataURL !== "function" || typeof property(value, "getContext") !== "function") return undefined;
  const bundle = (url: unknown): MimeBundle => {
    const [, type, data] = /^data:(image\/[\w.+-]+);base64,(.*)$/s.exec(String(url)) ?? [];
    return type === undefined ? textBundle(value) : { [type]: data, "text/plain": `[${type}, a canvas]` };
  };
  const url: unknown = toDataURL.call(value, "image/png");
  return isThenable(url) ? Promise.resolve(url).then(bundle) : bundle(url);
}

/** The newest versions for which front ends have a renderer: a newer specification is, as a rule, shown by it too. */
const NEWEST_VEGA = { vega: 5, "vega-lite": 5 } as const;

/** A Vega or Vega-Lite specification, told by its `$schema`. */
export function vegaBundle(spec: object): MimeBundle | undefined {
  const schema = property(spec, "$schema");
  if (typeof schema !== "string") return undefined;
  const [, kind, version] = /\/schema\/(vega|vega-lite)\/v(\d+)/.exec(schema) ?? [];
  if (kind !== "vega" && kind !== "vega-lite") return undefined;
  const known = Math.min(Number(version), NEWEST_VEGA[kind]);
  const type = `application/vnd.${kind.replace("-", "")}.v${known}+json`;
  return { [type]: spec, "text/plain": `[${kind === "vega" ? "Vega" : "Vega-Lite"} chart]` };
}

/** A property, read with care: a getter or a trap may throw. */
function property(value: object, name: string | symbol): unknown {
  try {
    return (value as Record<string | symbol, unknown>)[name];
  } catch {
    return undefined;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === "object" && typeof property(value, "then") === "function";
}
