/** Completion, inspection and completeness, on a notebook of a few cells. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import { complete } from "./completion.js";
import { completeness } from "./completeness.js";
import { inspect } from "./inspection.js";
import { Language } from "./language.js";

const folder = mkdtempSync(join(tmpdir(), "metastate-language-"));
after(() => rmSync(folder, { recursive: true }));
const cellApi = fileURLToPath(new URL("../cell-api/index.js", import.meta.url));
const nodeTypes = join(dirname(createRequire(import.meta.url).resolve("@types/node/package.json")), "index.d.ts");
const language = new Language({ folder, globals: [cellApi], nodeTypes });
language.compile(
  `/** Adds two numbers.
 * @param a the first
 * @returns their sum */
function addition(a: number, b = 1) { return a + b }
const shape = { width: 3, widen() {}, height: 4 };
class Point { x = 1; #hidden = 2; static origin = new Point() }
import * as paths from "node:path";`,
  "In [1]",
);

/** Completes at the bar. */
function at(text: string): { texts: string[]; types: string[]; start: number; end: number } {
  const cursor = text.indexOf("|");
  const { items, start, end } = complete(language, text.replace("|", ""), cursor);
  return { texts: items.map((item) => item.text), types: items.map((item) => item.type), start, end };
}

test("completion knows members of a variable of an earlier cell, and their kinds", () => {
  assert.deepEqual(at("shape.|"), {
    texts: ["height", "widen", "width"],
    types: ["property", "method", "property"],
    start: 6,
    end: 6,
  });
  assert.deepEqual(at("shape.wi|").texts, ["widen", "width"]);
});

test("completion replaces the whole name that the cursor stands in", () => {
  assert.deepEqual(at("shape.wi|xyz + 1"), {
    texts: ["widen", "width"],
    types: ["method", "property"],
    start: 6,
    end: 11,
  });
});

test("completion knows names of cells, of the kernel, of JavaScript, and of this very cell", () => {
  assert.deepEqual(at("addi|").texts, ["addition"]);
  assert.ok(at("displ|").texts.includes("display"));
  assert.ok(at("struct|").texts.includes("structuredClone"));
  assert.deepEqual(at("const mine = 1; min|").texts, ["mine"]);
  assert.ok(at("displayed.|").texts.length === 0);
});

test("completion knows what a name in truth is that a module passes on", () => {
  const kinds = (text: string): Record<string, string | undefined> => {
    const { texts, types } = at(text);
    return Object.fromEntries(texts.map((name, i) => [name, types[i]]));
  };
  assert.equal(kinds("displa|")["display"], "function");
  assert.deepEqual(kinds("DisplayHan|"), { DisplayHandle: "class" });
  assert.deepEqual(kinds("let x: DisplayOpt|"), { DisplayOptions: "interface" });
  assert.equal(kinds("ui|")["ui"], "variable");
  assert.equal(kinds("Den|")["Deno"], "module");
  assert.equal(kinds("path|")["paths"], "module");
  language.compile('import { join, posix } from "node:path"; import { EventEmitter } from "node:events";', "In [2]");
  assert.deepEqual([kinds("joi|")["join"], kinds("posi|")["posix"]], ["function", "variable"]);
  assert.equal(kinds("EventEmi|")["EventEmitter"], "class");
});

test("completion at the very end of a text knows what the text declares, and what cells declare comes before globals", () => {
  for (const text of ["const mine = 1; |", "const mine = 1;\n|"]) {
    const { texts } = at(text);
    assert.equal(texts[0], "mine", text);
    const first = texts.slice(1, texts.indexOf("AbortController"));
    for (const name of ["Point", "addition", "paths", "shape"]) assert.ok(first.includes(name), `${text} ${name}`);
  }
});

test("completion in the head of a class or of an interface, whose body is still to come", () => {
  for (const text of [
    "class A extends |",
    "class A extends |\nconst x = 1;",
    "class A implements |",
    "interface A extends |",
  ]) {
    const { texts, start, end } = at(text);
    assert.ok(texts.includes("Point") && texts.includes("Map"), text);
    assert.ok(!texts.includes("constructor"), text);
    assert.deepEqual([start, end], [text.indexOf("|"), text.indexOf("|")]);
  }
  assert.ok(at("class A implements Iterable<number>, |").texts.includes("PromiseLike"));
  assert.ok(at("class A extends Point { |").texts.includes("constructor"));
});

test("completion tells case apart but forgives it", () => {
  assert.deepEqual(at("point|").texts, ["Point"]);
});

test("completion in the path of an import, and of an imported module's members", () => {
  assert.ok(at('import x from "node:wor|"').texts.includes("node:worker_threads"));
  assert.ok(at("paths.joi|").texts.includes("join"));
});

test("completion does not offer what is private", () => {
  assert.deepEqual(at("new Point().|").texts, ["x"]);
});

test("inspection shows signature and documentation of a function of an earlier cell", () => {
  const found = inspect(language, "addition(1)", 3);
  assert.equal(found?.signature, "function addition(a: number, b?: number): number");
  assert.match(found.documentation, /Adds two numbers\.[^]*\*@param\* `a` — the first[^]*\*@returns\* their sum/);
});

test("inspection at the end of a name, in a call's parentheses, and nowhere", () => {
  assert.match(inspect(language, "shape.width", 11)?.signature ?? "", /width: number/);
  assert.match(inspect(language, "addition(", 9)?.signature ?? "", /^addition\(a: number, b\?: number\): number/);
  assert.match(inspect(language, "addition(1, ", 12)?.signature ?? "", /^addition/);
  assert.equal(inspect(language, "   ", 1), undefined);
  assert.equal(inspect(language, "", 0), undefined);
});

test("inspection of a command, and of a keyword", () => {
  const found = inspect(language, "1;\n%timeit f(x)", 8);
  assert.equal(found?.signature, "%timeit expression");
  assert.match(found.documentation, /^how long the expression takes/);
  assert.equal(inspect(language, "%%time", 6)?.signature, "%%time");
  assert.equal(inspect(language, "const", 2), undefined);
});

test("completion of a function with members of its own begins with them", () => {
  const { items } = complete(language, "display.", 8);
  const names = items.map(({ text }) => text);
  assert.equal(names[0], "clear");
  assert.ok(names.indexOf("vega") < names.indexOf("apply"), names.join());
});

test("inspection of a name alone that is a type's", () => {
  language.compile("/** Somebody. */\ninterface Visitor { name: string }\ntype Guest = Visitor | undefined", "In [1]");
  assert.deepEqual(inspect(language, "Visitor", 7), { signature: "interface Visitor", documentation: "Somebody." });
  assert.match(inspect(language, "Guest", 2)?.signature ?? "", /^type Guest = /);
  for (const none of ["noSuchName", "await", "function"]) assert.equal(inspect(language, none, none.length), undefined);
});

test("inspection in a call names the parameter that comes, with what is said of it", () => {
  assert.match(
    inspect(language, "addition(", 9)?.documentation ?? "",
    /^▸ \*\*`a: number`\*\* — the first\n\nAdds two numbers/,
  );
  assert.match(inspect(language, "addition(1, ", 12)?.documentation ?? "", /^▸ \*\*`b\?: number`\*\*\n/);
  assert.match(
    inspect(language, "paths.join('a', 'b', ", 21)?.documentation ?? "",
    /^▸ \*\*`\.\.\.paths: string\[\]`\*\*/,
  );
  const overloads = inspect(language, "Array.from(", 11)?.signature.split("\n") ?? [];
  assert.ok(overloads.length > 2 && overloads.every((line) => line.startsWith("from")), overloads.join("\n"));
});

test("inspection shows examples and links as Markdown", () => {
  language.compile(
    `/**
 * Halves, see {@link https://example.com/half the page} and {@link addition}.
 * @example
 * half(4)
 * @deprecated use shift
 * @template T what kind
 */
function half<T extends number>(n: T) { return n / 2 }`,
    "In [7]",
  );
  const { documentation } = inspect(language, "half", 2) ?? { documentation: "" };
  assert.match(documentation, /^Halves, see \[the page\]\(https:\/\/example\.com\/half\) and `addition`\./);
  assert.match(documentation, /\*@example\*\n```typescript\nhalf\(4\)\n```/);
  assert.match(documentation, /\*@deprecated\* use shift/);
  assert.match(documentation, /`T` — what kind/);
});

test("completion and inspection in the middle of broken code", () => {
  assert.deepEqual(at("if (shape.wi| {\n  foo(").texts, ["widen", "width"]);
  assert.deepEqual(at("const o = { a: shape.| , b: [").texts, ["height", "widen", "width"]);
  assert.deepEqual(at("class { x = shape.he|").texts, ["height"]);
  assert.deepEqual(at("`text ${shape.widt|").texts, ["width"]);
  assert.match(inspect(language, "}}} shape.width +", 11)?.signature ?? "", /width: number/);
  for (const text of [
    "",
    ".|",
    "|",
    "'|",
    "/*|",
    "import |",
    "import { | } from 'node:path'",
    "a.b.c.|",
    "@|",
    "\\u|",
    "#|",
  ]) {
    const cursor = Math.max(0, text.indexOf("|"));
    completeness(text);
    complete(language, text.replace("|", ""), cursor);
    inspect(language, text.replace("|", ""), cursor);
  }
});

