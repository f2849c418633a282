/** Compiler errors as a notebook shows them: like `tsc --pretty`, with the remedy where there is a known one. */
import ts = require("typescript");
import { ansi } from "../ansi.js";
import { excerpt } from "../excerpt.js";
import { remedyOfLine } from "./of-python.js";
import { JSX_REMEDY, OF_A_CELL, remedyOf } from "./remedies.js";

/** Errors of one cell. */
export interface CellErrors {
  readonly ename: "SyntaxError" | "TypeScriptError" | "CommandError" | "KernelError";
  /** The first error in one line. */
  readonly evalue: string;
  /** Lines with ANSI colours. */
  readonly traceback: readonly string[];
}

const MOST_SHOWN = 10;

/** A text as the user knows it: a cell, or a file. */
export interface UserText {
  readonly label: string;
  readonly text: string;
}

/** The text that an error, or what is added to it, is about. */
type TextOf = (diagnostic: ts.DiagnosticRelatedInformation) => UserText;

/** Formats errors. Positions are those of the user's own text, which `textOf` tells of each. */
export function formatDiagnostics(diagnostics: readonly ts.Diagnostic[], textOf: TextOf): CellErrors {
  const places = merged(diagnostics, textOf);
  const shown = places.slice(0, MOST_SHOWN).flatMap((place, i) => format(place, i === 0, textOf));
  const more = places.length - MOST_SHOWN;
  const first = diagnostics[0];
  const rest = diagnostics.length > 1 ? ` (and ${diagnostics.length - 1} more)` : "";
  return {
    // The parser's own errors have numbers from 1000 to 1999.
    ename: first !== undefined && isSyntax(first) ? "SyntaxError" : "TypeScriptError",
    evalue: first === undefined ? "" : `${message(first, "", textOf).split("\n", 1)[0]}${rest}`,
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

function merged(diagnostics: readonly ts.Diagnostic[], textOf: TextOf): readonly Place[] {
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

function format({ diagnostic, label, line, column, source, again }: Place, isFirst: boolean, textOf: TextOf): string[] {
  const head = `${ansi.cyan}${label}:${line + 1}:${column + 1}${ansi.reset} - ${ansi.red}error${ansi.reset} ${ansi.grey}TS${diagnostic.code}:${ansi.reset} `;
  const { text, column: at } = excerpt(source, column);
  const length = Math.max(1, Math.min(diagnostic.length ?? 1, text.length - at));
  const number = String(line + 1);
  const gutter = `${ansi.inverse}${number}${ansi.reset} `;
  const under = `${ansi.inverse}${" ".repeat(number.length)}${ansi.reset} ${" ".repeat(at)}${ansi.red}${"~".repeat(length)}${ansi.reset}`;
  // What follows from an error of the first line that cannot be read is no Python.
  const known = isFirst && isSyntax(diagnostic) ? remedyOfLine(source) : undefined;
  const told = message(diagnostic, source, textOf, known);
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
function message(diagnostic: ts.Diagnostic, line: string, textOf: TextOf, known?: string): string {
  const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n");
  const related = (diagnostic.relatedInformation ?? []).slice(0, MOST_RELATED);
  const hint = known ?? remedyOf(diagnostic.code, text, line);
  const shown = text.replace(OF_A_CELL, "$2");
  return [shown, ...related.map((each) => relatedMessage(each, textOf)), hint]
    .filter((line) => line !== undefined)
    .join("\n");
}

/** What TypeScript adds to an error. What it points at, as "here", has its place behind it. */
function relatedMessage(related: ts.DiagnosticRelatedInformation, textOf: TextOf): string | undefined {
  const text = ts.flattenDiagnosticMessageText(related.messageText, "\n").replace(OF_A_CELL, "$2");
  if (!/ here\.$/.test(text)) return text;
  // In the declarations of an earlier cell, or of a library, there is nothing to see.
  if (related.file?.isDeclarationFile === true) return undefined;
  const { label, text: source } = textOf(related);
  const { line, column } = position(related.start ?? 0, source.split("\n"));
  return `${text.slice(0, -1)}: ${label}:${line + 1}:${column + 1}`;
}

/** An error of a text that could be read if it were TSX. */
export function withJsxRemedy(diagnostic: ts.Diagnostic): ts.Diagnostic {
  const hint = { ...diagnostic, category: ts.DiagnosticCategory.Message, messageText: JSX_REMEDY };
  return { ...diagnostic, relatedInformation: [hint] };
}
