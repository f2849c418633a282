/** Compiler errors as a notebook shows them: like `tsc --pretty`, with the remedy where there is a known one. */
import ts = require("typescript");
import { ansi } from "../ansi.js";
import { excerpt } from "../excerpt.js";
import { importRemedy } from "../package-name.js";
import { remedyOfLine, remedyOfName } from "./of-python.js";

/** Errors of one cell. */
export interface CellErrors {
  readonly ename: "SyntaxError" | "TypeScriptError" | "CommandError" | "KernelError";
  /** The first error in one line. */
  readonly evalue: string;
  /** Lines with ANSI colours. */
  readonly traceback: readonly string[];
}

const MOST_SHOWN = 10;

/** Errors that say that a module was not found. */
export const MISSING_MODULE: ReadonlySet<number> = new Set([2307, 2792, 2882]);

/** Errors that say that JSX is not set up. */
const NEEDS_JSX: ReadonlySet<number> = new Set([6142, 17004]);

/** Error that says that a text has too many statements for TypeScript to follow what each changes. */
const TOO_LARGE = 2563;

/** A line that gives a name its value. */
const ASSIGNMENT = /^\s*([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=(?![=>])/u;

/** A value where an array of such values is wanted. */
const ONE_OF_AN_ARRAY =
  /^(?:Type|Argument of type) '(\w+)' is not assignable to (?:type|parameter of type) '(?:readonly )?\1\[\]'\.$/;

/** What to do about JSX in a notebook that has no setting for it. */
const JSX_REMEDY =
  'For JSX, a tsconfig.json beside the notebook says how it is compiled: { "compilerOptions": { "jsx": "react-jsx" } }';

/** A text as the user knows it: a cell, or a file. */
export interface UserText {
  readonly label: string;
  readonly text: string;
}

/** Formats errors. Positions are those of the user's own text, which `textOf` tells of each. */
export function formatDiagnostics(
  diagnostics: readonly ts.Diagnostic[],
  textOf: (diagnostic: ts.Diagnostic) => UserText,
): CellErrors {
  const places = merged(diagnostics, textOf);
  const shown = places.slice(0, MOST_SHOWN).flatMap((place, i) => format(place, i === 0));
  const more = places.length - MOST_SHOWN;
  const first = diagnostics[0];
  const rest = diagnostics.length > 1 ? ` (and ${diagnostics.length - 1} more)` : "";
  return {
    // The parser's own errors have numbers from 1000 to 1999.
    ename: first !== undefined && isSyntax(first) ? "SyntaxError" : "TypeScriptError",
    evalue: first === undefined ? "" : `${message(first, "").split("\n", 1)[0]}${rest}`,
    traceback: [...shown, ...(more > 0 ? [`… and ${more} more errors`] : [])],
  };
}

/** An error with its place, and how often it is said of the same line again: of each element of an array, say. */
interface Place {
  readonly diagnostic: ts.Diagnostic;
  readonly label: string;
  readonly line: number;
  readonly column: number;
  /** The text of the line. */
  readonly source: string;
  again: number;
}

function merged(
  diagnostics: readonly ts.Diagnostic[],
  textOf: (diagnostic: ts.Diagnostic) => UserText,
): readonly Place[] {
  const places = new Map<string, Place>();
  for (const diagnostic of diagnostics) {
    const { label, text } = textOf(diagnostic);
    const lines = text.split("\n");
    const { line, column } = position(diagnostic.start ?? 0, lines);
    const key = `${label}:${line}:${diagnostic.code}:${ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")}`;
    const same = places.get(key);
    if (same !== undefined) same.again++;
    else places.set(key, { diagnostic, label, line, column, source: lines[line] ?? "", again: 0 });
  }
  return [...places.values()];
}

function isSyntax({ code }: ts.Diagnostic): boolean {
  return code < 2000;
}

function format({ diagnostic, label, line, column, source, again }: Place, isFirst: boolean): string[] {
  const head = `${ansi.cyan}${label}:${line + 1}:${column + 1}${ansi.reset} - ${ansi.red}error${ansi.reset} ${ansi.grey}TS${diagnostic.code}:${ansi.reset} `;
  const { text, column: at } = excerpt(source, column);
  const length = Math.max(1, Math.min(diagnostic.length ?? 1, text.length - at));
  const number = String(line + 1);
  const gutter = `${ansi.inverse}${number}${ansi.reset} `;
  const under = `${ansi.inverse}${" ".repeat(number.length)}${ansi.reset} ${" ".repeat(at)}${ansi.red}${"~".repeat(length)}${ansi.reset}`;
  // What follows from an error of the first line that cannot be read is no Python.
  const told = message(diagnostic, source, isFirst && isSyntax(diagnostic) ? remedyOfLine(source) : undefined);
  const repeated = again > 0 ? [`… and ${again} more of the same in this line`] : [];
  return [`${head}${told}`, "", `${gutter}${text}`, under, ...repeated, ""];
}

function position(offset: number, lines: readonly string[]): { line: number; column: number } {
  let rest = offset;
  for (const [line, text] of lines.entries()) {
    if (rest <= text.length) return { line, column: rest };
    rest -= text.length + 1;
  }
  // What is missing at the end of the cell is shown at the end of its last line.
  return { line: lines.length - 1, column: lines.at(-1)?.length ?? 0 };
}

/** What TypeScript adds to an error: where the parameter is that lacks its argument, say. */
const MOST_RELATED = 3;

/** What is told of an error. @param line the text of its line; @param known a remedy that is known already */
function message(diagnostic: ts.Diagnostic, line: string, known?: string): string {
  const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n");
  const related = (diagnostic.relatedInformation ?? []).slice(0, MOST_RELATED);
  const hint = known ?? remedy(diagnostic, text, line);
  return [text, ...related.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")), hint]
    .filter((line) => line !== undefined)
    .join("\n");
}

function remedy(diagnostic: ts.Diagnostic, text: string, line: string): string | undefined {
  if (MISSING_MODULE.has(diagnostic.code)) {
    const name = /'([^']+)'/.exec(text)?.[1] ?? "";
    return importRemedy(name);
  }
  if (diagnostic.code === 2339 && /cell-api\/deno"/.test(text)) {
    return "Cells run in Node.js: of Deno there is Deno.jupyter. For files there is node:fs/promises.";
  }
  if (/^Cannot find name '(document|window)'/.test(text)) {
    return "Cells run in Node.js, where there is no page: display.html shows HTML, and ui has widgets.";
  }
  if (diagnostic.code === 2304 || diagnostic.code === 2552) {
    const name = /'([^']+)'/.exec(text)?.[1] ?? "";
    if (ASSIGNMENT.exec(line)?.[1] === name) {
      return `A new variable is declared: let ${name} = …, or const ${name} = … where it keeps its value.`;
    }
    return remedyOfName(name) ?? `Has the cell that declares ${name} been run in this session?`;
  }
  if (ONE_OF_AN_ARRAY.test(text)) return "An array of such values is wanted here: put brackets around them, [ ].";
  if (NEEDS_JSX.has(diagnostic.code)) return JSX_REMEDY;
  if (diagnostic.code === TOO_LARGE)
    return "%notype on the first line runs the cell without type checking; or put parts of it into functions.";
  return undefined;
}

/** An error of a text that could be read if it were TSX. */
export function withJsxRemedy(diagnostic: ts.Diagnostic): ts.Diagnostic {
  const hint = { ...diagnostic, category: ts.DiagnosticCategory.Message, messageText: JSX_REMEDY };
  return { ...diagnostic, relatedInformation: [hint] };
}
