/** Whether a text is a whole cell, the start of one, or wrong: what a console asks before it runs a line. */
import ts = require("typescript");
import { rewriteCommands } from "./commands/rewrite.js";
import { asObjectLiteral } from "./object-literal.js";
import { parseCell, parseErrors } from "./parse.js";

export type Completeness =
  { readonly status: "complete" | "invalid" | "unknown" } | { readonly status: "incomplete"; readonly indent: string };

/** Errors of a text that may yet become right: an open comment, template or bracket. */
const UNTERMINATED = new Set([
  1010, // '*/' expected
  1160, // unterminated template literal
]);

const UNTERMINATED_STRING = 1002;

/** A line that is a command for the cell below it. */
const CELL_COMMAND = /^\s*%%\w+[^\n]*$/;

/** Judges by the parser alone: a text is incomplete when all that is wrong with it is that it ends. */
export function completeness(cell: string): Completeness {
  const { text } = rewriteCommands(cell);
  if (/^[;\s]*$/.test(text) && CELL_COMMAND.test(cell)) return { status: "incomplete", indent: "" };
  if (asObjectLiteral(text) !== undefined) return { status: "complete" };
  const judged = judge(text);
  // What is no block may yet become an object literal.
  return judged.status === "invalid" && /^\s*\{/.test(text) ? judge(`(${text}`) : judged;
}

function judge(text: string): Completeness {
  const file = parseCell(text);
  const errors = parseErrors(file).filter(({ category }) => category === ts.DiagnosticCategory.Error);
  if (errors.length === 0) return { status: "complete" };
  // A string cannot go on in the next line.
  if (errors.some(({ code }) => code === UNTERMINATED_STRING)) return { status: "invalid" };
  const end = text.trimEnd().length;
  const atEnd = errors.every(({ start = 0, code }) => start >= end || UNTERMINATED.has(code));
  return atEnd ? { status: "incomplete", indent: indentation(text) } : { status: "invalid" };
}

/** Indentation of the line that would follow: that of the last line, one step deeper after an opening bracket. */
function indentation(text: string): string {
  const last = text.trimEnd().split("\n").at(-1) ?? "";
  const indent = /^\s*/.exec(last)?.[0] ?? "";
  return /[{[(]$/.test(last) ? `${indent}  ` : indent;
}
