/** What the language offers, in cells: classes, generators, decorators, modules' words, resources, oddities. */
import type { CellTable } from "./table.js";

export const syntax: CellTable = {
  "the last expression of a cell with using is its value, and what was used is disposed of at the cell's end": [
    {
      code: "using res1 = { n: 1, [Symbol.dispose]() { console.log('disposed') } }; const own1 = 2; console.log('body'); [res1.n, own1]",
      stdout: "body\ndisposed\n",
      result: "[ 1, 2 ]",
    },
    {
      code: "await using res2 = { async [Symbol.asyncDispose]() { console.log('async') } }; Promise.resolve(7)",
      stdout: "async\n",
      result: "7",
    },
    { code: "using res3 = { [Symbol.dispose]() {} }; const own3 = 5", result: null },
    { code: "own3", result: "5" },
  ],
  "getters and setters": [
    {
      code: "class Temp { #c = 0; get f() { return this.#c * 2 } set f(v) { this.#c = v / 2 } }\nconst temp = new Temp(); temp.f = 10; temp.f",
      result: "10",
    },
  ],
  "accessors of an object": [
    {
      code: "const acc = { n: 1, get double() { return this.n * 2 }, set double(v) { this.n = v / 2 } }; acc.double = 8; acc.n",
      result: "4",
    },
  ],
  "private methods, static private fields, and `in`": [
    {
      code: "class Pm { static #count = 0; #up() { return ++Pm.#count } up() { return this.#up() } static has(x: object) { return #up in x } }\n[new Pm().up(), new Pm().up(), Pm.has(new Pm()), Pm.has({})]",
      result: "[ 1, 2, true, false ]",
    },
  ],
  "static blocks": [{ code: "class Sb { static v: number; static { this.v = 5 } }\nSb.v", result: "5" }],
  "class fields with arrow functions keep this": [
    { code: "class Cf { n = 3; f = () => this.n }\nconst { f } = new Cf(); f()", result: "3" },
  ],
  "auto-accessors": [{ code: "class Aa { accessor v = 1 }\nconst aa = new Aa(); aa.v = 6; aa.v", result: "6" }],
  "abstract classes cannot be made": [
    { code: "abstract class Ab { abstract f(): number }" },
    { code: "new Ab()", ends: /Cannot create an instance of an abstract class/ },
    { code: "class Co extends Ab { f() { return 1 } }\nnew Co().f()", result: "1" },
  ],
  "class expressions, named and not": [
    {
      code: "const Ce = class Inner { name() { return Inner.name } }; const Cu = class { v = 1 };\n[new Ce().name(), new Cu().v, Cu.name]",
      result: "[ 'Inner', 1, 'Cu' ]",
    },
  ],
  mixins: [
    {
      code: "const Named = <B extends new (...a: any[]) => object>(Base: B) => class extends Base { name = 'n' }\nclass Plain { p = 1 }",
    },
    { code: "const mixed = new (Named(Plain))(); [mixed.p, mixed.name]", result: "[ 1, 'n' ]" },
  ],
  "implements and index signatures": [
    {
      code: "interface Shape1 { area(): number; [extra: string]: unknown }\nclass Sq implements Shape1 { [extra: string]: unknown; constructor(public s: number) {} area() { return this.s ** 2 } }\nnew Sq(3).area()",
      result: "9",
    },
  ],
  "super, override, and new.target": [
    {
      code: "class S0 { f() { return 'a' } t; constructor() { this.t = new.target.name } }\nclass S1 extends S0 { override f() { return super.f() + 'b' } }\n[new S1().f(), new S1().t]",
      result: "[ 'ab', 'S1' ]",
    },
  ],
  "Symbol.iterator of a class": [
    {
      code: "class Range { constructor(readonly n: number) {} *[Symbol.iterator]() { for (let i = 0; i < this.n; i++) yield i } }",
    },
    { code: "[...new Range(3)]", result: "[ 0, 1, 2 ]" },
  ],
  "async generators across cells": [
    { code: "async function* ticks(n: number) { for (let i = 0; i < n; i++) { await null; yield i } }" },
    { code: "const seen: number[] = []; for await (const t of ticks(3)) seen.push(t)\nseen", result: "[ 0, 1, 2 ]" },
  ],
  "a generator carries its state from cell to cell": [
    { code: "function* naturals() { let n = 0; while (true) yield n++ }\nconst nat = naturals()" },
    { code: "nat.next().value; nat.next().value", result: "1" },
    { code: "nat.next().value", result: "2" },
  ],
  "yield gives what next was given": [
    {
      code: "function* echo(): Generator<string, void, string> { let got = yield 'ready'; while (true) got = yield got }\nconst ec = echo(); ec.next(); ec.next('x').value",
      result: "'x'",
    },
  ],
  "generator methods and delegation": [
    {
      code: "const gm = { *a() { yield 1 }, async *b() { yield* this.a() } }; const gb: number[] = []; for await (const v of gm.b()) gb.push(v)\ngb",
      result: "[ 1 ]",
    },
  ],
  "an async iterator's return is called when the loop is left": [
    {
      code: "let closed1 = false; async function* open() { try { yield 1; yield 2 } finally { closed1 = true } }\nfor await (const _ of open()) break\nclosed1",
      result: "true",
    },
  ],
  "for await over a stream": [
    {
      code: 'import { Readable } from "node:stream"; let text1 = ""; for await (const chunk of Readable.from(["a", "b"])) text1 += chunk\ntext1',
      result: "'ab'",
    },
  ],
  "for await in a function of a cell": [
    {
      code: "async function total(xs: AsyncIterable<number>) { let t = 0; for await (const x of xs) t += x; return t }\nasync function* two() { yield 1; yield 2 }\nawait total(two())",
      result: "3",
    },
  ],
  "for await with a pattern and a label": [
    {
      code: "const got2: number[] = []; out: for await (const [a, { b }] of [[1, { b: 2 }], [3, { b: 4 }]] as [number, { b: number }][]) { got2.push(a, b); if (a === 1) continue out }\ngot2",
      result: "[ 1, 2, 3, 4 ]",
    },
  ],
  "await in every place of an expression": [
    {
      code: "const ap = (x: number) => Promise.resolve(x); [await ap(1), (await ap(2)) + 1, `${await ap(3)}`, { [await ap(4)]: await ap(5) }, await ap(await ap(6))]",
      result: "[ 1, 3, '3', { '4': 5 }, 6 ]",
    },
  ],
  "await in a condition, a loop, a switch and a default": [
    {
      code: "let n1 = 0; if (await true) n1++; while (await (n1 < 3)) n1++; switch (await n1) { case await 3: n1 = 10 }\nconst { d = await 5 } = {} as { d?: number }; [n1, d]",
      result: "[ 10, 5 ]",
    },
  ],
  "await in try, catch and finally": [
    {
      code: "const steps: string[] = []; try { await Promise.reject(new Error('e')) } catch (e) { steps.push(await 'caught') } finally { steps.push(await 'finally') }\nsteps",
      result: "[ 'caught', 'finally' ]",
    },
  ],
  "await of a value that is no promise": [{ code: "await 5", result: "5" }],
  "Promise.all, allSettled, race": [
    {
      code: "[await Promise.all([1, Promise.resolve(2)]), (await Promise.allSettled([Promise.reject(1)]))[0].status, await Promise.race([new Promise(() => {}), 3])]",
      result: "[ [ 1, 2 ], 'rejected', 3 ]",
    },
  ],
  "a promise that is only declared is not awaited": [
    { code: "const slow = new Promise((r) => setTimeout(() => r(1), 5))", result: null },
    { code: "await slow", result: "1" },
  ],
  "decorators of classes, methods, fields, accessors": [
    {
      code: "const deco: string[] = []; const d = (_: unknown, c: { kind: string }) => { deco.push(c.kind) }\n@d class Dd { @d f = 1; @d m() {} @d get g() { return 1 } @d accessor a = 2; @d static s = 3 }\n[...deco].sort()",
      result: "[ 'accessor', 'class', 'field', 'field', 'getter', 'method' ]",
    },
  ],
  "a decorator that replaces a method, with its types": [
    {
      code: "function twice<T extends (...a: any[]) => number>(f: T, _: ClassMethodDecoratorContext) { return function (this: any, ...a: any[]) { return f.apply(this, a) * 2 } as T }\nclass Tw { @twice five() { return 5 } }\nnew Tw().five()",
      result: "10",
    },
  ],
  "a decorated class in a later cell": [
    {
      code: "function frozen<T extends new (...a: any[]) => object>(C: T, _: ClassDecoratorContext) { return class extends C { extra = 1 } }\n@frozen class Fr { v = 1 }",
    },
    { code: "new Fr().v", result: "1" },
    { code: "'extra' in new Fr()", result: "true" },
  ],
  "export of a decorated class": [
    { code: "const keep = (_: unknown, __: unknown) => {}\nexport @keep class Ed { v = 4 }" },
    { code: "new Ed().v", result: "4" },
  ],
  "using at the top level lives as long as its cell": [
    { code: "const order1: string[] = []; const res = (n: string) => ({ [Symbol.dispose]() { order1.push(n) } })" },
    { code: "using u1 = res('one'); order1.push('body')" },
    { code: "order1", result: "[ 'body', 'one' ]" },
  ],
  "await using in a block": [
    {
      code: "const order2: string[] = []; { await using r = { async [Symbol.asyncDispose]() { await null; order2.push('closed') } }; order2.push('open') }\norder2",
      result: "[ 'open', 'closed' ]",
    },
  ],
  "using in a function and in a loop": [
    {
      code: "let freed = 0; const dis = () => ({ [Symbol.dispose]() { freed++ } }); function uses() { using _ = dis(); return freed }\nconst during = uses(); for (using _ of [dis(), dis()]) {}\n[during, freed]",
      result: "[ 0, 3 ]",
    },
  ],
  DisposableStack: [{ code: "typeof Symbol.dispose", result: "'symbol'" }],
  "labelled blocks": [{ code: "let lab = 0; block: { lab = 1; if (lab) break block; lab = 2 }\nlab", result: "1" }],
  "nested labels with continue": [
    {
      code: "let pairs = 0; rows: for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) { if (j > i) continue rows; pairs++ }\npairs",
      result: "6",
    },
  ],
  "a block is no object, an object in parentheses is": [
    { code: "{ 1 }", result: null },
    { code: "({ a: 1 })", result: "{ a: 1 }" },
  ],
  "if, for and try give no result": [
    { code: "if (true) 5", result: null },
    { code: "for (const x of [1]) x", result: null },
    { code: "try { 1 } catch {}", result: null },
  ],
  "a semicolon at the end changes nothing, as in Deno and tslab": [{ code: "5;", result: "5" }],
  "void hides a value": [{ code: "void 5", result: null }],
  "an assignment has a value": [{ code: "let as1 = 0; as1 = 5", result: "5" }],
  "the result of a call that gives nothing": [{ code: "[1].forEach(() => {})", result: null }],
  "a comma expression": [
    { code: "1, 2", ends: /Left side of comma operator is unused/ },
    { code: "(void 0, 2)", result: "2" },
  ],
  "an arrow function and a class as results": [
    { code: "(x: number) => x", result: "[Function (anonymous)]" },
    { code: "(class A {})", result: "[class A]" },
  ],
  "a function declaration at the end is no result": [{ code: "function atEnd() {}", result: null }],
  "tagged templates, with raw strings": [
    {
      code: "const tagT = (s: TemplateStringsArray, ...v: unknown[]) => s.raw.join('|') + v.join()\ntagT`a\\n${1}b${2}`",
      result: "'a\\\\n|b|1,2'",
    },
  ],
  "nested templates": [{ code: "`a${`b${'c'}`}`", result: "'abc'" }],
  "strings of several lines, escapes, emoji": [
    { code: "['\\u{1F600}'.length, `x\ny`.split('\\n').length, '\\x41']", result: "[ 2, 2, 'A' ]" },
  ],
  "big integers": [
    { code: "const big = 2n ** 64n; big", result: "18446744073709551616n" },
    { code: "BigInt.asUintN(8, big + 5n)", result: "5n" },
  ],
  "numeric separators, hex, octal, binary, exponents": [
    { code: "[1_000, 0xff, 0o17, 0b11, 1e3, .5]", result: "[ 1000, 255, 15, 3, 1000, 0.5 ]" },
  ],
  "regular expressions with flags s, y, u, v, d and named groups": [
    {
      code: "[/a.b/s.test('a\\nb'), /(?<y>\\d{4})/.exec('in 2024')?.groups?.y, /[\\p{L}--[a-z]]/v.test('A'), /b/d.exec('abc')?.indices?.[0], 'aXbX'.replaceAll(/x/gi, '-'), /(?<=\\$)\\d+/.exec('$42')?.[0]]",
      result: "[ true, '2024', true, [ 1, 2 ], 'a-b-', '42' ]",
    },
  ],
  "a division is no regular expression": [{ code: "const dv = 8, gg = 2; dv / gg / 2", result: "2" }],
  "optional chaining and nullish assignment": [
    {
      code: "let oc: { a?: { b(): number } } | null = {}; let na: number | undefined; na ??= 3; na ||= 4; na &&= 5; [oc?.a?.b?.(), na]",
      result: "[ undefined, 5 ]",
    },
  ],
  "spread of arrays, objects, arguments": [
    {
      code: "const sp = [1, 2]; [Math.max(...sp, 3), [...sp, ...'ab'], { ...{ a: 1 }, b: 2 }]",
      result: "[ 3, [ 1, 2, 'a', 'b' ], { a: 1, b: 2 } ]",
    },
  ],
  "default and rest parameters, arguments": [
    {
      code: "function args(a = 1, ...b: number[]) { return [a, b, arguments.length] }\nargs(undefined, 2, 3)",
      result: "[ 1, [ 2, 3 ], 3 ]",
    },
  ],
  "this at the top level is undefined in types and harmless": [
    { code: "typeof this === 'object' || this === undefined", result: "true" },
  ],
  "arguments at the top level is refused": [
    { code: "arguments", ends: /^(TypeScriptError|SyntaxError|ReferenceError): / },
  ],
  "return at the top level is refused": [
    {
      code: "return 1",
      ends: /^SyntaxError: A 'return' statement can only be used within a function body|^TypeScriptError: A 'return'/,
    },
  ],
  "with, octal escapes and other sloppy things are refused": [
    { code: "with ({}) {}", ends: /^(TypeScriptError|SyntaxError): / },
    { code: "let oct = 017", ends: /^(TypeScriptError|SyntaxError): / },
  ],
  "delete of a name is refused": [{ code: "let del = 1; delete del", ends: /^(TypeScriptError|SyntaxError): / }],
  "debugger does nothing": [{ code: "debugger; 1", result: "1" }],
  "directives are no result of note": [{ code: "'use strict'; 1", result: "1" }],
  "a hashbang line": [{ code: "#!/usr/bin/env node\n1", result: "1" }],
  "comments of every kind": [{ code: "/* a */ 1 /* b */ // c\n/** d */", result: "1" }],
  "Windows line ends": [{ code: "let crlf = 1\r\ncrlf + 1\r\n", result: "2" }],
  "semicolons left out": [
    { code: "const noSemi = 1\nconst noSemi2 = noSemi + 1\n;[noSemi2].map((x) => x)", result: "[ 2 ]" },
  ],
  "enums: numbers, strings, computed, const, reverse": [
    {
      code: "enum Nu { A = 1, B, C = A | B, D = 'xyz'.length } enum St { X = 'x' } const enum Ce2 { K = 9 }\n[Nu.C, Nu[2], Nu.D, St.X, Ce2.K]",
      result: "[ 3, 'B', 3, 'x', 9 ]",
    },
    { code: "[Ce2.K, Nu.B, St.X]", result: "[ 9, 2, 'x' ]" },
  ],
  "namespaces: nested, merged, with functions and types": [
    {
      code: "namespace Geo { export interface P { x: number } export namespace Deep { export const d = 1 } export function f(p: P) { return p.x + Deep.d } }",
    },
    { code: "const gp: Geo.P = { x: 2 }; Geo.f(gp)", result: "3" },
  ],
  "a function with properties through a namespace": [
    { code: "function withProps() { return withProps.extra } namespace withProps { export const extra = 7 }" },
    { code: "withProps() + withProps.extra", result: "14" },
  ],
  "a function with assigned properties": [
    { code: "function fp() {} fp.note = 'n'" },
    { code: "fp.note", result: "'n'" },
  ],
  "an import alias of a namespace": [
    {
      code: "namespace Outer2 { export namespace In { export const v = 8 } }\nimport In2 = Outer2.In; In2.v",
      result: "8",
    },
    { code: "In2.v", result: "8" },
  ],
  "an interface merged with a class in one cell": [
    { code: "interface Mg { extra?: number } class Mg { own = 1 }" },
    { code: "const mg = new Mg(); mg.extra = 2; [mg.own, mg.extra]", result: "[ 1, 2 ]" },
  ],
  "as, angle brackets, non-null, definite assignment": [
    { code: "let an = <number>(5 as unknown); let da!: string; const nn = [1][0]!; [an, nn]", result: "[ 5, 1 ]" },
  ],
  "intersection, union, keyof, typeof, indexed access": [
    {
      code: "const src = { a: 1, b: 's' }; type Ks = keyof typeof src; type Va = (typeof src)[Ks]; const ks: Ks[] = ['a', 'b']; const va: Va = 's'; [ks, va]",
      result: "[ [ 'a', 'b' ], 's' ]",
    },
  ],
  "getOwnPropertyNames of globalThis is not filled by cells": [
    { code: "let notGlobal = 1; 'notGlobal' in globalThis", result: "false" },
  ],
  "eval and new Function": [{ code: "[eval('1 + 1'), new Function('a', 'return a * 2')(4)]", result: "[ 2, 8 ]" }],
  "Proxy, Reflect, WeakRef": [
    {
      code: "[new Proxy({} as Record<string, string>, { get: (_, k) => `got ${String(k)}` }).x, Reflect.ownKeys({ a: 1 }), new WeakRef({ a: 1 }).deref()]",
      result: "[ 'got x', [ 'a' ], { a: 1 } ]",
    },
  ],
  "typed arrays and SharedArrayBuffer": [
    {
      code: "[new Int8Array([1, 200]), new SharedArrayBuffer(2).byteLength]",
      result: "[ Int8Array(2) [ 1, -56 ], 2 ]",
    },
  ],
  "JSX is refused where no tsconfig asks for it": [
    { code: "const el9 = <div>x</div>", ends: /^(SyntaxError|TypeScriptError): / },
  ],
  "a very long line": [{ code: `const long = [${"1, ".repeat(5000)}]; long.length`, result: "5000" }],
  "deep nesting": [{ code: `${"(".repeat(200)}1${")".repeat(200)}`, result: "1" }],
  "many statements": [
    { code: `${Array.from({ length: 1000 }, (_, i) => `let many${i} = ${i};`).join("\n")}\nmany999`, result: "999" },
  ],
  "dates and intl": [
    {
      code: "[new Date(0).toISOString(), new Intl.NumberFormat('en').format(1234.5)]",
      result: "[ '1970-01-01T00:00:00.000Z', '1,234.5' ]",
    },
  ],
  "timers of every kind": [
    {
      code: "await new Promise((r) => setImmediate(r)); await new Promise<void>((r) => queueMicrotask(r)); await new Promise((r) => { const t = setInterval(() => { clearInterval(t); r(1) }, 1) })",
      result: "1",
    },
  ],
  "accessing a let before its line is an error of TypeScript's": [
    { code: "tdz; let tdz = 1", ends: /used before its declaration/ },
  ],
  "hoisting of functions within blocks and use before": [
    {
      code: "{ inBlock(); function inBlock() { return 1 } }\nuse7(); function use7() { return 'hoisted' }\nuse7()",
      result: "'hoisted'",
    },
  ],
  "an async function declared last, called first": [
    { code: "await lastly(); async function lastly() { await null; return 1 }" },
    { code: "await lastly()", result: "1" },
  ],
  "a class used by a function above it": [
    { code: "const mk = () => new Below(); class Below { v = 1 }\nmk().v", result: "1" },
  ],
};