test("completion of names in an import, of paths of own files, and of keys in a string", () => {
  writeFileSync(join(folder, "helpers.ts"), "export const helpful = 1;");
  assert.ok(at('import { joi| } from "node:path"').texts.includes("join"));
  assert.ok(at('import x from "./hel|"').texts.some((text) => text.startsWith("helpers")));
  assert.ok(at('import { help| } from "./helpers"').texts.includes("helpful"));
  assert.deepEqual(at('shape["wi|"]').texts, ["widen", "width"]);
});

test("inspection of what the kernel brings", () => {
  assert.match(inspect(language, "display.html", 10)?.documentation ?? "", /Shows HTML/);
  assert.match(inspect(language, "progress", 4)?.documentation ?? "", /shows a bar/);
});

for (const [text, status] of Object.entries({
  "1 + 1": "complete",
  "": "complete",
  "function f() { return 1 }": "complete",
  "await x": "complete",
  "for await (const x of y) {}": "complete",
  "function f() {": "incomplete",
  "f(1,": "incomplete",
  "[1, 2": "incomplete",
  "x.": "incomplete",
  "const x =": "incomplete",
  "`a ${b} c": "incomplete",
  "/* a comment": "incomplete",
  "if (x) {\n  y()\n": "incomplete",
  "{ a: 1 }": "complete",
  "{ f() { return 1 } }": "complete",
  "{ f() { return 1 }": "incomplete",
  "{ a: 1, ": "incomplete",
  "{ a b }": "invalid",
  "a b": "invalid",
  "let 1 = 2": "invalid",
  ")": "invalid",
  "'open string": "invalid",
  "%%time": "incomplete",
  "%%time\n": "complete",
  "%%time\nf(": "incomplete",
  "%%time\nf()": "complete",
})) {
  test(`${JSON.stringify(text)} is ${status}`, () => {
    assert.equal(completeness(text).status, status);
  });
}

