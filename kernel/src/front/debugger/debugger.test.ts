/** The parts of the debugger that need no session. */
import assert from "node:assert/strict";
import test from "node:test";
import ts = require("typescript");
import { LineMap } from "./line-map.js";
import { murmur2 } from "./murmur2.js";
import { textOf } from "./values.js";

test("texts are hashed as the reference implementation of MurmurHash2 does", () => {
  // Computed by a transcription of it in Python, with whole numbers of any size.
  const table: readonly (readonly [text: string, hash: number])[] = [
    ["", 3990065800],
    ["a", 2167009006],
    ["ab", 2805137849],
    ["abc", 3350977461],
    ["const x = 1;", 2401825191],
    ["näh ∑", 502284863],
  ];
  for (const [text, hash] of table) assert.equal(murmur2(text, 0xc70f6907), hash, text);
});

test("lines of TypeScript and of its JavaScript are found by each other; types have none", () => {
  const source = "interface A { x: number }\n\nfunction f(a: A) {\n  return a.x;\n}\nf({ x: 1 });\n";
  const { outputText, sourceMapText = "" } = ts.transpileModule(source, {
    compilerOptions: { sourceMap: true, target: ts.ScriptTarget.ES2022, removeComments: true },
  });
  const map = new LineMap(sourceMapText);
  const javascript = outputText.split("\n");
  const found = map.generated(3);
  assert.equal(found?.line, 3);
  assert.match(javascript[found.place.line] ?? "", /return a\.x/);
  // The interface has no code: the next line that has some.
  assert.equal(map.generated(0)?.line, 2);
  assert.equal(map.generated(99), undefined);
  assert.equal(map.original({ line: found.place.line, column: 4 })?.line, 3);
});

test("a value is one line, whatever it is", () => {
  assert.equal(textOf({ type: "string", value: 'a "b"\n' }), '"a \\"b\\"\\n"');
  assert.equal(textOf({ type: "number", unserializableValue: "-0", description: "-0" }), "-0");
  assert.equal(textOf({ type: "undefined" }), "undefined");
  assert.equal(textOf({ type: "function", description: "function f() {\n  return 1;\n}" }), "function f() {");
  const properties = [
    { name: "0", type: "number", value: "1" },
    { name: "1", type: "string", value: "b" },
  ] as const;
  const preview = { type: "object", subtype: "array", description: "Array(2)", overflow: true, properties } as never;
  assert.equal(textOf({ type: "object", preview }), 'Array(2) [1, "b", …]');
});
