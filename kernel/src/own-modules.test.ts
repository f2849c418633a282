/** Cells that import the notebook's own files: types, JSON, reloading, errors, interrupts. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { ending, TestNotebook, type Ran } from "./testing.js";

let notebook: TestNotebook;
before(() => {
  notebook = new TestNotebook();
});
after(() => notebook.close());

const write = (name: string, text: string): void => notebook.write(name, text);

async function result(code: string): Promise<string | undefined> {
  const ran = await notebook.run(code);
  assert.equal(ending(ran), "ok", shown(ran));
  return ran.result;
}

function shown({ outcome }: Ran): string {
  return outcome.status === "ok" ? "" : stripVTControlCharacters(outcome.traceback.join("\n"));
}

test("a file beside the notebook is imported under each of its names, with its types", async () => {
  write("one.ts", "export const one: number = 1; export type One = typeof one; export default 'uno';");
  write("dir/index.ts", "export const inDir = 2;");
  write("module.mts", "export const m = 3;");
  assert.equal(
    await result('import uno, { one, type One } from "./one.ts"; const o: One = one; [uno, o]'),
    "[ 'uno', 1 ]",
  );
  assert.equal(await result('import { one as b } from "./one.js"; import { one as c } from "./one"; b + c'), "2");
  assert.equal(await result('import { inDir } from "./dir"; inDir'), "2");
  assert.equal(await result('import { m } from "./module.mts"; m'), "3");
  assert.match(
    ending(await notebook.run('import { one } from "./one.ts"; one.length')),
    /'length' does not exist on type 'number'/,
  );
});

test("files import each other, packages, Node's modules and JSON, also in a circle", async () => {
  write(
    "even.ts",
    'import { odd } from "./odd.ts";\nexport function even(n: number): boolean { return n === 0 || odd(n - 1) }',
  );
  write(
    "odd.ts",
    'import { even } from "./even.js";\nexport const odd = (n: number): boolean => n !== 0 && even(n - 1);',
  );
  write("data.json", '{ "a": [1, 2] }');
  write(
    "mixed.ts",
    'import { join } from "node:path"; import os from "os"; import data from "./data.json";\nexport const path = join("a", "b"), cpus = typeof os.cpus, a = data.a; export * as odds from "./odd.ts"; export * from "./even.ts";',
  );
  assert.equal(await result('import { even } from "./even.ts"; [even(10), even(7)]'), "[ true, false ]");
  assert.equal(
    await result('import { path, cpus, a, odds, even as e } from "./mixed"; [path, cpus, a, odds.odd(3), e(2)]'),
    "[ 'a/b', 'function', [ 1, 2 ], true, true ]",
  );
});

test("JSON is imported with and without attributes, and anew when it has changed", async () => {
  write("conf.json", '{ "n": 1 }');
  assert.equal(
    await result(
      'import conf from "./conf.json"; import again from "./conf.json" with { type: "json" }; [conf.n, again === conf]',
    ),
    "[ 1, true ]",
  );
  write("conf.json", '{ "n": "two" }');
  assert.equal(await result('import conf from "./conf.json"; conf.n.length'), "3");
  assert.equal(await result('(await import("./conf.json")).default.n'), "'two'");
});

test("a dynamic import loads own files too, from cells and from files", async () => {
  write("lazy.ts", "export const lazy = 'loaded';");
  write("loads.ts", 'export const load = async () => (await import("./lazy.ts")).lazy;');
  assert.equal(await result('(await import("./lazy")).lazy'), "'loaded'");
  assert.equal(await result('import { load } from "./loads.ts"; await load()'), "'loaded'");
});

test("a changed file is loaded again, with its new types; an unchanged one keeps its state", async () => {
  write("state.ts", "export const counter = { n: 0 };");
  write("logic.ts", 'import { counter } from "./state.ts";\nexport function step() { return ++counter.n }');
  write("user.ts", 'import { step } from "./logic.ts";\nexport const use = () => step();');
  assert.equal(await result('import { use } from "./user.ts"; use()'), "1");
  assert.equal(await result('import { use } from "./user.ts"; use()'), "2");
  write("logic.ts", 'import { counter } from "./state.ts";\nexport function step() { return `n${++counter.n}` }');
  assert.equal(await result('import { use } from "./user.ts"; use().length && use()'), "'n4'");
  assert.equal(await result('import { counter } from "./state.ts"; counter.n'), "4");
});

test("an ES module of JavaScript is loaded as TypeScript is: with types, live, and again when it has changed", async () => {
  write("plain.mjs", "import { two } from './second.js';\nexport let n = 1;\nexport const up = () => (n += two);");
  write("second.js", "export const two = 2;");
  assert.equal(await result('import { n, up } from "./plain.mjs"; up(); n'), "3");
  write("second.js", "export const two = 20;");
  assert.equal(await result('import { n, up } from "./plain.mjs"; up(); n'), "21");
  assert.equal(await result('const name = "second"; (await import(`./${name}.js`)).two'), "20");
  assert.match(ending(await notebook.run('import { m } from "./plain.mjs"')), /has no exported member( named)? 'm'/);
  write("broken.mjs", "export const b = ;");
  assert.match(shown(await notebook.run('import { b } from "./broken.mjs"')), /broken\.mjs:1:18/);
  write("throws.mjs", "// a comment\nexport const f = () => { throw new Error('deep') };");
  assert.match(shown(await notebook.run('import { f } from "./throws.mjs"; f()')), /throws\.mjs:2:32/);
});

test("CommonJS beside the notebook is Node's: the same for a cell, for require and for a file", async () => {
  write("common.cjs", "exports.state = { n: 1 };");
  write("older.js", "exports.state = { n: 2 };");
  write(
    "uses.mjs",
    "import { state } from './common.cjs';\nimport older from './older.js';\nexport const all = [state, older.state];",
  );
  const code = `import { state } from "./common.cjs"; import { all } from "./uses.mjs";
    [all[0] === state, require("./common.cjs").state === state, all[1] === require("./older.js").state]`;
  assert.equal(await result(code), "[ true, true, true ]");
});

test("exports are live between files", async () => {
  write("live.ts", "export let n = 0; export function add() { n++ }");
  write(
    "reads.ts",
    'import { n, add } from "./live.ts"; export { n as again } from "./live.ts";\nexport function both() { add(); return n }',
  );
  assert.equal(
    await result('import * as reads from "./reads.ts"; [reads.both(), reads.again, reads.both(), reads.again]'),
    "[ 1, 1, 2, 2 ]",
  );
});

test("names that a cell imports follow the exports, in the cell and in later ones", async () => {
  write(
    "counter.ts",
    "export let count = 0;\nexport function inc() { count++ }\nlet inner = 'a';\nexport const next = () => void (inner += 'b');\nexport { inner as default };",
  );
  write("passes.ts", 'export { count as passed } from "./counter.ts";\nexport * from "./counter.ts";');
  const imports =
    'import inner, { count, count as again, inc, next } from "./counter.ts"; import { passed, count as starred } from "./passes.ts"';
  assert.equal(
    await result(`${imports}; inc(); next(); [count, again, passed, starred, inner]`),
    "[ 1, 1, 1, 1, 'ab' ]",
  );
  assert.equal(await result("inc(); const seen = () => count; inc(); [count, seen(), passed]"), "[ 3, 3, 3 ]");
  assert.equal(await result("setTimeout(inc, 1); await new Promise((r) => setTimeout(r, 20)); count"), "4");
  assert.equal(
    await result('import whole, * as all from "./counter.ts"; inc(); next(); [all.count, whole]'),
    "[ 5, 'abb' ]",
  );
  assert.equal(
    await result('import { count as URL } from "./counter.ts"; inc(); [URL, typeof globalThis.URL]'),
    "[ 6, 'function' ]",
  );
});

test("a name that is declared again, as anything but a type, follows no export any more", async () => {
  write(
    "turns.ts",
    "export let turn = 0, other = 0, third = 0, fourth = 0; export function go() { turn++; other++; third++; fourth++ }",
  );
  await result('import { turn, other, third, fourth, go } from "./turns.ts"; go()');
  assert.equal(await result("let turn = 'mine'; go(); [turn, other]"), "[ 'mine', 2 ]");
  assert.equal(await result("type other = string; go(); other"), "3");
  assert.equal(
    await result("{ var third = 'block' }\nfunction fourth() {}\ngo(); [third, typeof fourth]"),
    "[ 'block', 'function' ]",
  );
  assert.equal(await result('import { other as turn } from "./turns.ts"; go(); [turn, other]'), "[ 5, 5 ]");
});

test("a file that was edited and imported again has its new exports followed, and no longer the old ones", async () => {
  write("edited.ts", "export let value = 1; export const set = (v: number) => void (value = v);");
  await result('import { value, set } from "./edited.ts"; const oldSet = set; set(2)');
  assert.equal(await result("value"), "2");
  write("edited.ts", "export let value = 10; export const set = (v: number) => void (value = v * 10);");
  assert.equal(await result('import { value, set } from "./edited.ts"; oldSet(3); value'), "10");
  assert.equal(await result("set(4); oldSet(5); value"), "40");
});

test("names of files that import each other in a circle are followed", async () => {
  write(
    "ring-a.ts",
    'import { b, setB } from "./ring-b.ts";\nexport let a = 1;\nexport const setA = (v: number) => void (a = v);\nexport const both = () => [a, b];\nexport { setB };',
  );
  write(
    "ring-b.ts",
    'import { a, setA } from "./ring-a.ts";\nexport let b = 2;\nexport const setB = (v: number) => { b = v; setA(a + 1) };',
  );
  assert.equal(
    await result(
      'import { a, setB, both } from "./ring-a.ts"; import { b } from "./ring-b.ts"; setB(7); [a, b, both()]',
    ),
    "[ 2, 7, [ 2, 7 ] ]",
  );
});

test("in a circle, files run in the order of JavaScript: what was imported first runs last", async () => {
  write("first.ts", 'import { log } from "./log.ts"; import "./second.ts"; log.push("first");');
  write("second.ts", 'import { log } from "./log.ts"; import "./first.ts"; import "./third.ts"; log.push("second");');
  write("third.ts", 'import { log } from "./log.ts"; import "./second.ts"; log.push("third");');
  write("log.ts", "export const log: string[] = [];");
  assert.equal(
    await result('import "./first.ts"; import { log } from "./log.ts"; log'),
    "[ 'third', 'second', 'first' ]",
  );
});

test("an error in an imported file is shown with its name and line, and the cell does not run", async () => {
  write("wrong.ts", "const fine = 1;\nexport const wrong: number = 'text';\n");
  write("above.ts", 'export * from "./wrong.ts";');
  const ran = await notebook.run('import { wrong } from "./above.ts"; console.log("ran")');
  assert.match(ending(ran), /^TypeScriptError: Type 'string' is not assignable to type 'number'/);
  assert.match(shown(ran), /^wrong\.ts:2:14 - error TS2322:[^]*2 export const wrong: number = 'text';\n {15}~~~~~/);
  assert.equal(ran.stdout, "");
  write("wrong.ts", "export const wrong: number = ;\n");
  assert.match(shown(await notebook.run('import "./above.ts"')), /^wrong\.ts:1:30 - error TS1109/);
  write("wrong.ts", "export const wrong = 5;\n");
  assert.equal(await result('import { wrong } from "./above.ts"; wrong'), "5");
});

test("a file that is not there is named, and found once it is written", async () => {
  assert.match(shown(await notebook.run('import { later } from "./later.ts"')), /Cannot find module '\.\/later\.ts'/);
  write("later.ts", 'export { much } from "./much-later";');
  assert.match(
    shown(await notebook.run('import { much } from "./later.ts"')),
    /^later\.ts:1:22 - error TS2307: Cannot find module '\.\/much-later'/,
  );
  write("much-later.ts", "export const much = 1;");
  assert.equal(await result('import { much } from "./later.ts"; much'), "1");
  rmSync(join(notebook.folder, "much-later.ts"));
  assert.match(shown(await notebook.run('import { much } from "./later.ts"')), /much-later/);
});

test("a traceback through a file shows the line of its TypeScript", async () => {
  write(
    "throws.ts",
    "interface Gone { x: number }\n\nexport async function throws(value: any) {\n  await null;\n  return value.inner.x;\n}\n",
  );
  const text = shown(await notebook.run('import { throws } from "./throws.ts"\nawait throws({})'));
  assert.match(
    text,
    /^TypeError: Cannot read properties of undefined[^]*throws\.ts:5:22\n[^]*❯ 5 │ {3}return value\.inner\.x;/,
  );
  assert.match(text, /at throws \(throws\.ts:5:22\)\n {2}at (async )?In \[\d+\]:2:1$/);
});

test("a file that throws while it is loaded is loaded again by the next import", async () => {
  write(
    "fails.ts",
    "const g = globalThis as { tries?: number };\ng.tries = (g.tries ?? 0) + 1;\nif (g.tries < 2) throw new Error('not yet');\nexport const tries = g.tries;",
  );
  const ran = await notebook.run('import { tries } from "./fails.ts"');
  assert.equal(ending(ran), "Error: not yet");
  assert.match(shown(ran), /fails\.ts:3:24/);
  assert.equal(await result('import { tries } from "./fails.ts"; tries'), "2");
});

for (const [kind, wait] of Object.entries({ awaits: "await new Promise(() => {});", loops: "while (true) {}" })) {
  test(`an interrupt of a file that ${kind} for ever keeps variables, and the file can be loaded again`, async () => {
    write(
      `${kind}.ts`,
      `const g = globalThis as { waited?: boolean };\nif (!g.waited) { g.waited = true; ${wait} }\nexport const ok = 1;`,
    );
    await notebook.run("delete (globalThis as { waited?: boolean }).waited; let dear = 'kept'");
    const running = notebook.run(`import { ok } from "./${kind}.ts"; ok`);
    setTimeout(() => {
      notebook.interrupt();
    }, 500);
    assert.match(ending(await running), /^KeyboardInterrupt/);
    assert.equal(await result(`import { ok } from "./${kind}.ts"; [ok, dear]`), "[ 1, 'kept' ]");
  });
}

test("import.meta of a file is its own; await at its top level works", async () => {
  write("deep/meta.ts", "await null; export const { url, filename, dirname } = import.meta;");
  assert.equal(
    await result(
      'import * as meta from "./deep/meta.ts"; [meta.url.endsWith("/deep/meta.ts"), meta.filename.endsWith("/deep/meta.ts"), meta.dirname.endsWith("/deep")]',
    ),
    "[ true, true, true ]",
  );
});

test("a fresh session gets the files again", async () => {
  assert.equal(await result('import { one } from "./one.ts"; one'), "1");
  assert.match(ending(await notebook.run("process.exit(0)")), /^SessionEnded/);
  assert.equal(await result('import { one } from "./one.ts"; one'), "1");
});

test("a file may use what cells have without an import", async () => {
  write("shows.ts", "export const show = (text: string) => display.html(text);");
  const ran = await notebook.run('import { show } from "./shows.ts"; show("<b>x</b>"); 1');
  assert.equal(ending(ran), "ok", shown(ran));
});

test("a specifier that is computed finds the notebook's own files, as they are now, with what they import", async () => {
  write("plugins/a.ts", 'import { shared } from "../shared.ts";\nexport const name: string = "a" + shared;');
  write("plugins/b.ts", "export const name = 'b';");
  write("shared.ts", "export const shared: number = 1;");
  write("data/c.json", '{ "name": "c" }');
  const all =
    'const names: string[] = [];\nfor (const p of ["a", "b"]) names.push((await import(`./plugins/${p}.ts`)).name);\nnames';
  assert.equal(await result(all), "[ 'a1', 'b' ]");
  write("shared.ts", "export const shared: number = 2;");
  assert.equal(await result(all), "[ 'a2', 'b' ]");
  assert.equal(await result("const kind = 'json';\n(await import(`./data/c.${kind}`)).default.name"), "'c'");
  write("reads.ts", "export const load = async (p: string) => (await import(`./plugins/${p}.ts`)).name as string;");
  assert.equal(await result('import { load } from "./reads.ts";\nawait load("b")'), "'b'");
  assert.equal(await result("const mod = 'path';\n(await import(`node:${mod}`)).sep"), "'/'");
});

test("what is wrong with a file whose name is computed is told as by the compiler, and can be caught", async () => {
  write("wrong.ts", "export const n: number = 'text';");
  const ran = await notebook.run("const w = 'wrong';\nawait import(`./${w}.ts`)");
  assert.match(shown(ran), /wrong\.ts:1:14 - error TS2322/);
  assert.equal(await result("await import(`./${w}.ts`).catch((e: Error) => e.name)"), "'TypeScriptError'");
  assert.match(ending(await notebook.run("await import(`./${w}-not-there.ts`)")), /wrong-not-there/);
});
