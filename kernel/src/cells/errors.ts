/** What goes wrong in cells, and what is shown of it. */
import type { Cell, CellTable } from "./table.js";

const thrower = "function thrower(): never {\n  throw new Error('deep');\n}";

/** Whether Node.js itself runs TypeScript. */
const RUNS_TYPESCRIPT = Boolean((process.features as { readonly typescript?: unknown }).typescript);

const workerOfTypeScript: Cell = {
  code: "require('node:fs').writeFileSync('worker7.ts', 'export {};'); await once(new Worker('./worker7.ts'), 'exit')",
  ends: /^TypeError: Unknown file extension "\.ts"/,
  traceback: /^(?![^]*node:internal)[^]*runs TypeScript from version 22\.18 on/,
};

export const errors: CellTable = {
  "an error shows its line, with an arrow and a caret": [
    {
      code: "const a = 1;\nconst b = null as any;\nb.x;",
      ends: /^TypeError: Cannot read properties of null/,
      traceback: /In \[\d+\]:3:3\n {2}1 │ const a = 1;\n {2}2 │ const b = null as any;\n❯ 3 │ b\.x;\n {4}│ {3}\^/,
    },
  ],
  "an error in a function of an earlier cell shows both cells": [
    { code: thrower },
    {
      code: "\nthrower()",
      ends: "Error: deep",
      traceback: /throw new Error\('deep'\)[^]*at thrower \(In \[\d+\]:2:9\)\n {2}at In \[\d+\]:2:1$/,
    },
  ],
  "through await": [
    { code: "async function aw() {\n  await null;\n  thrower();\n}" },
    {
      code: "await aw()",
      ends: "Error: deep",
      traceback: /at thrower[^]*at (async )?aw \(In \[\d+\]:3:3\)[^]*at (async )?In \[\d+\]:1:1$/,
    },
  ],
  "through a callback of a built-in": [
    {
      code: "[1].map(() => thrower())",
      ends: "Error: deep",
      traceback: /at thrower[^]*at In \[\d+\]:1:15\n {2}at Array\.map[^]*at In \[\d+\]:1:5$/,
    },
  ],
  "through a timer": [
    {
      code: "await new Promise((_, reject) => setTimeout(() => { try { thrower() } catch (e) { reject(e) } }, 1))",
      ends: "Error: deep",
      traceback: /at thrower \(In/,
    },
  ],
  "through a promise's then": [
    {
      code: "await Promise.resolve(1).then(() => thrower())",
      ends: "Error: deep",
      traceback: /at thrower[^]*at In \[\d+\]:1:37/,
    },
  ],
  "an error of Node's own, without a line of the user's, shows the await that it came through": [
    {
      code: "\nawait Promise.any([Promise.reject(new Error('one'))])",
      ends: "AggregateError: All promises were rejected",
      traceback: /^AggregateError[^\n]*\n\nIn \[\d+\]:2:1\n[^]*❯ 2 │ await Promise\.any/,
    },
    { code: "import { exec } from 'node:child_process'; import { promisify } from 'node:util';" },
    { code: "const failsLater = async () => {\n  await promisify(exec)('exit 3');\n};", ends: "ok" },
    {
      code: "\n\nawait failsLater()",
      ends: /^Error: Command failed: exit 3/,
      traceback: /In \[\d+\]:2:3[^]*at async failsLater \(In \[\d+\]:2:3\)\n {2}at In \[\d+\]:3:1\n/,
    },
    {
      code: "for await (const x of (function* () { yield promisify(exec)('exit 4'); })()) x;",
      ends: /^Error: Command failed: exit 4/,
      traceback: /In \[\d+\]:1:1/,
    },
  ],
  "a name of Node's that was not imported": [
    {
      code: "writeFileSync('x', '')",
      ends: /^TypeScriptError: Cannot find name 'writeFileSync'/,
      traceback: /import \{ writeFileSync \} from "node:fs"/,
    },
    {
      code: "await readdir('.')",
      ends: /Cannot find name/,
      traceback: /import \{ readdir \} from "node:fs\/promises"/,
    },
    {
      code: "hasOwnProperty7(), spawnSync('ls')",
      ends: /Cannot find name/,
      traceback: /cell that declares hasOwnProperty7[^]*from "node:child_process"/,
    },
    { code: "zlib.gzipSync('')", ends: /Cannot find name 'zlib'/, traceback: /import \* as zlib from "node:zlib"/ },
  ],
  "a cell that wants no stacks leaves later cells theirs": [
    { code: "Error.stackTraceLimit = 0" },
    { code: "\nthrower()", ends: "Error: deep", traceback: /at thrower \(In[^]*at In \[\d+\]:2:1$/ },
    { code: "Error.stackTraceLimit = 1" },
    { code: "thrower()", ends: "Error: deep", traceback: /at thrower \(In \[\d+\]:2:9\)$/ },
    { code: "Error.stackTraceLimit = 30" },
  ],
  "through a generator": [
    {
      code: "function* gen1() {\n  yield 1;\n  thrower();\n}\n[...gen1()]",
      ends: "Error: deep",
      traceback: /at thrower[^]*at gen1\.next|at thrower[^]*at gen1 /,
    },
  ],
  "through an async generator": [
    {
      code: "async function* agen() {\n  yield 1;\n  thrower();\n}\nfor await (const _ of agen()) {}",
      ends: "Error: deep",
      traceback: /at thrower[^]*at (async )?agen/,
    },
  ],
  "through a method, a getter, a constructor, a static block": [
    {
      code: "class Th { m() { thrower() } get g() { return thrower() } static s() { new Th().m() } }\nTh.s()",
      ends: "Error: deep",
      traceback: /at Th\.m \(In[^]*at (Function|Th)\.s/,
    },
    { code: "new Th().g", ends: "Error: deep", traceback: /at (get )?(Th\.)?(get )?g / },
    { code: "new (class Ctor { constructor() { thrower() } })()", ends: "Error: deep", traceback: /at new Ctor/ },
    { code: "class Sb2 { static { thrower() } }", ends: "Error: deep", traceback: /at thrower/ },
  ],
  "through sort, replace, JSON.parse and Array.from": [
    { code: "[2, 1].sort(() => thrower())", ends: "Error: deep", traceback: /at Array\.sort/ },
    { code: "'a'.replace(/a/, () => thrower())", ends: "Error: deep", traceback: /at thrower/ },
    { code: "JSON.parse('{bad')", ends: /^SyntaxError: Expected property name/, traceback: /❯ 1 │ JSON\.parse/ },
    { code: "JSON.parse('1', () => thrower())", ends: "Error: deep", traceback: /at JSON\.parse/ },
  ],
  "frames of the kernel and of Node's inside are hidden": [
    {
      code: "thrower()",
      traceback: /^(?![^]*(node:internal|session\/|runner|__cell__|evaluate|inspector))[^]*$/,
      ends: "Error: deep",
    },
  ],
  "an error of Node's own shows the user's line": [
    {
      code: 'require("node:fs").readFileSync("/no/such/file")',
      ends: /^Error: ENOENT/,
      traceback: /❯ 1 │ require\("node:fs"\)/,
    },
  ],
  "an error of a promise of Node's": [
    { code: 'import { readFile } from "node:fs/promises"; await readFile("/no/such")', ends: /^Error: ENOENT/ },
  ],
  "what an error carries besides its message": [
    {
      code: "throw Object.assign(new Error('with more'), { code: 'E_MINE', details: { n: 1 } })",
      ends: "Error: with more",
      traceback: /\n\{ code: 'E_MINE', details: \{ n: 1 \} \}$/,
    },
  ],
  "a cause, and the cause of a cause": [
    {
      code: "throw new Error('a', { cause: new TypeError('b', { cause: 'c' }) })",
      ends: "Error: a",
      traceback: /Error: a[^]*caused by\nTypeError: b[^]*caused by\n'c'/,
    },
  ],
  "a cause that is an object": [
    {
      code: "throw new Error('a', { cause: { status: 404 } })",
      ends: "Error: a",
      traceback: /caused by\n\{ status: 404 \}/,
    },
  ],
  "a cause that goes round in a circle": [
    { code: "const round = new Error('round'); round.cause = round; throw round", ends: "Error: round" },
  ],
  "an aggregate of causes": [
    {
      code: "throw new AggregateError([new Error('x'), 'y'], 'both')",
      ends: "AggregateError: both",
      traceback: /error 1 of 2\nError: x[^]*error 2 of 2\n'y'/,
    },
  ],
  "an aggregate as a cause": [
    {
      code: "throw new Error('top', { cause: new AggregateError([new Error('inside')], 'agg') })",
      ends: "Error: top",
      traceback: /caused by\nAggregateError: agg[^]*error 1 of 1\nError: inside/,
    },
  ],
  "an error of one's own class, with its name by default": [
    { code: "class NoName extends Error {}\nthrow new NoName('n')", ends: /^(NoName|Error): n$/ },
  ],
  "an error from another realm": [
    { code: 'require("node:vm").runInNewContext("throw new RangeError(\'far\')")', ends: "RangeError: far" },
  ],
  "an error of DOMException": [
    { code: "AbortSignal.abort().throwIfAborted()", ends: /^AbortError: This operation was aborted/ },
  ],
  "a stack overflow": [
    {
      code: "function deep(): number { return deep() + 1 }\ndeep()",
      ends: "RangeError: Maximum call stack size exceeded",
      traceback: /at deep \(In \[\d+\]:1:34\)\n {4}… and \d+ more of it$/,
    },
    { code: "1", result: "1" },
  ],
  "a huge message is cut": [
    { code: "throw new Error('m'.repeat(1_000_000))", ends: /^Error: m+…/, traceback: /^Error: m{1000,20000}…/ },
  ],
  "a message of many lines": [
    {
      code: "throw new Error('one\\ntwo\\nthree')",
      ends: "Error: one\ntwo\nthree",
      traceback: /^Error: one\ntwo\nthree/,
    },
  ],
  "a message that looks like a stack": [
    { code: "throw new Error('    at fake (place:1:1)')", ends: /fake/, traceback: /❯ 1 │ throw/ },
  ],
  "thrown primitives and null": [
    { code: "throw null", ends: "Thrown: null" },
    { code: "throw Symbol('s')", ends: "Thrown: Symbol(s)" },
    { code: "throw 1.5", ends: "Thrown: 1.5" },
    { code: "throw true", ends: "Thrown: true" },
    { code: "throw () => 1", ends: /^Thrown: \[Function/ },
    { code: "throw ['a']", ends: "Thrown: [ 'a' ]" },
    { code: "throw NaN", ends: "Thrown: NaN" },
  ],
  "thrown by await": [
    { code: "await Promise.reject('text')", ends: "Thrown: text" },
    { code: "await Promise.reject(undefined)", ends: "Thrown: undefined" },
  ],
  "an error whose parts throw": [
    { code: "throw { get message() { throw new Error('inner') } }", ends: /^Thrown: / },
    { code: "throw new Proxy({}, { get() { throw new Error('trap') } })", ends: /^Thrown: |^Error: / },
  ],
  "an error with a name or a stack that is none": [
    {
      code: "const oddE = new Error('odd'); (oddE as any).name = 5; (oddE as any).stack = 7; throw oddE",
      ends: /: odd$/,
    },
  ],
  "an error with message that is no text": [
    { code: "const oddM = new Error(); (oddM as any).message = { a: 1 }; throw oddM", ends: /^Error/ },
  ],
  "an error that was made in one cell and thrown in another": [
    { code: "const made = new Error('made here')" },
    { code: "throw made", ends: "Error: made here", traceback: /const made = new Error/ },
  ],
  "finally runs before the error is shown": [
    { code: "try { thrower() } finally { console.log('finally') }", ends: "Error: deep", stdout: "finally\n" },
  ],
  "output before an error is kept": [
    { code: "console.log('before'); thrower()", ends: "Error: deep", stdout: "before\n" },
  ],
  "an error in a display hook of the result": [
    { code: "({ [Symbol.for('Jupyter.display')]() { thrower() } })", ends: "Error: deep" },
  ],
  "a type error names place, number and the line": [
    {
      code: "const ok1 = 1;\nconst bad1: string = ok1;",
      ends: "TypeScriptError: Type 'number' is not assignable to type 'string'.",
      traceback:
        /^In \[\d+\]:2:7 - error TS2322: Type 'number' is not assignable to type 'string'\.\n\n2 const bad1: string = ok1;\n {8}~~~~/,
    },
  ],
  "several type errors are all shown": [
    { code: "const e1: string = 1;\nconst e2: number = 'a';", ends: /\(and 1 more\)$/, traceback: /:1:7[^]*:2:7/ },
  ],
  "many type errors are cut": [
    {
      code: Array.from({ length: 30 }, (_, i) => `const me${i}: string = ${i};`).join("\n"),
      ends: /\(and 29 more\)$/,
      traceback: /… and 20 more errors/,
    },
  ],
  "a type error spells out what differs": [
    {
      code: "const pt: { x: number; y: { z: string } } = { x: 1, y: { z: 2 } }",
      ends: /^TypeScriptError: Type 'number' is not assignable to type 'string'/,
    },
  ],
  "a member that is misspelt is suggested": [{ code: "[1].lenght", ends: /Did you mean 'length'\?/ }],
  "a missing argument tells where the parameter is": [
    { code: "function needs(first: number, second: string) {}" },
    { code: "needs(1)", ends: /Expected 2 arguments, but got 1/, traceback: /second/ },
  ],
  "a syntax error names its place": [
    { code: "let x1 = ;\n", ends: "SyntaxError: Expression expected.", traceback: /:1:10 - error TS1109/ },
  ],
  "a bracket that is not closed": [{ code: "foo(1, [2", ends: /^SyntaxError: / }],
  "a string that is not closed": [{ code: "const s = 'open", ends: "SyntaxError: Unterminated string literal." }],
  "a template that is not closed": [{ code: "const s = `open ${1", ends: /^SyntaxError: / }],
  "a comment that is not closed": [{ code: "1 /* open", ends: "SyntaxError: '*/' expected." }],
  "two declarations of a name in one cell": [
    { code: "let twice = 1; let twice = 2", ends: /Cannot redeclare block-scoped variable 'twice'/ },
  ],
  "await in a function that is not async": [
    { code: "function notAsync() { await 1 }", ends: /'await' expressions are only allowed within async functions/ },
  ],
  "an unknown character": [{ code: "let a = 1 # 2", ends: /^SyntaxError: / }],
  "a duplicate import": [
    { code: 'import { sep } from "path"; import { sep } from "path"', ends: /Duplicate identifier 'sep'/ },
  ],
  "ts-ignore, ts-expect-error and ts-nocheck are honoured": [
    { code: "// @ts-expect-error\nconst wrong5: number = 'text'; wrong5", result: "'text'" },
    { code: "// @ts-expect-error\nconst right5: number = 5", ends: /Unused '@ts-expect-error' directive/ },
    { code: "// @ts-ignore\nnotDeclared8.x", ends: "ReferenceError: notDeclared8 is not defined" },
  ],
  "process.on of an error is not needed for a caught rejection": [
    { code: "const pr5 = Promise.reject(new Error('handled')); pr5.catch(() => {}); 1", result: "1" },
  ],
  "error.stack names cells": [
    {
      code: "let stack5 = ''; try { thrower() } catch (e) { stack5 = (e as Error).stack ?? '' }\nstack5.split('\\n')[1]!.trim().replace(/\\d+/g, 'N')",
      result: "'at thrower (In [N]:N:N)'",
    },
  ],
  "Error.captureStackTrace and prepareStackTrace of one's own": [
    { code: "const o5: { stack?: string } = {}; Error.captureStackTrace(o5); typeof o5.stack", result: "'string'" },
  ],
  "console.error of an error shows its place": [
    { code: "console.log(String(new Error('shown').stack).split('\\n')[0])", stdout: "Error: shown\n" },
  ],
  "an assertion of node:assert": [
    {
      code: 'import assert from "node:assert/strict"; assert.equal(1, 2)',
      ends: /^AssertionError: Expected values to be strictly equal/,
    },
  ],
  "JSX without a setting for it, and what a page or Deno would have": [
    { code: "const element = <div>hi</div>;", ends: /^SyntaxError/, traceback: /"jsx": "react-jsx"/ },
    { code: "const wrong = <div>;", ends: /^SyntaxError/, traceback: /^(?![^]*react-jsx)/ },
    { code: "document.title", ends: /Cannot find name 'document'/, traceback: /there is no page: display\.html/ },
    { code: 'Deno.readTextFileSync("a")', ends: /does not exist/, traceback: /of Deno there is Deno\.jupyter/ },
  ],
  "what Python has under another name": [
    { code: "print(1)", ends: /^TypeScriptError: Cannot find name 'print'/, traceback: /console\.log\(x\) prints/ },
    { code: "const flag = True", ends: /Cannot find name 'True'/, traceback: /It is true in TypeScript/ },
    { code: "_", ends: /Cannot find name '_'/, traceback: /kept only where it has a name/ },
    { code: "import numpy as np", ends: /^SyntaxError/, traceback: /import \* as all from "package"/ },
    { code: "from math import sqrt", ends: /^SyntaxError/, traceback: /An import is: / },
    { code: "def f(x):\n  return x", ends: /^SyntaxError/, traceback: /A function is: function f/ },
    { code: "for i in range(3):\n  print(i)", ends: /^SyntaxError/, traceback: /A loop is: for \(const x of/ },
    { code: "if 1 > 2:\n  1", ends: /^SyntaxError/, traceback: /Conditions stand in parentheses/ },
    { code: "# a comment", ends: /^SyntaxError/, traceback: /A comment begins with \/\// },
    { code: 'const text9 = f"{1}"', ends: /^SyntaxError/, traceback: /Values within a text/ },
    { code: 'console.log("this and that"', ends: /^SyntaxError/, traceback: /^(?![^]*&& for and)/ },
  ],
  "what was declared again is told from what it was, without the names of files that nobody knows": [
    {
      code: "class Twice { #v = 1 }\nfunction take8(t: Twice) {}\ninterface Opt8 { a: number }\nconst read8 = (o: Opt8) => o.a;",
    },
    { code: "class Twice { #v = 1 }" },
    {
      code: "take8(new Twice())",
      ends: "TypeScriptError: Argument of type 'Twice' is not assignable to parameter of type 'Twice'.",
      traceback: /^(?![^]*notebook-)[^]*\nTwice was declared again: /,
    },
    {
      code: "interface Opt8 { a: string }\nread8({ a: '' } as Opt8)",
      ends: "TypeScriptError: Argument of type 'Opt8' is not assignable to parameter of type 'Opt8'.",
      traceback: /^(?![^]*notebook-)[^]*\nOpt8 was declared again: /,
    },
  ],
  "what an error points at beside its own place has a place, or is not spoken of": [
    {
      code: "interface User8 { id: number; name: string }\nconst user8: User8 = { id: 1 };",
      ends: /^TypeScriptError: Property 'name' is missing/,
      traceback: /\n'name' is declared here: In \[\d+\]:1:31\n/,
    },
    { code: "function h8() { if (1) {", ends: /^SyntaxError/, traceback: /'\{' token here: In \[\d+\]:1:24\n/ },
    {
      code: "\n{ a: (() => { interface In8 { id: number }; const z: In8 = {}; return z })() }",
      ends: /^TypeScriptError: Property 'id' is missing/,
      traceback: /In \[\d+\]:2:51 - error[^]*declared here: In \[\d+\]:2:31\n/,
    },
    { code: "interface User8 { id: number; name: string }" },
    {
      code: "const user9: User8 = { id: 1 };",
      ends: /^TypeScriptError: Property 'name' is missing/,
      traceback: /^(?![^]*here)/,
    },
  ],
  "what to do about what TypeScript says most often": [
    { code: "['a'].find((x) => x).length", ends: /possibly 'undefined'/, traceback: /x\?\.name is then undefined/ },
    { code: "try { 1 } catch (error) { error.message }", ends: /of type 'unknown'/, traceback: /instanceof Error/ },
    { code: "const f9 = (x) => x", ends: /implicitly has an 'any' type/, traceback: /\(x: number\) =>/ },
    {
      code: "const counts9 = {}; for (const word of ['a']) counts9[word] = 1",
      ends: /can't be used to index/,
      traceback: /Record<string, number>/,
    },
  ],
  "an error in a worker, without Node's inside": [
    { code: 'import { once } from "node:events"; import { Worker } from "node:worker_threads"' },
    {
      code: "await once(new Worker('throw new Error(\"in a worker\")', { eval: true }), 'exit')",
      ends: "Error: in a worker",
      traceback: /^(?![^]*node:internal)[^]*at \[worker eval\]:1:7/,
    },
    ...(RUNS_TYPESCRIPT ? [] : [workerOfTypeScript]),
  ],
  "a value for a name that was not declared": [
    { code: "undeclared9 = 5", ends: /Cannot find name/, traceback: /declared: let undeclared9 = …/ },
    { code: "undeclared9 == 5", ends: /Cannot find name/, traceback: /Has the cell that declares undeclared9/ },
  ],
  "a name whose cell failed before it had a value": [
    { code: "const late9 = thrower()", ends: "Error: deep" },
    {
      code: "late9",
      ends: "ReferenceError: late9 is not defined",
      traceback:
        /not defined\n+Has the cell that declares late9 come to that line\? One that fails before leaves late9/,
    },
  ],
  "a list where a typed array is wanted": [
    {
      code: "const typed9: Uint8Array = [1, 2].map((x) => x)",
      ends: /^TypeScriptError: Type 'number\[\]' is missing/,
      traceback: /Uint8Array\.from\(list\) makes a typed array of a list\./,
    },
  ],
  "the same of each element of an array is said once": [
    {
      code: "const rows9: readonly (readonly number[])[] = [1, 2, 3]",
      ends: "TypeScriptError: Type 'number' is not assignable to type 'readonly number[]'. (and 2 more)",
      traceback: /put brackets around them, \[ \]\.\n\n1 .*\n.*~\n… and 2 more of the same in this line\n*$/,
    },
  ],
  "what is no HTML, no text and no table": [
    { code: "display.html(undefined as any)", ends: /^TypeError: undefined is no HTML: a string, or an element/ },
    { code: "display.markdown(5 as any)", ends: /^TypeError: 5 is no text: a string/ },
    { code: "display.table('a' as any)", ends: /^TypeError: display\.table: 'a' is no table\. Give it rows/ },
  ],
  "errors in an object literal are at their place": [
    { code: "{a: 1, b: noSuch}", ends: /Cannot find name 'noSuch'/, traceback: /In \[\d+\]:1:11 - error/ },
    {
      code: "\n{a: 1,\n b: thrower()}",
      ends: "Error: deep",
      traceback: /at thrower[^]*at In \[\d+\]:3:5$/,
    },
    { code: "{b: thrower()}", ends: "Error: deep", traceback: /at In \[\d+\]:1:5$/ },
  ],
  "what is no code and no JSON is not imported": [
    { code: 'import "./style.css"', ends: /^TypeScriptError/, traceback: /display\.html with a <style>/ },
    { code: 'import data from "./data.csv"', ends: /^TypeScriptError/, traceback: /readFile of node:fs\/promises/ },
    { code: 'import data from "./data.parquet"', ends: /^TypeScriptError/, traceback: /Only code and JSON/ },
    { code: 'import { add } from "./add.wasm"', ends: /^TypeScriptError/, traceback: /WebAssembly\.instantiate/ },
  ],
  "lines that end in other ways are lines": [
    { code: "\uFEFF%time 5", result: "5" },
    { code: "let t1 = null as any;\rt1.x", ends: /^TypeError/, traceback: /:2:4\n[^]*❯ 2 │ t1\.x\n/ },
    { code: "let t2 = null as any;\u2028t2.x", ends: /^TypeError/, traceback: /:2:4\n[^]*❯ 2 │ t2\.x\n/ },
    { code: "let t3 = null as any;\r\nt3.x\r\n", ends: /^TypeError/, traceback: /:2:4\n[^]*❯ 2 │ t3\.x\n/ },
  ],
  "a cell that is nested too deeply": [
    {
      code: `${"[".repeat(20_000)}${"]".repeat(20_000)}`,
      ends: "KernelError: The cell is nested too deeply for TypeScript: give parts of it names, or read large data from a file.",
    },
    { code: "1", result: "1" },
  ],
  "an error in a line of any length shows the part where it is": [
    {
      code: `const z1 = null as any; /*${"y".repeat(100_000)}*/ z1.x /*${"n".repeat(100_000)}*/`,
      ends: /^TypeError/,
      traceback: /❯ 1 │ …y{1,100}\*\/ z1\.x \/\*n{1,300}…\n {4}│ +\^\n/,
    },
    {
      code: `/*${"y".repeat(100_000)}*/ const z2: number = ""; /*${"n".repeat(100_000)}*/`,
      ends: /^TypeScriptError/,
      traceback: /1 …y{1,100}\*\/ const z2: number = ""; \/\*n{1,300}…\n {2} +~~\n/,
    },
  ],
  "what was thrown cannot be looked at": [
    { code: "const gone = Proxy.revocable({}, {}); gone.revoke()" },
    { code: "throw gone.proxy", ends: "Thrown: <Revoked Proxy>" },
    { code: "await Promise.reject(gone.proxy)", ends: "Thrown: <Revoked Proxy>" },
    { code: "throw new Proxy({}, { getPrototypeOf() { throw 1 } })", ends: "Thrown: {}" },
    {
      code: "throw new Proxy(new Error('hidden'), { get() { throw 1 } })",
      ends: "Error: (cannot be read: its getter throws)",
    },
    { code: "[gone.proxy]", result: "[ <Revoked Proxy> ]" },
  ],
  "an error whose getters throw shows the rest of it": [
    {
      code: "throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('never') } })",
      ends: "Error: (cannot be read: its getter throws)",
      traceback: /❯ 1 │ throw Object/,
    },
    { code: "throw Object.defineProperty(new Error('named'), 'name', { get() { throw 1 } })", ends: "Error: named" },
    {
      code: "throw Object.defineProperties(new Error('x'), { cause: { get() { throw 1 } }, data: { get() { throw 1 }, enumerable: true } })",
      ends: "Error: x",
      traceback: /❯ 1 │ throw Object[^]*\{ data: '\(cannot be read: its getter throws\)' \}$/,
    },
  ],
};
