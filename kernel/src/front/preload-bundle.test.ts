/** What a session imports for a preload module that has a bundle. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { TestNotebook } from "../testing.js";
import { bundleOf } from "./preload-bundle.js";

const folder = mkdtempSync(join(tmpdir(), "metastate-preload-"));
const path = (name: string): string => join(folder, name);
const write = (name: string, text: string): void => {
  mkdirSync(dirname(path(name)), { recursive: true });
  writeFileSync(path(name), text);
};
write("package.json", JSON.stringify({ type: "module" }));
after(() => {
  rmSync(folder, { recursive: true });
});

test("sessions import a preload's bundle, and its packages' bundles with it, until what was bundled changes", async (t) => {
  const exports = { types: "./index.d.ts", "tools-bundle": "./bundle.js", default: "./index.js" };
  write("node_modules/tools/package.json", JSON.stringify({ name: "tools", type: "module", exports }));
  write("node_modules/tools/index.d.ts", "export declare const kind: string;\n");
  write("node_modules/tools/index.js", `export const kind = "modules";`);
  write("node_modules/tools/bundle.js", `export const kind = "bundle";`);
  write("preload.d.ts", `export * as tools from "tools";\nexport declare const preload: string;\n`);
  write("preload.js", `export * as tools from "tools"; export const preload = "module";`);
  write("bundle/preload.js", `export * as tools from "tools"; export const preload = "bundle";`);
  write("changes", "");
  const preload = path("preload.js");
  assert.deepEqual(bundleOf(preload), { path: preload }, "without a note");
  const note = { module: "./bundle/preload.js", condition: "tools-bundle", newerThan: ["changes", "absent"] };
  write("preload.bundle.json", JSON.stringify(note));
  const notebook = new TestNotebook([preload]);
  t.after(() => notebook.close());
  const cell = 'import * as imported from "tools"; `${preload} ${tools.kind} ${imported === tools}`';
  assert.equal((await notebook.run(cell)).result, "'bundle bundle true'");
  const later = Date.now() / 1000 + 10;
  utimesSync(path("changes"), later, later);
  assert.equal((await notebook.run(`%reset\n${cell}`)).result, "'module modules true'");
  write("preload.bundle.json", JSON.stringify({ ...note, newerThan: [], module: "./absent.js" }));
  assert.deepEqual(bundleOf(preload), { path: preload }, "a note without its bundle");
  write("preload.bundle.json", "{");
  assert.deepEqual(bundleOf(preload), { path: preload }, "a note that cannot be read");
});

test("the frames of an error name the modules that a bundle is made of, where it has a map", async (t) => {
  write("throws.d.ts", "export declare function fail(): never;\n");
  write("throws.js", "throw new Error('the bundle is there');");
  write("bundle/throws.js", 'export function fail() { throw new Error("no"); }');
  write("throws.bundle.json", JSON.stringify({ module: "./bundle/throws.js", condition: "any", newerThan: [] }));
  const map = { version: 3, sources: ["../fail.js"], names: [], mappings: "AAKG" }; // its sixth line
  const frames = async (): Promise<string> => {
    const notebook = new TestNotebook([path("throws.js")]);
    t.after(() => notebook.close());
    const { outcome } = await notebook.run("fail()");
    return outcome.status === "ok" ? "" : stripVTControlCharacters(outcome.traceback.join("\n"));
  };
  assert.match(await frames(), /^Error: no[^]*at (Module\.)?fail \(file:.*\/bundle\/throws\.js:1:\d+\)/);
  write("bundle/throws.js.map", JSON.stringify(map));
  assert.match(await frames(), /^Error: no[^]*at (Module\.)?fail \(file:[^ ]*(?<!bundle)\/fail\.js:6:\d+\)/);
});
