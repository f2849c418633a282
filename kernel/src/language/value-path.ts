/**
 * Where the value of an expression is found in the session without running anything: by the name of a variable, and those of members
 * behind it. What is called, or computed, has no such path, and neither has what is local to a function.
 */
import ts = require("typescript");
import type { Language } from "./language.js";
import { variableOf } from "./shadowed-globals.js";

/** A variable, as it is called in the session, and members. */
export type ValuePath = readonly [variable: string, ...members: string[]];

/** The path of the name that an offset of a text is in, or just behind. */
export function pathAt(
  language: Language,
  program: ts.Program,
  file: ts.SourceFile,
  offset: number,
): ValuePath | undefined {
  const name = identifierAt(file, offset);
  if (name === undefined) return undefined;
  const { parent } = name;
  const node = ts.isPropertyAccessExpression(parent) && parent.name === name ? parent : name;
  return pathOf(language, program.getTypeChecker(), node);
}

/** The path of what a member is asked of: of `a.b` in `a.b.` or `a.b["`, up to an offset at which the member begins. */
export function pathBefore(
  language: Language,
  program: ts.Program,
  file: ts.SourceFile,
  start: number,
): ValuePath | undefined {
  let found: ts.Expression | undefined;
  const visit = (node: ts.Node): void => {
    if (node.pos > start || node.end < start - 1) return;
    const isDot =
      ts.isPropertyAccessExpression(node) && /^\s*\??\.\s*$/.test(file.text.slice(node.expression.end, start));
    const isKey =
      ts.isElementAccessExpression(node) &&
      /^\s*(?:\?\.)?\[\s*["'`]$/.test(file.text.slice(node.expression.end, start));
    if (isDot || isKey) found = node.expression;
    ts.forEachChild(node, visit);
  };
  visit(file);
  const checker = program.getTypeChecker();
  // TypeScript wants to be told first what it is.
  if (found === undefined || checker.getTypeAtLocation(found).flags & ts.TypeFlags.Unknown) return undefined;
  return pathOf(language, checker, found);
}

function identifierAt(file: ts.SourceFile, offset: number): ts.Identifier | undefined {
  let found: ts.Identifier | undefined;
  const visit = (node: ts.Node): void => {
    if (node.pos > offset || node.end < offset) return;
    if (ts.isIdentifier(node) && node.getStart(file) <= offset) found ??= node;
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function pathOf(language: Language, checker: ts.TypeChecker, node: ts.Expression): ValuePath | undefined {
  if (ts.isIdentifier(node)) {
    const symbol = checker.getSymbolAtLocation(node);
    const variable = symbol && variableOf(symbol, language.cells);
    return variable === undefined ? undefined : [variable];
  }
  if (ts.isParenthesizedExpression(node) || ts.isNonNullExpression(node) || ts.isAsExpression(node)) {
    return pathOf(language, checker, node.expression);
  }
  const member = memberOf(node);
  if (member === undefined) return undefined;
  const path = pathOf(language, checker, member.of);
  return path && [...path, member.name];
}

function memberOf(node: ts.Expression): { readonly of: ts.Expression; readonly name: string } | undefined {
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.name)) {
    return { of: node.expression, name: node.name.text };
  }
  if (!ts.isElementAccessExpression(node)) return undefined;
  const { argumentExpression: key } = node;
  return ts.isStringLiteralLike(key) || ts.isNumericLiteral(key) ? { of: node.expression, name: key.text } : undefined;
}
