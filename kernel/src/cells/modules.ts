/** What cells import and export. */
import type { CellTable } from "./table.js";

export const modules: CellTable = {
  "export of every kind of declaration": [
    {
      code: "export let el = 1; export var ev = 2; export async function ef() { return 3 } export function* eg() { yield 4 } export abstract class Ea { v = 5 } export enum Ee { A = 6 } export namespace En { export const v = 7 } export interface Ei { x: 1 } export type Et = 8; export const { p1, q: [q1] } = { p1: 9, q: [10] }",
    },
    { code: "[el, ev, await ef(), ...eg(), Ee.A, En.v, p1, q1].join()", result: "'1,2,3,4,6,7,9,10'" },
    { code: "const ei: Ei = { x: 1 }; const et: Et = 8; class Eb extends Ea {}\nnew Eb().v", result: "5" },
  ],
  "exported names can be declared again": [
    { code: "export const ag = 1" },
    { code: "export const ag = 'two'" },
    { code: "let ag = [3]; ag", result: "[ 3 ]" },
  ],
  "export = is an expression, and its value is shown": [
    { code: "const ax = 5; export = ax", result: "5" },
    { code: "export = { ax }; ", result: "{ ax: 5 }" },
    { code: "export = class { v = 1 }", result: "[class (anonymous)]" },
    { code: "let ax = 'again'; ax", result: "'again'" },
  ],
  "export default of a function, a class, and of either without a name": [
    { code: "export default function named1() { return 1 }" },
    { code: "named1()", result: "1" },
    { code: "export default class Named2 { v = 2 }" },
    { code: "new Named2().v", result: "2" },
    { code: "export default function () { return 3 }" },
    { code: "export default class { v = 4 }" },
    { code: "export default async () => 5", result: "[AsyncFunction (anonymous)]" },
  ],
  "export clauses, with other names": [
    { code: "const orig = 1, other = 2; export { orig as renamed, other }" },
    { code: "[orig, other]", result: "[ 1, 2 ]" },
  ],
  "export clause as default": [{ code: "const dflt = 1; export { dflt as default }" }, { code: "dflt", result: "1" }],
  "export type": [
    { code: "type Ty = 1; export type { Ty }; export type Tz = 2" },
    { code: "const ty: Ty = 1, tz: Tz = 2; ty + tz", result: "3" },
  ],
  "export from another module harms nothing": [
    { code: 'export * from "node:os"' },
    { code: 'export * as osAll from "node:os"' },
    { code: 'export { join as joinAgain } from "node:path"; 1', result: "1" },
  ],
  "export {} is nothing": [{ code: "export {}; 5", result: "5" }],
  "two cells with a default export each": [
    { code: "export default 1", result: "1" },
    { code: "export default 2", result: "2" },
  ],
  "import = require": [
    { code: 'import paths = require("node:path"); paths.sep', result: "'/'" },
    { code: "paths.join('a', 'b')", result: "'a/b'" },
  ],
  "import type of a module, and of its default": [
    { code: 'import type * as fsTypes from "node:fs"; import type Ev from "node:events"' },
    {
      code: "let stats3: fsTypes.Stats | undefined; let ev3: Ev | undefined; [stats3, ev3]",
      result: "[ undefined, undefined ]",
    },
  ],
  "import type = require": [
    { code: 'import type os3 = require("node:os"); let cpu3: os3.CpuInfo | undefined; cpu3', result: null },
  ],
  "typeof import": [
    {
      code: 'let lazyPath: typeof import("node:path") | undefined; lazyPath = await import("node:path"); lazyPath.sep',
      result: "'/'",
    },
  ],
  "default, namespace and names in one import": [
    { code: 'import fs4, * as all4 from "node:fs"; import os4, { EOL } from "node:os"' },
    { code: "[fs4.readFileSync === all4.readFileSync, typeof os4.cpus, EOL]", result: "[ true, 'function', '\\n' ]" },
  ],
  "import of default by name": [{ code: 'import { default as pathD } from "node:path"; pathD.sep', result: "'/'" }],
  "import with a string name": [
    { code: 'import { "join" as strJoin } from "node:path"; strJoin("a", "b")', result: "'a/b'" },
  ],
  "imports are hoisted": [
    {
      code: 'const joined = hoistedJoin("x", "y"); import { join as hoistedJoin } from "node:path"; joined',
      result: "'x/y'",
    },
  ],
  "an import of another import's name": [
    { code: 'import { join as pick } from "node:path"' },
    { code: 'import { basename as pick } from "node:path"; pick("/q/w")', result: "'w'" },
  ],
  "dynamic import with destructuring and then": [
    { code: 'const { basename: bn } = await import("node:path"); bn("/a/b")', result: "'b'" },
    { code: 'await import("node:os").then((m) => typeof m.cpus)', result: "'function'" },
  ],
  "dynamic import inside a function of an earlier cell": [
    { code: 'const loadPath = async () => (await import("node:path")).sep' },
    { code: "await loadPath()", result: "'/'" },
  ],
  "dynamic import of a computed name": [
    { code: 'const which = "node:" + "os"; typeof (await import(which)).cpus', result: "'function'" },
  ],
  "dynamic import that fails can be caught": [
    {
      code: 'const none = "no-such" + "-package"; let failed7 = ""; try { await import(none) } catch (e) { failed7 = (e as { code: string }).code }\nfailed7',
      result: "'ERR_MODULE_NOT_FOUND'",
    },
  ],
  "a data: module": [{ code: "(await import('data:text/javascript,export const v = 5' as string)).v", result: "5" }],
  "an ESM-only package": [
    {
      code: `const fsE = require("node:fs"); const make = (dir: string, files: Record<string, string>) => { for (const [name, text] of Object.entries(files)) { fsE.mkdirSync(dir, { recursive: true }); fsE.writeFileSync(dir + "/" + name, text) } }
make("node_modules/only-esm", { "package.json": '{"name":"only-esm","type":"module","exports":{"types":"./i.d.ts","import":"./i.js"}}', "i.js": "export default (x) => x * 2; export const named = 'n';", "i.d.ts": "export default function double(x: number): number; export declare const named: string;" })
make("node_modules/cjs-pack", { "package.json": '{"name":"cjs-pack","main":"i.js","types":"i.d.ts"}', "i.js": "exports.add = (a, b) => a + b; exports.version = '1';", "i.d.ts": "export declare function add(a: number, b: number): number; export declare const version: string;" })
make("node_modules/cjs-fn", { "package.json": '{"name":"cjs-fn","main":"i.js","types":"i.d.ts"}', "i.js": "module.exports = (x) => x + 1; module.exports.extra = 'e';", "i.d.ts": "declare function inc(x: number): number; declare namespace inc { const extra: string } export = inc;" })
make("node_modules/untyped", { "package.json": '{"name":"untyped","type":"module","exports":"./i.js"}', "i.js": "export const anything = { goes: [1] };" })
make("node_modules/with-json", { "package.json": '{"name":"with-json"}', "data.json": '{"v":[1,2]}' })
make("node_modules/with-parts", { "package.json": '{"name":"with-parts","type":"module","exports":{"./part":{"types":"./p.d.ts","default":"./p.js"}}}', "p.js": "export const part = 'p';", "p.d.ts": "export declare const part: string;" })`,
    },
    { code: 'import double, { named } from "only-esm"; [double(4), named]', result: "[ 8, 'n' ]" },
  ],
  "a CommonJS package by name, whole, and by require": [
    {
      code: 'import { add } from "cjs-pack"; import cjsAll from "cjs-pack"; import * as cjsNs from "cjs-pack"; [add(1, 2), cjsAll.add(3, 4), cjsNs.version]',
      result: "[ 3, 7, '1' ]",
    },
    { code: 'require("cjs-pack").version', result: "'1'" },
  ],
  "a CommonJS package that is a function": [
    { code: 'import inc from "cjs-fn"; [inc(1), inc.extra]', result: "[ 2, 'e' ]" },
    { code: 'import inc2 = require("cjs-fn"); inc2(2)', result: "3" },
  ],
  "what Node does not see of a CommonJS package is imported all the same": [
    {
      code: `make("node_modules/cjs-late", { "package.json": '{"name":"cjs-late","main":"i.js"}', "i.js": "const all = {}; all.one = () => 1; all.two = () => 2; module.exports = all;" })
make("node_modules/cjs-literal", { "package.json": '{"name":"cjs-literal","main":"i.js"}', "i.js": "module.exports = { a: 1, b() { return 2; } };" })
make("node_modules/cjs-main", { "package.json": '{"name":"cjs-main","main":"i.js","types":"i.d.ts"}', "i.js": "module.exports = Object.assign(function main() { return 'main'; }, { part: () => 'part' });", "i.d.ts": "declare function main(): string; declare namespace main { function part(): string } export = main;" })`,
    },
    { code: 'import { one, two } from "cjs-late"; [one(), two()]', result: "[ 1, 2 ]" },
    { code: 'import { b as literalB } from "cjs-literal"; literalB()', result: "2" },
    { code: 'import wholeM, { part as partM } from "cjs-main"; [wholeM(), partM()]', result: "[ 'main', 'part' ]" },
    { code: 'import * as spaceM from "cjs-main"; spaceM.part()', result: "'part'" },
    { code: 'const { two: two2 } = await import("cjs-late"); two2()', result: "2" },
    { code: '(await import("cjs-late")) === (await import("cjs-late"))', result: "true" },
    { code: 'import { v as vOfJson } from "with-json/data.json"; vOfJson', result: "[ 1, 2 ]" },
    {
      code: 'make(".", { "uses-cjs.ts": \'import { part } from "cjs-main"; export const used = part();\' })',
    },
    { code: 'import { used } from "./uses-cjs.ts"; used', result: "'part'" },
  ],
  "the default of a CommonJS package that was an ES module is what its types say": [
    {
      code: `make("node_modules/transpiled", { "package.json": '{"name":"transpiled","main":"i.js","types":"i.d.ts"}', "i.js": "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = () => 'hi'; exports.other = 1;", "i.d.ts": "export default function hi(): string; export declare const other: number;" })`,
    },
    { code: 'import hi, { other as otherT } from "transpiled"; [hi(), otherT]', result: "[ 'hi', 1 ]" },
    { code: '(await import("transpiled")).default()', result: "'hi'" },
  ],
  "a name that a package without types does not have": [
    {
      code: 'import { anything as there, nothing } from "untyped"',
      ends: "SyntaxError: The module 'untyped' has no export named 'nothing'. Its names are anything.",
    },
    { code: 'import none from "untyped"', ends: /^SyntaxError: The module 'untyped' has no default export\./ },
    { code: '%notype\nimport { Stats, joinn } from "node:fs"', ends: /has no export named 'joinn'\. It has a default/ },
    { code: '%notype\nimport { Stats, statSync } from "node:fs"; typeof statSync', result: "'function'" },
  ],
  "a package without types is any": [
    { code: 'import { anything } from "untyped"; anything.goes[0].whatever', result: null },
  ],
  "JSON of a package, with and without attributes": [
    { code: 'import dataJ from "with-json/data.json"; dataJ.v', result: "[ 1, 2 ]" },
    { code: 'import dataK from "with-json/data.json" with { type: "json" }; dataK.v.length', result: "2" },
    { code: '(await import("with-json/data.json", { with: { type: "json" } })).default.v[1]', result: "2" },
  ],
  "a part of a package, and what it does not export": [
    { code: 'import { part } from "with-parts/part"; part', result: "'p'" },
    { code: 'import "with-parts/secret"', ends: /^TypeScriptError: Cannot find module .*'with-parts\/secret'/ },
  ],
  "a wrong name of a module is told at once": [
    {
      code: 'import { joinn } from "node:path"',
      ends: /has no exported member( named)? 'joinn'/,
    },
  ],
  "plain JavaScript beside the notebook": [
    { code: 'require("node:fs").writeFileSync("plain.mjs", "export const plain = 1")' },
    { code: 'import { plain } from "./plain.mjs"; plain', result: "1" },
  ],
  "a file of one's own and its JSON": [
    {
      code: 'const w = require("node:fs").writeFileSync; w("own.ts", "import data from \\"./own.json\\"; export const sum = (k: number): number => data.xs.reduce((a, b) => a + b, k); export type K = number;"); w("own.json", "{ \\"xs\\": [1, 2, 3] }")',
    },
    { code: 'import { sum, type K } from "./own.ts"; const k3: K = 10; sum(k3)', result: "16" },
    { code: 'sum("x")', ends: /Argument of type 'string' is not assignable to parameter of type 'number'/ },
    { code: 'export { sum as sumAgain } from "./own"; sum(0)', result: "6" },
  ],
  "require of built-ins, JSON, and what is not there": [
    { code: 'require("./own.json").xs', result: "[ 1, 2, 3 ]" },
    {
      code: 'const r = require("node:fs").writeFileSync("typed.ts", "export const n: number = 1"); require("./typed.ts")',
      // Newer versions of Node.js strip the types themselves.
      ends: /^ok$|^SyntaxError: .*TypeScript is imported: import \{ … \} from "\.\/typed\.ts"$/,
    },
    {
      code: 'require("./nowhere")',
      ends: "Error: Cannot find './nowhere'. Is the path right, seen from the notebook's folder?",
    },
    { code: 'require("no-such-pack")', ends: /^Error: Cannot find 'no-such-pack'\..*%npm install no-such-pack$/ },
    { code: 'require.resolve("cjs-pack").endsWith("i.js")', result: "true" },
  ],
  "import.meta of a cell": [
    {
      code: "[typeof import.meta.dirname, typeof import.meta.filename, import.meta.url.startsWith('file:')]",
      result: "[ 'string', 'string', true ]",
    },
  ],
  "import.meta.resolve says where an import leads, from cells and from files": [
    {
      code: "[import.meta.resolve('fs'), import.meta.resolve('node:fs'), import.meta.resolve('./no/such.ts') === new URL('no/such.ts', import.meta.url).href]",
      result: "[ 'node:fs', 'node:fs', true ]",
    },
    {
      code: "['only-esm', 'with-parts/part', 'npm:cjs-pack@1'].map((name) => import.meta.resolve(name).split('/node_modules/')[1])",
      result: "[ 'only-esm/i.js', 'with-parts/p.js', 'cjs-pack/i.js' ]",
    },
    { code: "import.meta.resolve('no-such-pack')", ends: /^Error: Cannot find module 'no-such-pack'/ },
    { code: "import.meta.resolve('with-parts/secret')", ends: /^Error: Package subpath '\.\/secret' is not defined/ },
    { code: 'make("sub", { "tells.ts": "export const where = import.meta.resolve(\'../own.json\');" })' },
    { code: 'import { where } from "./sub/tells.ts"; where === import.meta.resolve("./own.json")', result: "true" },
  ],
  "the keys of a JSON file are exports, as TypeScript has them": [
    { code: 'require("node:fs").writeFileSync("keys.json", JSON.stringify({ lr: 0.1, layers: [2] }))' },
    {
      code: 'import * as keys from "./keys.json"; import { lr } from "./keys.json"; [lr, keys.lr, keys.layers]',
      result: "[ 0.1, 0.1, [ 2 ] ]",
    },
  ],
  "a module that Node does not have is not looked for in the registry": [
    {
      code: 'import { readFile } from "fs/promise"',
      ends: /Cannot find module/,
      traceback: /it has fs, fs\/promises\.(?![^]*%npm install)/,
    },
    { code: 'import { x } from "node:file"', ends: /Cannot find module/, traceback: /Node\.js has no such module\./ },
  ],
  "import in the middle of a cell and import for its effect": [
    { code: 'let midway = 1\nimport "node:util"\nmidway', result: "1" },
  ],
  "module, exports, __dirname are not there, as in a module": [
    { code: "[typeof module, typeof exports]", result: "[ 'undefined', 'undefined' ]" },
  ],
};
