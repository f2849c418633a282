/** Errors as a notebook shows them: at the user's own line, without the kernel's own frames. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import { ansi } from "../ansi.js";
import { excerpt } from "../excerpt.js";
import type { ErrorReport } from "../session-protocol.js";
import { awaitedAt } from "./awaited-at.js";
import { isBundled, placeInModule } from "./bundled-places.js";
import { CompileError } from "./computed-imports.js";
import { originalPosition, type SourcePosition } from "./cells.js";
import { plainText } from "./plain-text.js";

/** Lines shown before and after the line of an error. */
const CONTEXT = 2;
/** Errors shown of one that has causes and parts. */
const MOST_ERRORS = 10;
/** Characters shown of a message. */
const MOST_TEXT = 10_000;
/** What an error carries may be large: a request, with the client that has made it. */
const SHALLOW = { depth: 2 };
/** What is shown of an error in other ways. */
const SHOWN: ReadonlySet<string> = new Set(["name", "message", "stack", "cause", "errors", "error", "suppressed"]);

/** A frame of Node's inside. */
const NODES_INSIDE = /[( ]node:internal\//;

/** What Node says of a file of TypeScript that it is to load itself. */
const NO_TYPESCRIPT = /^Unknown file extension "\.[cm]?ts"/;
const NO_TYPESCRIPT_REMEDY =
  "Node.js loads this file by itself, as the file of a worker, and runs TypeScript from version 22.18 on: " +
  `this is ${process.version}. A file of JavaScript works everywhere, and may import packages.`;

/** What V8 says of a name without a value; of a cell that was checked, TypeScript knows it from an earlier one. */
const NOT_DEFINED = /^([\p{ID_Start}$_][\p{ID_Continue}$]*) is not defined$/u;

const KERNEL_FOLDER = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where the topmost frame of an error that lies in a cell is, found when its stack was written. */
const places = new WeakMap<Error, SourcePosition>();

const FRAMES = 30;

/** Without any frame an error has no place: that a cell before, or a package, wanted none is not for the notebook's later errors. */
export function keepStackTraces(): void {
  if (!(Error.stackTraceLimit >= 1)) Error.stackTraceLimit = FRAMES;
}

/** From here on the stacks of errors name cells and lines of the TypeScript. */
export function mapStackTraces(): void {
  Error.stackTraceLimit = FRAMES;
  Error.prepareStackTrace = (error, sites) => {
    const lines: string[] = [];
    /** Node's own frames, shown only where a frame of the user's lies below them. */
    let nodes: string[] = [];
    for (const site of sites) {
      // A script that the inspector evaluates has no file name, but the URL at its end.
      const file = site.getFileName() || site.getScriptNameOrSourceURL();
      if (isHidden(file)) {
        // Without a file, and not evaluated: JavaScript's own, as in `Array.map`.
        if (!file && !site.isEval()) nodes.push(`    at ${(site as { toString(): string }).toString()}`);
        continue;
      }
      const [line, column] = [site.getLineNumber() ?? 1, site.getColumnNumber() ?? 1];
      const place = originalPosition(file, line, column);
      if (place === undefined) {
        (file.startsWith("node:") ? nodes : lines).push(`    at ${asWritten(site, file, line, column)}`);
        continue;
      }
      lines.push(...nodes);
      nodes = [];
      if (!places.has(error)) places.set(error, place);
      const where = `${place.label}:${place.line}:${place.column}`;
      const name = functionName(site);
      lines.push(`    at ${name === undefined ? where : `${name} (${where})`}`);
    }
    return [header(error), ...lines].join("\n");
  };
}

/** A frame as V8 writes it; of a bundle, with the place in the module that was bundled. */
function asWritten(site: NodeJS.CallSite, file: string, line: number, column: number): string {
  const frame = (site as { toString(): string }).toString();
  const place = placeInModule(file, line, column);
  return place === undefined ? frame : frame.replace(`${file}:${line}:${column}`, () => place);
}

function functionName(site: NodeJS.CallSite): string | undefined {
  const name = site.getFunctionName();
  if (name === null || name === "") return undefined;
  const type = site.isToplevel() ? null : site.getTypeName();
  const full = type === null || name.startsWith(type) || name.includes(".") ? name : `${type}.${name}`;
  return `${(site as { isAsync?(): boolean }).isAsync?.() === true ? "async " : ""}${site.isConstructor() ? "new " : ""}${full}`;
}

/** Where an error, or a warning, comes from: the line of a cell, or of a file; undefined where neither is known. */
export function origin(error: Error): string | undefined {
  const stack = property(error, "stack");
  const place = places.get(error);
  if (place !== undefined) return `${place.label}:${place.line}:${place.column}`;
  const frame = typeof stack === "string" ? /^ {4}at (?:.*\()?(\/.*?|file:.*?)\)?$/m.exec(stack) : null;
  return frame?.[1];
}

/** Frames that are the kernel's or Node's own doing tell a user nothing. */
function isHidden(file: string | null | undefined): file is null | undefined {
  if (file === null || file === undefined || file === "") return true;
  const path = file.startsWith("file://") ? fileURLToPath(file) : file;
  // Of Node's own, async_hooks is there because the kernel follows which cell a function belongs to.
  const ours = path === "node:inspector" || path === "node:async_hooks";
  return ours || path.startsWith(KERNEL_FOLDER) || path.startsWith("node:internal/");
}

function header(error: Error): string {
  const name = property(error, "name");
  const message = errorMessage(error);
  if (typeof name !== "string") return message;
  return message === "" ? name : `${name}: ${message}`;
}

/** The last traceback with the frames of packages: its lines, since the error itself may hold what the user wants to be freed. */
let latest: readonly string[] | undefined;

/** The last traceback with the frames of packages; undefined where there was no error. */
export function latestErrorInFull(): readonly string[] | undefined {
  return latest;
}

/** Anything that was thrown, as the protocol's `error` carries it. */
export function errorReport(thrown: unknown): ErrorReport {
  if (isError(thrown)) {
    if (thrown instanceof CompileError) return thrown.report;
    latest = traceback(thrown, { inFull: true });
    return { ename: errorName(thrown), evalue: cut(errorMessage(thrown)), traceback: traceback(thrown) };
  }
  const evalue = cut(typeof thrown === "string" ? thrown : plainText(thrown, SHALLOW));
  return { ename: "Thrown", evalue, traceback: [`${ansi.red}${ansi.bold}Thrown${ansi.reset}: ${evalue}`] };
}

/** Errors of another realm (a `vm` context) are no instances of this one's. */
function isError(value: unknown): value is Error {
  try {
    return types.isNativeError(value) || value instanceof Error;
  } catch {
    // A proxy whose trap throws, or that is revoked.
    return false;
  }
}

/** A property of what was thrown, or `otherwise` where its getter throws. */
function property(of: object, name: string, otherwise?: string): unknown {
  try {
    return (of as Record<string, unknown>)[name];
  } catch {
    return otherwise;
  }
}

const UNREADABLE = "(cannot be read: its getter throws)";

function errorName(error: Error): string {
  const name = property(error, "name");
  if (typeof name !== "string" || name === "") return "Error";
  // A class that gives its errors no name of their own.
  const made = property(error, "constructor");
  const own = typeof made === "function" ? property(made, "name") : undefined;
  return name === "Error" && typeof own === "string" && own !== "" ? own : name;
}

function errorMessage(error: Error): string {
  const message = property(error, "message", UNREADABLE);
  return typeof message === "string" ? message : plainText(message, SHALLOW);
}

function cut(text: string): string {
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}… (${text.length} characters in all)` : text;
}

/** An error, what caused it, and what it is made of; each once. */
function traceback(
  error: Error,
  { inFull = false, seen = new Set<unknown>(), above = undefined as Error | undefined } = {},
): string[] {
  seen.add(error);
  const lines = describe(error, { inFull, above });
  const add = (title: string, part: unknown): void => {
    if (seen.has(part) || seen.size >= MOST_ERRORS) return;
    lines.push("", `${ansi.grey}${title}${ansi.reset}`);
    lines.push(...(isError(part) ? traceback(part, { inFull, seen, above: error }) : [cut(plainText(part, SHALLOW))]));
  };
  const cause = property(error, "cause");
  if (cause !== undefined && cause !== null) add("caused by", cause);
  const [errors, latest, suppressed] = ["errors", "error", "suppressed"].map((name) => property(error, name));
  if (Array.isArray(errors)) {
    for (const [i, part] of errors.entries()) add(`error ${i + 1} of ${errors.length}`, part);
  }
  if (isError(latest) && isError(suppressed)) {
    add("while disposing", latest);
    add("after", suppressed);
  }
  return lines;
}

/** An error's frames, and where in a cell it comes from. */
function courseOf(error: Error): { frames: string[]; place: SourcePosition | undefined } {
  const frames = framesOf(error);
  const place = places.get(error);
  const awaited = place === undefined ? awaitedAt(error) : undefined;
  return awaited === undefined
    ? { frames, place }
    : { frames: [...frames, ...framesOf(awaited)], place: places.get(awaited) };
}

/** @param options `above`: the error that this one has caused, and that is shown above it */
function describe(error: Error, { inFull, above }: { inFull: boolean; above: Error | undefined }): string[] {
  let { frames, place } = courseOf(error);
  const shown = above && !inFull ? courseOf(above).place : undefined;
  const isShown = place !== undefined && shown?.label === place.label && shown.line === place.line;
  // What a package wraps comes from the same line of the cell.
  if (isShown && frames.filter((frame) => packageOfFrame(frame) === undefined).length <= 1)
    [frames, place] = [[], undefined];
  const message = cut(errorMessage(error));
  return [
    `${ansi.red}${ansi.bold}${errorName(error)}${ansi.reset}${message === "" ? "" : `: ${message}`}`,
    ...(NO_TYPESCRIPT.test(message) ? [NO_TYPESCRIPT_REMEDY] : []),
    ...remedyOfMissingValue(error, message, place, frames),
    ...(place === undefined ? [] : ["", ...codeFrame(place)]),
    ...(frames.length === 0 ? [] : ["", ...shownFrames(frames, inFull)]),
    ...more(error),
  ];
}

/** Of a name that a cell declares, and that has no value where a cell uses it. */
function remedyOfMissingValue(
  error: Error,
  message: string,
  place: SourcePosition | undefined,
  [topmost = ""]: readonly string[],
): string[] {
  const name = errorName(error) === "ReferenceError" ? NOT_DEFINED.exec(message)?.[1] : undefined;
  if (name === undefined || place === undefined || !topmost.includes(place.label)) return [];
  return [
    `Has the cell that declares ${name} come to that line? One that fails before leaves ${name} without a value.`,
  ];
}

/** Reading the stack is what writes it, and what finds the place. */
function framesOf(error: Error): string[] {
  const stack = property(error, "stack");
  return (
    (typeof stack === "string" ? stack : "")
      .split("\n")
      // The stack of an error that comes from a worker is written there.
      .filter((line) => line.startsWith("    at ") && !line.includes(KERNEL_FOLDER) && !NODES_INSIDE.test(line))
  );
}

/** What an error carries besides: the code of Node's errors, what a library has put there. */
function more(error: Error): string[] {
  let keys: string[];
  try {
    keys = Object.keys(error).filter((key) => !SHOWN.has(key));
  } catch {
    return [];
  }
  if (keys.length === 0 || errorName(error) === "AssertionError") return [];
  return ["", cut(plainText(Object.fromEntries(keys.map((key) => [key, property(error, key, UNREADABLE)])), SHALLOW))];
}

function shownFrames(frames: readonly string[], inFull: boolean): string[] {
  const lines = folded(inFull ? frames : withoutPackages(frames));
  return lines.map((line) => `${ansi.grey}${line.slice(2)}${ansi.reset}`);
}

/** What packages do among themselves is a line; where there is nothing else, it is all there is to see. */
function withoutPackages(frames: readonly string[]): string[] {
  const packages = frames.map(packageOfFrame);
  if (!packages.includes(undefined)) return [...frames];
  const lines: string[] = [];
  for (let i = 0; i < frames.length;) {
    let end = i;
    while (packages[end] !== undefined) end++;
    if (end - i > 1) {
      const names = [...new Set(packages.slice(i, end))].join(", ");
      lines.push(`      … ${end - i} frames of ${names} (%tb shows them)`);
    } else lines.push(frames[i] ?? "");
    i = Math.max(end, i + 1);
  }
  return lines;
}

/** The package that a frame lies in: one that is installed, or that came in a bundle. */
function packageOfFrame(frame: string): string | undefined {
  const [, url = ""] = /(file:.*?|\/.*?):\d+:\d+\)?$/.exec(frame) ?? [];
  const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  return installed ?? (isBundled(url) ? nameAbove(dirname(fileURLToPath(url))) : undefined);
}

/** The name that the next `package.json` in or above a folder gives. */
function nameAbove(folder: string): string {
  try {
    return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name: string }).name;
  } catch {
    return folder === dirname(folder) ? "a package" : nameAbove(dirname(folder));
  }
}

/** A recursion that has no end fills the stack with one frame. */
function folded(frames: readonly string[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < frames.length;) {
    const frame = frames[i] ?? "";
    let end = i + 1;
    while (frames[end] === frame) end++;
    lines.push(frame);
    if (end - i > 2) lines.push(`      … and ${end - i - 1} more of it`);
    else if (end - i === 2) lines.push(frame);
    i = end;
  }
  return lines;
}

/** The lines around a place, with an arrow at its line and a caret under its column. */
function codeFrame({ label, line, column, lines }: SourcePosition): string[] {
  const first = Math.max(1, line - CONTEXT);
  const last = Math.min(lines.length, line + CONTEXT);
  const width = String(last).length;
  const frame = [`${ansi.cyan}${label}:${line}:${column}${ansi.reset}`];
  for (let number = first; number <= last; number++) {
    const { text, column: at } = excerpt(lines[number - 1] ?? "", number === line ? column - 1 : 0);
    const gutter = String(number).padStart(width);
    if (number !== line) frame.push(`${ansi.grey}  ${gutter} │${ansi.reset} ${text}`);
    else {
      frame.push(`${ansi.red}❯${ansi.reset} ${ansi.bold}${gutter} │${ansi.reset} ${text}`);
      frame.push(`${ansi.grey}  ${" ".repeat(width)} │${ansi.reset} ${" ".repeat(at)}${ansi.red}^${ansi.reset}`);
    }
  }
  return frame;
}
