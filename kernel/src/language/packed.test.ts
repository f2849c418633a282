/** Declarations put into one file: that nothing is lost, and that what is not global stays apart. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { Library } from "./library.js";
import { LIBRARY_YEAR } from "./options.js";
import { declaredModules, hasStandardLibrary, packDeclarations, rareFile, STANDARD_LIBRARY } from "./packed.js";

const folder = mkdtempSync(join(tmpdir(), "metastate-packed-")).replaceAll("\\", "/");
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "deep"));

function write(name: string, text: string): string {
  const path = `${folder}/${name}`;
  writeFileSync(path, text);
  return path;
}

const root = write(
  "index.d.ts",
  '/// <reference lib="es2020" />\n/// <reference path="module.d.ts" />\n/// <reference path="deep/a.d.ts" />\n' +
    '/// <reference path="b.d.ts" />\ndeclare const own: 1;\n',
);
const a = write("deep/a.d.ts", '/// <reference path="../b.d.ts" />\n/** Says a. */\ndeclare const a: 2;\n');
const b = write("b.d.ts", 'declare module "b" {\n  export const b: 3;\n}\n');
const module = write("module.d.ts", "export {};\ndeclare global {\n  var m: 4;\n}\n");

test("scripts are joined in the order in which they refer to each other, each once", () => {
  const packed = packDeclarations(root);
  assert.deepEqual([...packed.keys()].sort(), [a, b, root].sort());
  assert.deepEqual([packed.get(a), packed.get(b)], ["", ""]);
  const lines = packed.get(root)?.split("\n").filter(Boolean);
  assert.deepEqual(lines, [
    '/// <reference lib="es2020" />',
    `/// <reference path="${module}" />`,
    'declare module "b" {',
    "  export const b: 3;",
    "}",
    "/** Says a. */",
    "declare const a: 2;",
    "declare const own: 1;",
  ]);
});

test("modules of Node that few import are in a file of their own, and the others know that they are there", () => {
  const node = write(
    "node.d.ts",
    '/// <reference path="deep/http2.d.ts" />\n/// <reference path="repl.d.ts" />\ndeclare const n: 1;\n',
  );
  const http2 = write(
    "deep/http2.d.ts",
    'declare module "http2" {\n  const h: 2;\n}\ndeclare module "node:http2" {\n  export * from "http2";\n}\n',
  );
  const repl = write("repl.d.ts", "declare module 'repl' {\n  const r: 3;\n}\n");
  const packed = packDeclarations(node);
  assert.equal(rareFile(packed), http2);
  assert.equal(packed.get(repl), "");
  assert.match(packed.get(http2) ?? "", /const h: 2;[^]*const r: 3;/);
  const lines = packed.get(node)?.split("\n").filter(Boolean);
  const known = ['declare module "http2" {}', 'declare module "node:http2" {}', 'declare module "repl" {}'];
  assert.deepEqual(lines, [...known, "declare const n: 1;"]);
  assert.deepEqual(declaredModules(packed.get(http2) ?? ""), ["http2", "node:http2", "repl"]);
  assert.equal(rareFile(packDeclarations(root)), undefined);
});

test("a file that is not there is packed as none", () => {
  assert.equal(packDeclarations(`${folder}/none.d.ts`).size, 0);
});

test("TypeScript's own library is packed whole", () => {
  const packed = packDeclarations(STANDARD_LIBRARY);
  const text = packed.get(STANDARD_LIBRARY) ?? "";
  assert.ok(packed.size > 50);
  // That of newer versions of Node.js has a module in it, which cannot be joined with what is global.
  for (const [, name] of text.matchAll(/^\/\/\/\s*<reference lib="([^"]+)"/gm)) {
    assert.match(readFileSync(join(dirname(STANDARD_LIBRARY), `lib.${name}.d.ts`), "utf8"), /^export\b/m);
  }
  for (const declared of ["interface Array<T>", "interface WeakRef<", "toSorted("]) assert.ok(text.includes(declared));
});

test("options that ask for an older library do not get a newer one", () => {
  assert.ok(hasStandardLibrary({ lib: [`lib.es${LIBRARY_YEAR}.d.ts`] }));
  assert.ok(hasStandardLibrary({ lib: ["lib.dom.d.ts", "lib.esnext.full.d.ts"] }));
  assert.ok(!hasStandardLibrary({ lib: ["lib.es2022.d.ts", "lib.es2023.array.d.ts", "lib.dom.d.ts"] }));
});

test("packed files are read again when one of them has changed", () => {
  const library = new Library();
  const before = library.packed(root).get(root);
  assert.ok(library.refresh());
  assert.equal(library.packed(root).get(root), before);
  write("b.d.ts", "declare const changed: 5;\n");
  utimesSync(b, 1, 1);
  assert.equal(library.refresh(), false);
  const after = library.packed(root).get(root);
  assert.ok(after?.snapshot.text.includes("changed: 5"));
  assert.notEqual(after?.version, before?.version);
});
