/** Completion of paths of files: in strings, and in lines for the shell. */
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import ts = require("typescript");
import { rewriteCommands } from "./commands/rewrite.js";
import type { Completions } from "./completion.js";

/** How a path that ends at `cursor` may go on, seen from a folder. Hidden files only where a dot is asked for. */
export function pathsFrom(folder: string, path: string, cursor: number): Completions {
  const slash = path.lastIndexOf("/") + 1;
  const start = cursor - path.length;
  const items = entries(resolve(folder, path.slice(0, slash)), path.slice(slash)).map((entry) => ({
    ...{ text: path.slice(0, slash) + entry, type: entry.endsWith("/") ? "folder" : "file", start, end: cursor },
  }));
  return { items, start, end: cursor };
}

function entries(folder: string, prefix: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => name.startsWith(prefix) && (prefix.startsWith(".") || !name.startsWith(".")))
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
      .sort();
  } catch {
    return [];
  }
}

/** The files that the string at the cursor may be the path of; undefined where there is no string, or TypeScript knows what is imported. */
export function completePath(text: string, cursor: number, folder: string): Completions | undefined {
  const file = ts.createSourceFile("cell.ts", rewriteCommands(text).text, ts.ScriptTarget.ESNext, true);
  let path: string | undefined;
  const visit = (node: ts.Node): void => {
    if (node.pos >= cursor || node.end < cursor) return;
    if (ts.isStringLiteralLike(node) && !isImported(node)) path = before(node, file, cursor);
    ts.forEachChild(node, visit);
  };
  visit(file);
  // What has escapes in it is not what it reads as.
  return path === undefined || /[\\\n]/.test(path) ? undefined : pathsFrom(folder, path, cursor);
}

/** A string's text up to the cursor, which may stand before its end, or there where no quote closes it. */
function before(node: ts.StringLiteralLike, file: ts.SourceFile, cursor: number): string | undefined {
  const start = node.getStart(file);
  const { isUnterminated } = node as { readonly isUnterminated?: boolean };
  if (cursor <= start || (cursor === node.end && isUnterminated !== true)) return undefined;
  return file.text.slice(start + 1, cursor);
}

function isImported({ parent }: ts.Node): boolean {
  return (
    ts.isImportDeclaration(parent) ||
    ts.isExportDeclaration(parent) ||
    ts.isLiteralTypeNode(parent) ||
    (ts.isCallExpression(parent) && parent.expression.kind === ts.SyntaxKind.ImportKeyword)
  );
}
