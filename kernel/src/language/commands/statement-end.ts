/** Whether a line is the start of a statement, by TypeScript's own parser: only there is a `%` or `!` a command. */
import ts = require("typescript");
import { parseCell, parseErrors } from "../parse.js";

/** How the text before a line ends. */
export type Ending =
  /** in the middle of a statement: the line goes on with it */
  | "open"
  /** in the middle of a comment or a template: so does every line until one ends it */
  | "inside"
  /** a whole statement that a `%` on the next line could go on with: there is no semicolon */
  | "expression"
  /** a whole statement, or nothing */
  | "closed";

/** Errors of a text that ends within a comment, a template or a regular expression. */
const UNTERMINATED: ReadonlySet<number> = new Set([1010, 1160, 1161]);

/** How a text of statements ends. */
export function endingOf(text: string): Ending {
  if (text.trim() === "") return "closed";
  const file = parseCell(text);
  const end = text.trimEnd().length;
  const errors = parseErrors(file);
  if (errors.some(({ code }) => UNTERMINATED.has(code))) return "inside";
  if (errors.some(({ start }) => start >= end)) return "open";
  const last = file.statements.at(-1);
  if (last === undefined || text.charAt(last.end - 1) === ";") return "closed";
  const goesOn =
    ts.isExpressionStatement(last) ||
    ts.isVariableStatement(last) ||
    ts.isReturnStatement(last) ||
    ts.isThrowStatement(last) ||
    ts.isExportAssignment(last);
  return goesOn ? "expression" : "closed";
}

/** Whether a text parses without an error. */
export function isWhole(text: string): boolean {
  return parseErrors(parseCell(text)).length === 0;
}

/** Whether a text is one expression, and no list of several with commas between. */
export function isExpression(text: string): boolean {
  if (text.trim() === "") return false;
  const file = parseCell(`(${text}\n)`);
  const [statement, ...others] = file.statements;
  if (statement === undefined || others.length > 0 || parseErrors(file).length > 0) return false;
  if (!ts.isExpressionStatement(statement) || !ts.isParenthesizedExpression(statement.expression)) return false;
  const { expression } = statement.expression;
  return !(ts.isBinaryExpression(expression) && expression.operatorToken.kind === ts.SyntaxKind.CommaToken);
}