test("an incomplete text says how the next line is indented", () => {
  assert.deepEqual(completeness("function f() {"), { status: "incomplete", indent: "  " });
  assert.deepEqual(completeness("if (a) {\n    b(\n"), { status: "incomplete", indent: "      " });
});

test("a cell's latency does not grow with the cells before it that were replaced", () => {
  for (let i = 0; i < 200; i++)
    assert.ok(language.compile(`let again = ${i}; type Again = ${i}; let other = again as Again`, "In [2]").ok);
  assert.ok(language.compile("const check: 199 = other", "In [3]").ok);
});

test("a package's declarations packed beside a preload module stand for the package's own, everywhere", () => {
  const preload = join(folder, "preload");
  mkdirSync(join(preload, "types", "@scope"), { recursive: true });
  writeFileSync(join(preload, "index.d.ts"), 'import * as tensors from "@scope/tensors"; export { tensors };');
  writeFileSync(
    join(preload, "types", "@scope", "tensors.d.ts"),
    "export interface T { x: 1 } export declare function make(): T;",
  );
  const packed = new Language({ folder, globals: [cellApi, join(preload, "index.js")], nodeTypes });
  assert.ok(
    packed.compile('import { make, type T } from "@scope/tensors"; const same: T = tensors.make(); make().x', "In [1]")
      .ok,
  );
  assert.equal(packed.compile('import "@scope/other"; same.y', "In [2]").ok, false);
});
