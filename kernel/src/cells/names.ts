/** Names from cell to cell: declared again, across kinds, with their types; what closures see. */
import type { CellTable } from "./table.js";

export const names: CellTable = {
  "a shorthand property of an earlier cell's name (tslab throws)": [
    { code: "const x = 1, y = 'a'" },
    { code: "const o = { x, y }; o", result: "{ x: 1, y: 'a' }" },
  ],
  "a closure over let sees what a later cell assigns (in tslab it goes stale)": [
    { code: "let level = 1; const readLevel = () => level" },
    { code: "level = 2; readLevel()", result: "2" },
    { code: "level++; readLevel()", result: "3" },
  ],
  "a closure assigns for later cells": [
    { code: "let hits = 0; const hit = () => { hits++ }" },
    { code: "hit(); hit()" },
    { code: "hits", result: "2" },
  ],
  "a cell that throws keeps its declarations (tslab loses them)": [
    {
      code: "const before1 = 1; function fn1() { return before1 }\nclass Cl1 { v = 2 }\nthrow new Error('stop')",
      ends: "Error: stop",
    },
    { code: "[before1, fn1(), new Cl1().v]", result: "[ 1, 1, 2 ]" },
  ],
  "export const is a const (tslab rejects it)": [
    { code: "export const exported1 = 5" },
    { code: "exported1 + 1", result: "6" },
  ],
  "a promise as the last value is awaited (tslab shows an object)": [
    { code: "new Promise<string>((r) => setTimeout(() => r('done'), 5))", result: "'done'" },
  ],
  "a cell that throws between destructured names keeps the ones before": [
    {
      code: "const { a: da } = { a: 1 }; const { b: db } = null as any as { b: number }",
      ends: /^TypeError: Cannot destructure/,
    },
    { code: "da", result: "1" },
  ],
  "a name that was never given its value, for its cell threw, is told of": [
    { code: "const pre = 1; if (pre) throw new Error('x'); const post = 2", ends: "Error: x" },
    {
      code: "post",
      ends: /^ReferenceError: Cannot access 'post' before initialization|^ReferenceError: post is not defined|^ok$/,
    },
    { code: "const post = 3; post", result: "3" },
  ],
  "const by let, let by const, each with another type": [
    { code: "const k = 1" },
    { code: "let k = 'a'" },
    { code: "const k = [true]" },
    { code: "k.at(0)", result: "true" },
  ],
  "a function by a const arrow and back": [
    { code: "function kk() { return 1 }" },
    { code: "const kk = () => 2; kk()", result: "2" },
    { code: "function kk() { return 3 }\nkk()", result: "3" },
  ],
  "a class by a function, a function by a class": [
    { code: "class Ck { v = 1 }" },
    { code: "function Ck() { return 'f' }\nCk()", result: "'f'" },
    { code: "class Ck { v = 2 }\nnew Ck().v", result: "2" },
  ],
  "an enum by a const, a const by an enum": [
    { code: "enum Ek { A, B }" },
    { code: "const Ek = 7; Ek", result: "7" },
    { code: "enum Ek { C = 'c' }\nEk.C", result: "'c'" },
  ],
  "a namespace by a class, a class by a namespace": [
    { code: "namespace Nk { export const v = 1 }" },
    { code: "class Nk { static v = 2 }\nNk.v", result: "2" },
    { code: "namespace Nk { export const v = 3 }\nNk.v", result: "3" },
  ],
  "an interface by a type alias, by a class, by an enum": [
    { code: "interface Ik { a: number }" },
    { code: "type Ik = string; const ik: Ik = 's'" },
    { code: "class Ik { z = 1 }\nnew Ik().z", result: "1" },
    { code: "enum Ik { Q = 4 }\nIk.Q", result: "4" },
  ],
  "an import by a variable, a variable by an import": [
    { code: 'import { sep } from "node:path"' },
    { code: "const sep = 5; sep", result: "5" },
    { code: 'import { sep } from "node:path"; sep', result: "'/'" },
  ],
  "var by let by var": [{ code: "var vl = 1" }, { code: "let vl = 2" }, { code: "var vl = 3; vl", result: "3" }],
  "a value does not hide a type of the same name in another cell": [
    { code: "type Both = { t: number }" },
    { code: "const Both = 1" },
    { code: "const useBoth: Both = { t: Both }; useBoth", result: "{ t: 1 }" },
  ],
  "a class is type and value in later cells": [
    { code: "class Tv { x = 1 }" },
    { code: "const tv: Tv = new Tv(); tv instanceof Tv", result: "true" },
  ],
  "an instance of a class that was declared again is of the old one": [
    { code: "class Ver { a = 1 }\nconst oldVer = new Ver()" },
    { code: "class Ver { b = 2 }" },
    { code: "[oldVer instanceof Ver, oldVer.a, new Ver().b]", result: "[ false, 1, 2 ]" },
  ],
  "a subclass keeps its base when the base is declared again": [
    { code: "class Ba { who() { return 'first' } }\nclass De extends Ba {}" },
    { code: "class Ba { who() { return 'second' } }" },
    { code: "new De().who()", result: "'first'" },
  ],
  "a generic function is generic in later cells": [
    { code: "function idOf<T>(x: T) { return x }" },
    { code: "idOf('s').length + idOf([1, 2]).length", result: "3" },
  ],
  "a generic class and its constraint": [
    { code: "class Box<T extends { n: number }> { constructor(readonly v: T) {} get n() { return this.v.n } }" },
    { code: "new Box({ n: 3, extra: 1 }).v.extra", result: "1" },
    { code: "new Box({ m: 3 })", ends: /^TypeScriptError: / },
  ],
  "overloads are kept": [
    { code: "function over(x: number): number; function over(x: string): string; function over(x: any) { return x }" },
    { code: "over('a').length + over(2).toFixed().length", result: "2" },
    { code: "over(true)", ends: /No overload matches this call/ },
  ],
  "a type guard narrows in a later cell": [
    { code: "const isText = (x: unknown): x is string => typeof x === 'string'" },
    { code: "const un: unknown = 'abc'; isText(un) ? un.length : 0", result: "3" },
  ],
  "an assertion function narrows in a later cell": [
    {
      code: "function must(x: unknown): asserts x is number { if (typeof x !== 'number') throw new Error('no number') }",
    },
    { code: "const maybe: unknown = 4; must(maybe); maybe.toFixed(1)", result: "'4.0'" },
  ],
  "conditional, mapped and template types": [
    {
      code: "type El<T> = T extends (infer U)[] ? U : never; type Opt<T> = { [K in keyof T]?: T[K] }; type Ev<N extends string> = `on${Capitalize<N>}`",
    },
    {
      code: "const el: El<number[]> = 1; const opt: Opt<{ q: number }> = {}; const ev: Ev<'click'> = 'onClick'; [el, opt, ev]",
      result: "[ 1, {}, 'onClick' ]",
    },
  ],
  "recursive types": [
    { code: "type Tree = { kids: Tree[] }; interface Link { next?: Link }" },
    {
      code: "const tree: Tree = { kids: [{ kids: [] }] }; const link: Link = { next: {} }; tree.kids.length",
      result: "1",
    },
  ],
  "types that speak of each other across cells": [
    { code: "interface Owner { name: string; pets: Pet[] } interface Pet { owner?: Owner }" },
    {
      code: "const owner: Owner = { name: 'o', pets: [{}] }; owner.pets[0]!.owner = owner; owner.pets[0]?.owner?.name",
      result: "'o'",
    },
  ],
  "const type parameters": [
    { code: "function lits<const T extends readonly string[]>(...xs: T): T { return xs }" },
    { code: "const l2: readonly ['a', 'b'] = lits('a', 'b'); l2", result: "[ 'a', 'b' ]" },
  ],
  "satisfies keeps the narrow type for later cells": [
    { code: "const conf = { port: 80, host: 'h' } satisfies Record<string, string | number>" },
    { code: "conf.port.toFixed() + conf.host.length", result: "'801'" },
  ],
  "as const is kept": [
    { code: "const tuple = ['a', 1] as const" },
    { code: "const t0: 'a' = tuple[0]; t0", result: "'a'" },
  ],
  "unique symbols and keys of them": [
    { code: "const tag: unique symbol = Symbol('tag'); const tagged = { [tag]: 1 }" },
    { code: "tagged[tag]", result: "1" },
  ],
  "unicode names": [
    { code: "const größe = 3, λ = (ν: number) => ν * 2, 变量 = 'v', $ = 1, _ = 2" },
    { code: "[λ(größe), 变量, $, _]", result: "[ 6, 'v', 1, 2 ]" },
  ],
  "names with escapes": [{ code: "const \\u0061bc = 1; abc", result: "1" }],
  "names that mean something to contextual keywords": [
    { code: "let type = 1, of = 2, async = 3, get = 4, as = 5, from = 6, declare = 7, namespace = 8" },
    { code: "type + of + async + get + as + from + declare + namespace", result: "36" },
  ],
  "undefined names are suggested": [
    { code: "const temperature = 20" },
    { code: "temprature + 1", ends: /Did you mean 'temperature'\?/ },
  ],
  "a global of JavaScript may be shadowed and is kept by others": [
    { code: "const Map = 5; Map", result: "5" },
    { code: "const m2: Set<number> = new Set([1]); m2.size", result: "1" },
    { code: "const Map = globalThis.Map; new Map([[1, 2]]).size", result: "1" },
  ],
  "a name of the kernel's own, shadowed, comes back by globalThis": [
    { code: "let display = 1; display", result: "1" },
    {
      code: "const display = (globalThis as unknown as { display: { html: unknown } }).display; typeof display.html",
      result: "'function'",
    },
  ],
  "assignment to what was never declared is refused": [
    { code: "neverDeclared = 1", ends: /Cannot find name 'neverDeclared'/ },
  ],
  "globalThis holds what is put there": [
    { code: "(globalThis as any).shared = 5" },
    { code: "(globalThis as any).shared", result: "5" },
  ],
  "declare global tells of it, for all later cells": [
    { code: "declare global { var counter9: number }\nglobalThis.counter9 = 1" },
    { code: "counter9 + 1", result: "2" },
    { code: "counter9 = 5; globalThis.counter9", result: "5" },
  ],
  "declare of a variable, a function, a class": [
    { code: "declare const shared: number; declare function absent(): void; declare class Absent {}" },
    { code: "shared", result: "5" },
  ],
  "declare module adds to the types of one": [
    { code: "declare module 'node:os' { interface CpuInfo { mine?: number } }" },
    {
      code: "import type { CpuInfo } from 'node:os'; let cpu: CpuInfo | undefined; cpu?.mine?.toFixed()",
      result: null,
    },
  ],
  "a let without a value": [
    { code: "let later: number | undefined" },
    { code: "later", result: null },
    { code: "later = 4; later", result: "4" },
  ],
  "a let without a value has the type that assignments give": [
    { code: "let open1: string[]; open1 = ['a']" },
    { code: "open1.length", result: "1" },
  ],
  "several declarations in one statement": [
    { code: "let i1 = 1, j1 = i1 + 1, [k1] = [j1 + 1]" },
    { code: "[i1, j1, k1]", result: "[ 1, 2, 3 ]" },
  ],
  "array patterns with holes, rest and defaults": [
    { code: "const [, second, , fourth = 'd', ...others] = [1, 2, 3, undefined, 5, 6]" },
    { code: "[second, fourth, others]", result: "[ 2, 'd', [ 5, 6 ] ]" },
  ],
  "object patterns with new names, defaults, computed keys, rest": [
    {
      code: "const key = 'kx'; const { a: renamed, missing = 9, [key]: computed, ...left } = { a: 1, kx: 2, z: 3 } as { a: number; kx: number; z: number; missing?: number }",
    },
    { code: "[renamed, missing, computed, left]", result: "[ 1, 9, 2, { z: 3 } ]" },
  ],
  "patterns of let, declared again": [
    { code: "let { u2 } = { u2: 1 }" },
    { code: "let [u2] = ['two']" },
    { code: "u2", result: "'two'" },
  ],
  "an assignment by a pattern to names of earlier cells": [
    { code: "let ax = 1, bx = { c: 2 }" },
    { code: "({ ax, c: bx.c } = { ax: 10, c: 20 }); [ax, bx.c]", result: "[ 10, 20 ]" },
  ],
  "swap by a pattern": [{ code: "let sa = 1, sb = 2; [sa, sb] = [sb, sa]; [sa, sb]", result: "[ 2, 1 ]" }],
  "destructuring of parameters": [
    { code: "function pars({ a, b: [c] = [7] }: { a: number; b?: number[] }, ...[d]: number[]) { return [a, c, d] }" },
    { code: "pars({ a: 1 }, 3)", result: "[ 1, 7, 3 ]" },
  ],
  "destructuring of an awaited value": [
    { code: "const { w } = await Promise.resolve({ w: 1 }); const [z] = await Promise.all([2])" },
    { code: "w + z", result: "3" },
  ],
  "destructuring in catch": [
    {
      code: "let caught = ''; try { throw { message: 'm' } } catch ({ message }: any) { caught = message }\ncaught",
      result: "'m'",
    },
  ],
  "block-scoped names stay in their block": [
    { code: "{ let inner5 = 1; const inner6 = 2; function innerF() {} }" },
    { code: "inner5", ends: /Cannot find name 'inner5'/ },
  ],
  "a loop's let stays in the loop, with one binding for each turn": [
    { code: "const fs5: (() => number)[] = []; for (let i = 0; i < 3; i++) fs5.push(() => i)" },
    { code: "fs5.map((f) => f())", result: "[ 0, 1, 2 ]" },
  ],
  "mutual recursion across cells": [
    {
      code: "let odd5: (n: number) => boolean = () => false; const even5 = (n: number): boolean => n === 0 || odd5(n - 1)",
    },
    { code: "odd5 = (n) => n !== 0 && even5(n - 1); [even5(4), odd5(4)]", result: "[ true, false ]" },
  ],
  "a function sees a const that is declared again later, with the new value": [
    { code: "const rate = 1; const priced = (n: number) => n * rate" },
    { code: "const rate = 3" },
    { code: "priced(2)", result: "6" },
  ],
  "a class method sees a function that is declared again": [
    { code: "function greet() { return 'hi' } class Gr { say() { return greet() } }\nconst gr = new Gr()" },
    { code: "function greet() { return 'hello' }" },
    { code: "gr.say()", result: "'hello'" },
  ],
  "the same cell run twice": [
    {
      code: "interface Row { n: number }\nclass Table2 { rows: Row[] = [] }\nlet table2 = new Table2(); table2.rows.push({ n: 1 })",
    },
    {
      code: "interface Row { n: number }\nclass Table2 { rows: Row[] = [] }\nlet table2 = new Table2(); table2.rows.push({ n: 1 })",
    },
    { code: "table2.rows.length", result: "1" },
  ],
  "a value of a class declared twice does not fit the new class where private members differ": [
    { code: "class Pr { #a = 1; get() { return this.#a } }\nconst oldPr = new Pr()" },
    { code: "class Pr { #a = 1; get() { return this.#a } }" },
    { code: "const prs: Pr[] = [oldPr]", ends: /^TypeScriptError: / },
    { code: "oldPr.get()", result: "1" },
  ],
  "readonly and const are guarded across cells": [
    { code: "const frozen: { readonly v: number } = { v: 1 }; const arr5: readonly number[] = [1]" },
    { code: "frozen.v = 2", ends: /Cannot assign to 'v' because it is a read-only property/ },
    { code: "arr5.push(1)", ends: /Property 'push' does not exist/ },
  ],
  "narrowing of a const holds in the cell, and not of a let in a later one": [
    { code: "let un2: string | number = Math.random() > 2 ? 1 : 'text'" },
    { code: "un2.toUpperCase()", ends: /Property 'toUpperCase' does not exist on type 'string \| number'/ },
  ],
  "a variable that is to be made from the one of this name in an earlier cell": [
    { code: "let own1 = 1" },
    {
      code: "let own1 = own1 + 1",
      ends: /'own1' implicitly has type 'any'|used before its declaration/,
      traceback: /To change the own1 of an earlier cell leave out the let or const: own1 = …/,
    },
    { code: "own1 = own1 + 1; own1", result: "2" },
  ],
  "a name used before the cell that declares it has run": [
    { code: "usedEarly()", ends: /Cannot find name 'usedEarly'/ },
    { code: "function usedEarly() { return 1 }" },
    { code: "usedEarly()", result: "1" },
  ],
};
