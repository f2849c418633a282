/** Errors as a notebook shows them: at the user's own line, without the kernel's own frames. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { ansi } from "../ansi.js";
import type { ErrorReport } from "../session-protocol.js";
import { originalPosition, type SourcePosition } from "./cells.js";

/** Lines shown before and after the line of an error. */
const CONTEXT = 2;
const MOST_CAUSES = 5;

const KERNEL_FOLDER = dirname(dirname(fileURLToPath(import.meta.url)));

/** Where the topmost frame of an error that lies in a cell is, found when its stack was written. */
const places = new WeakMap<Error, SourcePosition>();

/** From here on the stacks of errors name cells and lines of the TypeScript. */
export function mapStackTraces(): void {
  Error.stackTraceLimit = 30;
  Error.prepareStackTrace = (error, sites) => {
    const lines: string[] = [];
    /** Node's own frames, shown only where a frame of the user's lies below them. */
    let nodes: string[] = [];
    for (const site of sites) {
      // A script that the inspector evaluates has no file name, but the URL at its end.
      const file = site.getFileName() || site.getScriptNameOrSourceURL();
      if (isHidden(file)) continue;
      const place = originalPosition(file, site.getLineNumber() ?? 1, site.getColumnNumber() ?? 1);
      if (place === undefined) {
        (file.startsWith("node:") ? nodes : lines).push(`    at ${(site as { toString(): string }).toString()}`);
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

function functionName(site: NodeJS.CallSite): string | undefined {
  const name = site.getFunctionName();
  if (name === null || name === "") return undefined;
  const type = site.isToplevel() ? null : site.getTypeName();
  const full = type === null || name.startsWith(type) || name.includes(".") ? name : `${type}.${name}`;
  return `${(site as { isAsync?(): boolean }).isAsync?.() === true ? "async " : ""}${site.isConstructor() ? "new " : ""}${full}`;
}

/** Frames that are the kernel's or Node's own doing tell a user nothing. */
function isHidden(file: string | null | undefined): file is null | undefined {
  if (file === null || file === undefined || file === "") return true;
  const path = file.startsWith("file://") ? fileURLToPath(file) : file;
  return path.startsWith(KERNEL_FOLDER) || path.startsWith("node:internal/") || path === "node:inspector";
}

function header(error: Error): string {
  const name = String(error.name);
  return error.message === "" ? name : `${name}: ${error.message}`;
}

/** Anything that was thrown, as the protocol's `error` carries it. */
export function errorReport(thrown: unknown): ErrorReport {
  if (!(thrown instanceof Error)) {
    const evalue = typeof thrown === "string" ? thrown : inspect(thrown, { depth: 2 });
    return { ename: "Thrown", evalue, traceback: [`${ansi.red}${ansi.bold}Thrown${ansi.reset}: ${evalue}`] };
  }
  return { ename: errorName(thrown), evalue: thrown.message, traceback: traceback(thrown) };
}

function errorName(error: Error): string {
  return typeof error.name === "string" && error.name !== "" ? error.name : "Error";
}

function traceback(error: Error): string[] {
  const lines = describe(error);
  let cause: unknown = error.cause;
  for (let depth = 0; cause !== undefined && cause !== null && depth < MOST_CAUSES; depth++) {
    lines.push("", `${ansi.grey}caused by${ansi.reset}`);
    if (!(cause instanceof Error)) {
      lines.push(inspect(cause, { depth: 2 }));
      break;
    }
    lines.push(...describe(cause));
    cause = cause.cause;
  }
  if (error instanceof AggregateError) {
    for (const [i, part] of error.errors.slice(0, MOST_CAUSES).entries()) {
      lines.push("", `${ansi.grey}error ${i + 1} of ${error.errors.length}${ansi.reset}`);
      lines.push(...(part instanceof Error ? describe(part) : [inspect(part, { depth: 2 })]));
    }
  }
  return lines;
}

function describe(error: Error): string[] {
  // Reading the stack is what writes it, and what finds the place.
  const stack = typeof error.stack === "string" ? error.stack : "";
  const frames = stack.split("\n").filter((line) => line.startsWith("    at "));
  const place = places.get(error);
  return [
    `${ansi.red}${ansi.bold}${errorName(error)}${ansi.reset}${error.message === "" ? "" : `: ${error.message}`}`,
    ...(place === undefined ? [] : ["", ...codeFrame(place)]),
    ...(frames.length === 0 ? [] : ["", ...frames.map((line) => `${ansi.grey}${line.slice(2)}${ansi.reset}`)]),
  ];
}

/** The lines around a place, with an arrow at its line and a caret under its column. */
function codeFrame({ label, line, column, lines }: SourcePosition): string[] {
  const first = Math.max(1, line - CONTEXT);
  const last = Math.min(lines.length, line + CONTEXT);
  const width = String(last).length;
  const frame = [`${ansi.cyan}${label}:${line}:${column}${ansi.reset}`];
  for (let number = first; number <= last; number++) {
    const text = lines[number - 1] ?? "";
    const gutter = String(number).padStart(width);
    if (number !== line) frame.push(`${ansi.grey}  ${gutter} │${ansi.reset} ${text}`);
    else {
      frame.push(`${ansi.red}❯${ansi.reset} ${ansi.bold}${gutter} │${ansi.reset} ${text}`);
      frame.push(
        `${ansi.grey}  ${" ".repeat(width)} │${ansi.reset} ${" ".repeat(column - 1)}${ansi.red}^${ansi.reset}`,
      );
    }
  }
  return frame;
}
