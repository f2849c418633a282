/** Names of the engine's globals that cells declare for themselves: packages, and the session, keep theirs. */
import type { CellTable } from "./table.js";

/** How a cell ends that uses what only newer versions of Node.js have. */
function known(member: string, of: object): string | RegExp {
  return member in of ? "ok" : new RegExp(`Property '${member}' does not exist`);
}

export const globals: CellTable = {
  "the library of JavaScript is that of the Node.js that runs": [
    { code: "Object.groupBy([1, 2], (x) => (x > 1 ? 'b' : 'a')).a", ends: known("groupBy", Object) },
    { code: "Promise.withResolvers<number>().promise.then", ends: known("withResolvers", Promise) },
    { code: "new Set([1]).union(new Set([2])).size", ends: known("union", Set.prototype) },
    { code: "await Array.fromAsync([1])", ends: known("fromAsync", Array) },
    { code: "[1].values().map((x) => x).toArray()", ends: known("map", Object.getPrototypeOf([].values()) as object) },
    { code: "RegExp.escape('a')", ends: known("escape", RegExp) },
  ],
  "WebAssembly has its types, though there is no page": [
    {
      code: "const { module, instance } = await WebAssembly.instantiate(Buffer.from([0, 97, 115, 109, 1, 0, 0, 0]));\n[module, instance.exports]",
      result: "[ Module [WebAssembly.Module] {}, [Object: null prototype] {} ]",
    },
    {
      code: "const memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 1 }); memory.buffer.byteLength",
      result: "65536",
    },
    { code: "const wrong: string = memory", ends: /Type 'Memory' is not assignable to type 'string'/ },
  ],
  "an imported setTimeout is for cells, and the session keeps its own": [
    { code: 'import { setTimeout } from "node:timers/promises";\nawait setTimeout(5, "slept")', result: "'slept'" },
    {
      code: 'const told = display.markdown("a"); told.update("b"); told.update("c");\nawait setTimeout(150, "shown")',
      result: "'shown'",
    },
    { code: 'const nap = () => setTimeout(1, "napped");\nawait nap()', result: "'napped'" },
    {
      code: 'globalThis.setTimeout(() => console.log("the global one"), 1);\nvoid (await setTimeout(100))',
      stdout: "the global one\n",
    },
  ],
  "a let named process, in all the places where a name may stand": [
    { code: "let process = { a: 1, env: 3 };\nprocess.a", result: "1" },
    { code: "process.env + 1", result: "4" },
    { code: "({ process })", result: "{ process: { a: 1, env: 3 } }" },
    { code: "({ process } = { process: { a: 7, env: 8 } });\nprocess", result: "{ a: 7, env: 8 }" },
    { code: "const { a: first, process = 5 } = { a: 1 } as any;\n[first, process]", result: "[ 1, 5 ]" },
    {
      code: "const { process: other, ...rest } = { process: 6, b: 2 };\n[process, other, rest]",
      result: "[ 5, 6, { b: 2 } ]",
    },
    {
      code: "const own = { process: { URL: 1 }, URL: 2, performance() { return 3 } };\n[own.process.URL, own.URL, own.performance(), new (class { process = 4 })().process]",
      result: "[ 1, 2, 3, 4 ]",
    },
    { code: "[(process: number) => process + 1].map((f) => f(1))", result: "[ 2 ]" },
    { code: "process.nope.x", ends: "TypeError: Cannot read properties of undefined (reading 'x')" },
  ],
  "a module, imported again under the name of a global": [
    { code: 'import process from "node:process";\nprocess.pid > 0', result: "true" },
    { code: "process.pid > 0", result: "true" },
    { code: 'import * as crypto from "node:crypto";\ntypeof crypto.createHash', result: "'function'" },
    { code: 'import { basename as escape } from "node:path";\nescape("/a/b")', result: "'b'" },
  ],
  "a class named Map keeps its name, and nobody else gets it": [
    {
      code: "class Map { tiles = 1; static made = new Map(); clone() { return new Map(); } }\n[new Map(), Map.made.clone(), Map.name]",
      result: "[ Map { tiles: 1 }, Map { tiles: 1 }, 'Map' ]",
    },
    { code: "new globalThis.Map([[1, 2]])", result: "Map(1) { 1 => 2 }" },
    {
      code: "export class Set<T> extends Map { has(x: T) { return new Set<T>() instanceof Map } }\nnew Set<number>().has(1)",
      result: "true",
    },
  ],
  "a Promise, an Error, a Symbol of the cell's own": [
    { code: "const Promise = 4;\n(await 5) + Promise", result: "9" },
    { code: "(async () => 3)()", result: "3" },
    { code: "{ const Error = 5; console.log(Error); }\nnew Error('real').message", stdout: "5\n", result: "'real'" },
    { code: "if (true) { var Symbol = 3 as any; }\nSymbol", result: "3" },
    { code: "var Symbol = 4;\nSymbol", result: "4" },
    { code: "throw new TypeError(`${Promise}`)", ends: "TypeError: 4" },
  ],
  "functions, enums and namespaces": [
    { code: 'function fetch(u: string) { return "mine " + u }\nfetch("x")', result: "'mine x'" },
    { code: "enum Event { A, B }\n[Event.B, Event[0]]", result: "[ 1, 'A' ]" },
    { code: "Event.A", result: "0" },
    { code: "namespace Response { export const a = 1 }\nResponse.a", result: "1" },
  ],
  "what is exported": [
    {
      code: "export const TextEncoder = 1, atob = 2; export function btoa() { return TextEncoder + atob }\nbtoa()",
      result: "3",
    },
    { code: "[typeof globalThis.btoa('x'), btoa()]", result: "[ 'string', 3 ]" },
  ],
  "names that every object has": [
    {
      code: "const toString = 1, constructor = 2;\n[toString, constructor, ((valueOf: number) => valueOf)(3), __dirname.length > 0]",
      result: "[ 1, 2, 3, true ]",
    },
  ],
  "all at once, untyped": [
    { code: "const console2 = console" },
    {
      code: `%notype
const JSON = 1, Array = 4, String = 2, Number = 3, Object = 5, Error = 6, Reflect = 7, Date = 14, Math = 15, RegExp = 16,
  WeakMap = 8, queueMicrotask = 9, setImmediate = 10, clearTimeout = 11, Uint8Array = 12, Function = 13, Proxy = 17, URL = 18,
  BigInt = 19, Buffer = 20, performance = 21, AbortController = 22, structuredClone = 23, TextDecoder = 24, EventTarget = 25;
const console = { log: (x) => console2.log("mine", x) };
console.log([JSON, Array, Buffer])`,
      stdout: "mine [ 1, 4, 20 ]\n",
    },
    {
      code: "%notype\ndisplay.table([{ a: 1 }]); ui.slider(); for (const x of progress([1, 2])) console2.log(x);\nURL",
      stdout: "1\n2\n",
      result: "18",
    },
    { code: "%notype\nawait 1; null.x", ends: /^TypeError: Cannot read properties of null/, traceback: /null\.x/ },
    { code: "!echo {URL}", stdout: "18\n" },
  ],
  "__dirname and __filename are the notebook's, unless a cell says otherwise": [
    {
      code: "import { isAbsolute, join } from 'node:path';\n[isAbsolute(__dirname), __filename === join(__dirname, 'notebook.ts')]",
      result: "[ true, true ]",
    },
    { code: "typeof (globalThis as any).__dirname", result: "'undefined'" },
    { code: "({ __dirname }).__dirname === __dirname", result: "true" },
    { code: 'const __dirname = "own";\n__dirname', result: "'own'" },
  ],
};
