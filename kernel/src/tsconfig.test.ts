/** A notebook with a `tsconfig.json`: what it can say, and when it is seen. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { ending, TestNotebook } from "./testing.js";

let notebook: TestNotebook;
before(() => {
  notebook = new TestNotebook();
});
after(() => notebook.close());

function write(name: string, text: string | object): void {
  notebook.write(name, typeof text === "string" ? text : JSON.stringify(text));
}

function configure(compilerOptions: object, more: object = {}): void {
  write("tsconfig.json", { compilerOptions, ...more });
}

async function ends(code: string): Promise<string> {
  return ending(await notebook.run(code));
}

test("strictness follows the file, from the cell after it was written", async () => {
  assert.match(
    await ends("function loose(x) { return x }"),
    /^TypeScriptError: Parameter 'x' implicitly has an 'any' type/,
  );
  configure({ strict: false, outDir: "out", module: "commonjs", rootDir: "elsewhere" });
  assert.equal(await ends("function loose(x) { return x }"), "ok");
  assert.equal((await notebook.run("loose(1)")).result, "1");
  configure({ strict: true, noUncheckedIndexedAccess: true });
  assert.match(await ends("const xs = [1]; xs[0].toFixed()"), /possibly 'undefined'/);
  assert.equal((await notebook.run("loose(2)")).result, "2");
});

test("paths name the notebook's own files", async () => {
  write("lib/util.ts", "export const util = 'u';");
  configure({ paths: { "@/*": ["./lib/*"] } });
  assert.equal((await notebook.run('import { util } from "@/util"; util')).result, "'u'");
  write("lib/util.ts", "export const util = 'v';");
  assert.equal((await notebook.run('import { util } from "@/util"; util')).result, "'v'");
  assert.equal((await notebook.run('(await import("@/util")).util')).result, "'v'");
});

test("experimental decorators", async () => {
  configure({ experimentalDecorators: true });
  assert.equal(
    (
      await notebook.run(
        "const names: string[] = []; function note(_: object, key: string) { names.push(key) }\nclass D { @note a = 1; @note m() {} }\nnames",
      )
    ).result,
    "[ 'a', 'm' ]",
  );
});

test("JSX, in cells and in files", async () => {
  configure({ jsx: "react", jsxFactory: "h" });
  const h =
    "function h(tag: string, props: object | null, ...children: unknown[]) { return [tag, props, ...children] }\ndeclare global { namespace JSX { interface IntrinsicElements { b: { x?: number } } } }";
  assert.equal((await notebook.run(`${h}\n<b x={1}>text</b>`)).result, "[ 'b', { x: 1 }, 'text' ]");
  write("view.tsx", `${h.replace(/declare.*/s, "")}\nexport const view = <b>file</b>;`);
  assert.equal((await notebook.run('import { view } from "./view"; view')).result, "[ 'b', null, 'file' ]");
});

test("lib and target", async () => {
  configure({});
  assert.match(await ends("document.title"), /Cannot find name 'document'/);
  configure({ lib: ["es2023", "dom"], target: "es5" });
  assert.equal(await ends("const title = () => document.title; class C { #x = 1n; static { C.name } }"), "ok");
  configure({ target: "esnext" });
  assert.equal(await ends("const grouped = () => Object.groupBy([1], String)"), "ok");
  configure({ lib: ["es2022"] });
  assert.match(await ends("[1].toSorted()"), /Property 'toSorted' does not exist/);
  configure({});
  assert.equal(await ends("[1].toSorted()"), "ok");
});

test("a broken file is reported on the next cell, once, and the options of before are used", async () => {
  configure({ noUncheckedIndexedAccess: true });
  assert.match(await ends("[1][0].toFixed()"), /possibly 'undefined'/);
  write("tsconfig.json", '{\n  "compilerOptions": { "strict": ture }\n}');
  const ran = await notebook.run("1 + 1");
  assert.equal(ran.result, "2");
  assert.match(stripVTControlCharacters(ran.stderr), /^tsconfig\.json:2:34 - error TS\d+:[^]*"strict": ture/);
  assert.equal((await notebook.run("1 + 1")).stderr, "");
  assert.match(await ends("[1][0].toFixed()"), /possibly 'undefined'/);
  configure({ target: "es1" });
  assert.match(stripVTControlCharacters((await notebook.run("2")).stderr), /Argument for '--target' option must be/);
  rmSync(join(notebook.folder, "tsconfig.json"));
  assert.equal(await ends("[1][0].toFixed()"), "ok");
});

test("extends is followed, and a change there is seen", async () => {
  write("base.json", { compilerOptions: { noUncheckedIndexedAccess: true } });
  configure({}, { extends: "./base.json" });
  assert.match(await ends("[1][0].toFixed()"), /possibly 'undefined'/);
  write("base.json", { compilerOptions: {} });
  assert.equal(await ends("[1][0].toFixed()"), "ok");
});
