/** The declarations of many cells: that they stay few, and that no name changes its meaning when they are joined. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after, beforeEach } from "node:test";
import { fileURLToPath } from "node:url";
import { takeApart } from "./declarations.js";
import { Language } from "./language.js";
import { Scope } from "./scope.js";

const folder = mkdtempSync(join(tmpdir(), "metastate-scope-"));
after(() => rmSync(folder, { recursive: true }));
const cellApi = fileURLToPath(new URL("../cell-api/index.js", import.meta.url));
const nodeTypes = join(dirname(createRequire(import.meta.url).resolve("@types/node/package.json")), "index.d.ts");

let scope: Scope;
let taken = 0;
beforeEach(() => {
  scope = new Scope(() => `s${taken++}`);
});

function names(): string[] {
  return scope.segments.flatMap(({ declarations }) => declarations.flatMap((each) => each.names)).sort();
}

test("declarations are taken apart name by name", () => {
  const found = takeApart(
    `/** doc */ declare const a: A, b: typeof c.d; import x, { y as z } from "m"; import * as ns from "n";
     declare function f(): void; declare function f(n: number): B<C>; export default class D extends E {} declare global { var g: 1 }
     interface I { [k: string]: J; [S.T]: import("./other").P } export { a, b as q };`,
  );
  assert.deepEqual(
    found.map((each) => [each.names.join(), [...each.mentions].join(), each.modules.join()]),
    [
      ["a", "A", ""],
      ["b", "c", ""],
      ["x", "", ""],
      ["z", "", ""],
      ["ns", "", ""],
      ["f", "B,C", ""],
      ["D", "E", ""],
      ["", "", ""],
      ["I", "J,S", "./other"],
    ],
  );
  assert.match(found[0]?.text ?? "", /^\/\*\* doc \*\/ declare const a: A;$/);
  assert.equal(found[3]?.text, 'import { y as z } from "m";');
  assert.match(found[6]?.text ?? "", /^declare class D/);
});

test("what was declared again is dropped, what others speak of is not", () => {
  scope.add(takeApart("interface P { a: 1 } declare let p: P; declare let lone: 1;"));
  for (let i = 0; i < 100; i++) scope.add(takeApart("interface P { b: 2 } declare let lone: 2;"));
  assert.equal(names().filter((name) => name === "p").length, 1);
  assert.ok(names().filter((name) => name === "P").length < 20, names().join());
  assert.ok(names().filter((name) => name === "lone").length < 20, names().join());
  assert.ok(scope.segments[0]?.declarations.some(({ text }) => text.includes("a: 1")));
});

test("a thousand cells make few segments", () => {
  for (let i = 0; i < 1000; i++)
    scope.add(takeApart(`declare let x${i}: T${i}; interface T${i} { again: 1 } declare let again: 1;`));
  assert.ok(scope.segments.length < 40, String(scope.segments.length));
  assert.ok(names().length < 2100, String(names().length));
});

test("types keep their meaning when their names are taken again, however many cells follow", () => {
  const language = new Language({ folder, globals: [cellApi], nodeTypes });
  const compile = (source: string): boolean => language.compile(source, "In [1]").ok;
  for (let i = 0; i < 60; i++) {
    assert.ok(
      compile(
        `interface Same { n: ${i} }\nconst same${i} = { n: ${i} } as Same; const ref${i} = same${i}; class C${i} { same!: Same }`,
      ),
    );
    if (i % 3 === 0)
      assert.ok(compile(`type Other = typeof same${i}; let other${i}: Other = same${i}; enum Colour { Red = ${i} }`));
  }
  for (let i = 0; i < 60; i++) {
    assert.ok(
      compile(`const check: ${i} = same${i}.n; const also: ${i} = ref${i}.n; const third: ${i} = new C${i}().same.n`),
      String(i),
    );
    assert.equal(compile(`const check: 77 = same${i}.n`), false);
  }
  assert.ok(compile("const last: 59 = ({} as Same).n; const colour: 57 = Colour.Red"));
});

test("what was declared so before is declared anew only where a name of it means something else by now", () => {
  const add = (text: string): number => {
    scope.add(takeApart(text));
    return scope.version;
  };
  const cell = "interface P { a: Q } declare const p: P;";
  const first = add(cell);
  assert.equal(add(cell), first);
  const other = add("declare const q: 1;");
  assert.equal(add(cell), other, "a name that it does not speak of");
  const spoken = add("interface Q { b: 1 }");
  assert.ok(add(cell) > spoken, "one that it does");
  const hidden = add("declare const p: 2;");
  assert.ok(add(cell) > hidden, "one of its own");
  const part = add("interface P { a: 2 }");
  assert.ok(add(cell) > part, "a part of it");
  for (const text of ["declare global { var g: 1 }", "declare class C { #private }"]) {
    const once = add(text);
    assert.ok(add(text) > once, text);
  }
});

test("a cell that is run again and again leaves nothing behind", () => {
  for (let i = 0; i < 300; i++) {
    scope.add(takeApart("interface Row { a: number } declare class Table { rows: Row[] }"));
    scope.add(takeApart("declare const table: Table;"));
  }
  assert.ok(names().length < 120, String(names().length));
});
