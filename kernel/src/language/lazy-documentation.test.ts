/** Documentation that is parsed late is what it would have been. */
import assert from "node:assert/strict";
import test from "node:test";
import ts = require("typescript");
import { forgetDocumentation } from "./lazy-documentation.js";

const TEXT = `/**
 * Adds, see {@link twice}.
 * @param a the first, or \`b\`
 * @deprecated since it subtracts
 */
export declare function add(a: number, /** beside it */ b: number): number;
/** Once. */
/** Twice. */
export declare const twice: 1;
export interface Point {
  /** How far to the right. */
  across: number;
  down: number;
}
`;

function nodes(file: ts.SourceFile): ts.Node[] {
  const found: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function isParsed(node: ts.Node): boolean {
  return Array.isArray((node as { jsDoc?: unknown }).jsDoc);
}

/** All that TypeScript tells of the documentation of a node. */
function told(node: ts.Node): unknown {
  const parts = ts.getJSDocCommentsAndTags(node).map((part) => {
    const { comment, kind, parent } = part;
    return { comment: ts.getTextOfJSDocComment(comment), kind, text: part.getText(), of: ts.SyntaxKind[parent.kind] };
  });
  const flags = ts.getCombinedModifierFlags(node as ts.Declaration);
  return { parts, tags: ts.getJSDocTags(node).map((tag) => [tag.tagName.text, tag.getText()]), flags };
}

test("what was forgotten is parsed again where it is asked for, and only there", () => {
  const make = (): ts.SourceFile => ts.createSourceFile("a.d.ts", TEXT, ts.ScriptTarget.ESNext, true);
  const file = make();
  forgetDocumentation(file);
  const late = nodes(file);
  const documented = late.filter((node) => (node as { jsDoc?: unknown }).jsDoc !== undefined);
  // Of two comments both stay.
  assert.deepEqual(documented.map(isParsed), [false, false, true, false]);
  assert.deepEqual(late.map(told), nodes(make()).map(told));
  assert.ok(documented.every(isParsed));
});

test("looking for the kind and the text of a declaration parses nothing", () => {
  const file = ts.createSourceFile("a.d.ts", TEXT, ts.ScriptTarget.ESNext, true);
  forgetDocumentation(file);
  const [add] = file.statements;
  assert.ok(add !== undefined && ts.isFunctionDeclaration(add));
  assert.match(add.getText(), /^export declare function add/);
  assert.equal(ts.getCombinedModifierFlags(add) & ts.ModifierFlags.Ambient, ts.ModifierFlags.Ambient);
  assert.equal(isParsed(add), false);
});
