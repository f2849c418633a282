/** What cells do, cell after cell: a table of short notebooks, each naming what it shows. */
import type { CellTable } from "./table.js";

export const basics: CellTable = {
  "the value of the last expression is shown": [{ code: "1 + 1", result: "2" }],
  "a string result is quoted": [{ code: "'a' + 'b'", result: "'ab'" }],
  "a declaration has no result": [{ code: "const a1 = 5", result: null }],
  "undefined is not shown": [{ code: "void 0", result: null }],
  "null is shown": [{ code: "null", result: "null" }],
  "falsy results are shown": [
    { code: "0", result: "0" },
    { code: "''", result: "''" },
    { code: "NaN", result: "NaN" },
  ],
  "a cell that is an object literal is no block": [
    { code: "{ a: 1 }", result: "{ a: 1 }" },
    { code: "const a2 = 1, b2 = [2]; a2", result: "1" },
    { code: "{a2, b2}", result: "{ a2: 1, b2: [ 2 ] }" },
    { code: "\n  { a2, f() { return 3 }, ...{ c: 4 } } // c", result: "{ a2: 1, f: [Function: f], c: 4 }" },
    { code: "{}", result: "{}" },
    { code: "{ d: 5 }.d", result: "5" },
    { code: "{ p: Promise.resolve(1) }.p.then((x) => ({ x }))", result: "{ x: 1 }" },
    { code: "{ a: await Promise.resolve(6) }", result: "{ a: 6 }" },
  ],
  "a block stays a block": [
    { code: "{ console.log('in a block') }", stdout: "in a block\n", result: null },
    { code: "{ let inside = 1; console.log(inside) }", stdout: "1\n", result: null },
    { code: "{ var outside = 7 }", result: null },
    { code: "outside", result: "7" },
    { code: "{ a2 };", result: null },
  ],
  "a trailing comment does not hide the result": [{ code: "3 // three", result: "3" }],
  "an empty statement after it does not hide the result": [{ code: "3;;", result: "3" }],
  "only the last expression is a result": [{ code: "1; 2", result: "2" }],
  "an expression before a declaration is no result": [{ code: "1; let after1 = 2", result: null }],
  "a promise is awaited before it is shown": [{ code: "Promise.resolve(7)", result: "7" }],
  "await at the top level": [{ code: "await new Promise((r) => setTimeout(() => r('late'), 20))", result: "'late'" }],
  "for await at the top level": [
    {
      code: "async function* count() { yield 1; yield 2 }\nlet sum1 = 0; for await (const n of count()) sum1 += n; sum1",
      result: "3",
    },
  ],
  "for await over an array of promises": [
    {
      code: "const got1: number[] = []; for await (const n of [Promise.resolve(1), 2]) got1.push(n); got1",
      result: "[ 1, 2 ]",
    },
  ],
  "let can be declared again": [{ code: "let v1 = 1" }, { code: "let v1 = 'two'" }, { code: "v1.length", result: "3" }],
  "const can be declared again": [{ code: "const v2 = 1" }, { code: "const v2 = [2]" }, { code: "v2[0]", result: "2" }],
  "var, let, const, class and function may take each other's name": [
    { code: "var n1 = 1" },
    { code: "let n1 = 2" },
    { code: "const n1 = 3" },
    { code: "class n1 { x = 4 }" },
    { code: "function n1() { return 5 }" },
    { code: "n1()", result: "5" },
    { code: "var n1 = 6; n1", result: "6" },
  ],
  "assigning to a const is refused": [
    { code: "const c1 = 1" },
    { code: "c1 = 2", ends: "TypeScriptError: Cannot assign to 'c1' because it is a constant." },
  ],
  "a class can be declared again": [
    { code: "class K1 { a = 1 }" },
    { code: "class K1 { b = 2 }" },
    { code: "new K1().b", result: "2" },
  ],
  "an interface can be declared again and is not merged": [
    { code: "interface I1 { a: number }" },
    { code: "interface I1 { b: string }" },
    { code: "const i1: I1 = { b: 'x' }" },
    { code: "const i2: I1 = { a: 1, b: 'x' }", ends: /'a' does not exist in type 'I1'/ },
  ],
  "a value keeps the type it was declared with when the type's name is taken again": [
    { code: "interface T1 { a: number }\nconst t1: T1 = { a: 1 }" },
    { code: "interface T1 { b: string }" },
    { code: "t1.a", result: "1" },
  ],
  "a type alias and an enum can be declared again": [
    { code: "type A1 = number; enum E1 { X = 1 }" },
    { code: "type A1 = string; enum E1 { Y = 7 }" },
    { code: "const y1: A1 = 'y'; [E1.Y, Object.keys(E1)]", result: "[ 7, [ '7', 'Y' ] ]" },
  ],
  "an enum of one cell is used in another": [
    { code: "enum Colour { Red, Green }" },
    { code: "Colour[Colour.Green]", result: "'Green'" },
  ],
  "a namespace keeps its members": [
    { code: "namespace Space { export const x = 3 }" },
    { code: "Space.x", result: "3" },
  ],
  "closures see a variable that was assigned again": [
    { code: "let w1 = 1; const read1 = () => w1" },
    { code: "w1 = 2" },
    { code: "read1()", result: "2" },
  ],
  "closures see a variable that was declared again": [
    { code: "let w2 = 1; const read2 = () => w2" },
    { code: "let w2 = 3" },
    { code: "read2()", result: "3" },
  ],
  "a function calls one that is declared again later": [
    { code: "function inner1() { return 1 } function outer1() { return inner1() }" },
    { code: "function inner1() { return 2 }" },
    { code: "outer1()", result: "2" },
  ],
  "functions are hoisted": [
    { code: "early1(); function early1() { return 1 }", result: null },
    { code: "early1()", result: "1" },
  ],
  "a recursive function": [
    { code: "function fact(n: number): number { return n < 2 ? 1 : n * fact(n - 1) } fact(5)", result: "120" },
  ],
  "shorthand properties see earlier cells": [{ code: "const s1 = 1" }, { code: "({ s1 })", result: "{ s1: 1 }" }],
  "destructuring declares": [
    { code: "const { d1, ...rest1 } = { d1: 1, e: 2 }; let [f1, [g1] = [9]] = [3]" },
    { code: "[d1, rest1, f1, g1]", result: "[ 1, { e: 2 }, 3, 9 ]" },
  ],
  "destructuring assigns": [{ code: "let p1 = 1, q1 = 2" }, { code: "[p1, q1] = [q1, p1]; p1", result: "2" }],
  "var in a loop or a block is a variable of the notebook": [
    { code: "for (var i1 = 0; i1 < 3; i1++) {} { var b1 = 'in' }" },
    { code: "[i1, b1]", result: "[ 3, 'in' ]" },
  ],
  "var in for-of and for-in, with patterns": [
    { code: "for (var [k1, { x: l1 = 5 }] of [[1, {}] as [number, { x?: number }]]) {} for (var m1 in { z: 1 }) {}" },
    { code: "[k1, l1, m1]", result: "[ 1, 5, 'z' ]" },
  ],
  "var without a value in a branch": [
    { code: "if (true) { var u1: number | undefined }" },
    { code: "u1", result: null },
  ],
  "var may be repeated in one cell": [{ code: "var r1 = 1; var r1 = 2; r1", result: "2" }],
  "a var inside a function stays there": [
    { code: "function hides() { var hidden1 = 1; return hidden1 } hides()", result: "1" },
    { code: "hidden1", ends: /Cannot find name 'hidden1'/ },
  ],
  "a cell that throws keeps what it declared before": [
    { code: "let kept1 = 42; throw new Error('boom')", ends: "Error: boom" },
    { code: "kept1", result: "42" },
  ],
  "what a throwing cell did not reach can be declared anew": [
    { code: "throw new Error('first'); let never1 = 1", ends: "Error: first" },
    { code: "let never1 = 2; never1", result: "2" },
  ],
  "a type error stops the cell before it runs": [
    {
      code: "console.log('ran'); const e1: number = 'x'",
      stdout: "",
      ends: /^TypeScriptError: Type 'string' is not assignable/,
    },
    { code: "typeof e1", ends: /Cannot find name 'e1'/ },
  ],
  "a syntax error stops the cell": [
    { code: "let = = 3", ends: /^SyntaxError: / },
    { code: "1", result: "1" },
  ],
  "an unknown name suggests a remedy": [
    { code: "noSuchName", ends: /^TypeScriptError: Cannot find name 'noSuchName'/ },
  ],
  "types are inferred across cells": [
    { code: "const n2 = [1, 2, 3].map((x) => ({ x }))" },
    { code: "n2[0]?.y", ends: /Property 'y' does not exist on type '{ x: number; }'/ },
  ],
  "generics, classes with private members, and abstract classes": [
    { code: "abstract class Base<T> { #x; constructor(x: T) { this.#x = x } get() { return this.#x } }" },
    { code: "class Derived extends Base<number> {}\nnew Derived(4).get()", result: "4" },
  ],
  decorators: [
    {
      code: "const seen1: string[] = []; function note(_: unknown, c: { name: string | symbol }) { seen1.push(String(c.name)) }\nclass D1 { @note m() {} }\nseen1",
      result: "[ 'm' ]",
    },
  ],
  generators: [{ code: "function* g1() { yield* [1, 2] }\n[...g1()]", result: "[ 1, 2 ]" }],
  "export in a cell means nothing and harms nothing": [
    { code: "export const x1 = 1; export function f2() { return 2 } export class C2 {} export type Z1 = string" },
    { code: "[x1, f2(), new C2() instanceof C2]", result: "[ 1, 2, true ]" },
  ],
  "export default shows its value": [{ code: "export default 6 * 7", result: "42" }],
  "an export clause": [{ code: "const y2 = 1; export { y2 }" }, { code: "y2", result: "1" }],
  "import of a built-in module, used in a later cell": [
    { code: 'import { join } from "node:path"; import * as os from "os"; import fs, { existsSync } from "node:fs"' },
    { code: 'join("a", "b")', result: "'a/b'" },
    { code: "[typeof os.cpus, typeof fs.readFileSync, existsSync('/')]", result: "[ 'function', 'function', true ]" },
  ],
  "import of a type only": [
    { code: 'import type { Stats } from "node:fs"; import { type Dirent } from "node:fs"' },
    { code: "let st1: Stats | undefined, de1: Dirent | undefined; st1 === de1", result: "true" },
  ],
  "import for its effect": [{ code: 'import "node:os"' }],
  "import with another name": [
    { code: 'import { join as glue } from "path"' },
    { code: 'glue("x", "y")', result: "'x/y'" },
  ],
  "dynamic import": [{ code: '(await import("node:path")).basename("/a/b")', result: "'b'" }],
  "import of a module that is not there": [
    { code: 'import x2 from "no-such-package"', ends: /^TypeScriptError: Cannot find module 'no-such-package'/ },
  ],
  require: [{ code: 'require("node:path").sep', result: "'/'" }],
  "what ends process.stdout is printed, and so is what comes later": [
    { code: "process.stdout.write('a'); process.stdout.end('b'); console.log('c')", stdout: "abc\n" },
    { code: "await new Promise<void>((done) => process.stdout.end(done)); console.log('d')", stdout: "d\n" },
  ],
  "import.meta": [{ code: "import.meta.url.startsWith('file://')", result: "true" }],
  "this module's names do not leak between a cell and its functions": [
    { code: "function shadow(x1: string) { return x1 } shadow('in')", result: "'in'" },
  ],
  "console.log, several values and formats": [
    { code: "console.log('a', 1, { b: [2] }, '%d')", stdout: "a 1 { b: [ 2 ] } %d\n" },
  ],
  "console.table": [
    {
      code: "console.table([{ a: 1 }])",
      stdout: "┌─────────┬───┐\n│ (index) │ a │\n├─────────┼───┤\n│ 0       │ 1 │\n└─────────┴───┘\n",
    },
  ],
  "console.group indents": [
    { code: "console.group('g'); console.log('in'); console.groupEnd(); console.log('out')", stdout: "g\n  in\nout\n" },
  ],
  "process.stdout.write, with a callback": [
    { code: "await new Promise<void>((r) => process.stdout.write('raw', () => r()))", stdout: "raw" },
  ],
  "bytes of one character written in two pieces": [
    { code: "process.stdout.write(Buffer.from([0xe2, 0x82])); process.stdout.write(Buffer.from([0xac]))", stdout: "€" },
  ],
  "what a child process writes": [
    {
      code: 'require("node:child_process").execSync("echo from the shell", { stdio: "inherit" }); 1',
      stdout: "from the shell\n",
    },
  ],
  "the last of ten thousand lines": [
    {
      code: "for (let l = 0; l < 10_000; l++) console.log(l)",
      stdout: Array.from({ length: 10_000 }, (_, l) => `${l}\n`).join(""),
    },
  ],
  "strict mode": [{ code: "(function (this: unknown) { return this })()", result: null }],
  "regular expressions, templates, optional chaining": [
    { code: "`${/b/.exec('abc')?.index}-${(null as null | { x: 1 })?.x}`", result: "'1-undefined'" },
  ],
  "big integers and symbols": [{ code: "[10n ** 20n, Symbol('s')]", result: "[ 100000000000000000000n, Symbol(s) ]" }],
  "maps, sets, typed arrays": [
    {
      code: "[new Map([[1, 'a']]), new Set([1]), new Float32Array([1.5])]",
      result: "[ Map(1) { 1 => 'a' }, Set(1) { 1 }, Float32Array(1) [ 1.5 ] ]",
    },
  ],
  "a circular value": [
    { code: "const circle: any = {}; circle.self = circle; circle", result: "<ref *1> { self: [Circular *1] }" },
  ],
  "a value thrown that is no error": [
    { code: "throw 'a string'", ends: "Thrown: a string" },
    { code: "throw { code: 5 }", ends: "Thrown: { code: 5 }" },
  ],
  "thrown primitives": [
    { code: "throw -0", ends: "Thrown: -0" },
    { code: "throw 12n", ends: "Thrown: 12n" },
    { code: "throw undefined", ends: "Thrown: undefined" },
  ],
  "a rejected promise as the result": [{ code: "Promise.reject(new RangeError('no'))", ends: "RangeError: no" }],
  "an awaited rejection": [{ code: "await Promise.reject(new Error('awaited'))", ends: "Error: awaited" }],
  "an error of one's own class": [
    {
      code: "class MyError extends Error { override name = 'MyError' }\nthrow new MyError('mine')",
      ends: "MyError: mine",
    },
  ],
  "setTimeout and its type": [
    { code: "const timer1 = setTimeout(() => {}, 1); clearTimeout(timer1); typeof timer1", result: "'object'" },
  ],
  "fetch, URL, structuredClone and other globals of Node": [
    {
      code: "[typeof fetch, new URL('http://a/b').pathname, structuredClone([1])]",
      result: "[ 'function', '/b', [ 1 ] ]",
    },
  ],
  "using, disposed at the end of its block": [
    {
      code: "const order: string[] = []; { using r = { [Symbol.dispose]() { order.push('disposed') } }; order.push('used') }\norder",
      result: "[ 'used', 'disposed' ]",
    },
  ],
  "a name of the kernel's can be shadowed": [
    { code: "const display1 = display; let progress = 5; progress", result: "5" },
  ],
  "a display handle at the end of a cell shows nothing more": [{ code: "display.html('<b>x</b>')", result: null }],
  "a cell of comments only": [{ code: "// nothing", result: null }],
  "satisfies, as const, non-null and casts are erased": [
    { code: "const o1 = { a: 1 } as const satisfies object; o1!.a as number", result: "1" },
  ],
  "parameter properties and accessors": [
    {
      code: "class PP { constructor(public x = 3, private y = 4) {} get sum() { return this.x + this.y } }\nnew PP().sum",
      result: "7",
    },
  ],
  "an async arrow with await inside": [
    { code: "const twice1 = async (n: number) => (await Promise.resolve(n)) * 2" },
    { code: "await twice1(4)", result: "8" },
  ],
  "await keeps this and arguments": [
    {
      code: "class Th { v = 1; async m(n: number) { await null; return this.v + n } }\nawait new Th().m(2)",
      result: "3",
    },
  ],
  "a thenable is awaited as a promise is": [{ code: "await { then(r: (x: number) => void) { r(9) } }", result: "9" }],
  "labels, switch, do-while, comma": [
    {
      code: "let out1 = 0; outer: do { switch (out1) { case 3: break outer; default: out1++, void 0 } } while (true)\nout1",
      result: "3",
    },
  ],
  "a generator that was only called says how it runs": [
    {
      code: "async function* counting() { yield 1 }\ncounting()",
      result: "Object [AsyncGenerator] {}\nIt runs as it is iterated over: for await (const x of …) { … }",
    },
    {
      code: "[1].values()",
      result: "Object [Array Iterator] {}\nIt runs as it is iterated over: for (const x of …) { … }",
    },
    { code: "({ next() { return 1 } })", result: "{ next: [Function: next] }" },
  ],
  "a long text as a result is copied nowhere": [
    {
      code: 'const longText = Buffer.alloc(5e7, "y").toString("latin1"); const mostBefore = process.resourceUsage().maxRSS; longText',
    },
    // In kilobytes: V8's inspector would have made some copies of fifty megabytes each.
    { code: "process.resourceUsage().maxRSS - mostBefore < 40_000", result: "true" },
  ],
};
