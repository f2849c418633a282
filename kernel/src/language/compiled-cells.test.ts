/** Cells that are run again: which are not compiled again, and that those which see something else are. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after, beforeEach } from "node:test";
import { fileURLToPath } from "node:url";
import { Language, type CompileResult } from "./language.js";
import { Library } from "./library.js";

const folder = mkdtempSync(join(tmpdir(), "metastate-compiled-"));
after(() => rmSync(folder, { recursive: true }));
const cellApi = fileURLToPath(new URL("../cell-api/index.js", import.meta.url));
const nodeTypes = join(dirname(createRequire(import.meta.url).resolve("@types/node/package.json")), "index.d.ts");
const language = new Language({ folder, globals: [cellApi], nodeTypes }, new Library());
beforeEach(() => {
  language.reset();
  compiled("0");
});

function compiled(source: string): CompileResult & { ok: true } {
  const result = language.compile(source, "In [1]");
  assert.ok(result.ok, JSON.stringify(result));
  return result;
}

/** Whether a cell is taken from those that were compiled. */
function isKept(source: string): boolean {
  return compiled(source) === compiled(source);
}

test("a cell that declares nothing is compiled once, until another cell declares something", () => {
  const first = compiled("Math.sqrt(2)");
  compiled("Math.sqrt(3)");
  assert.equal(compiled("Math.sqrt(2)"), first);
  compiled("const Other = 1");
  assert.notEqual(compiled("Math.sqrt(2)"), first);
});

test("a cell that declares what it has declared before is compiled no third time", () => {
  const cell = "interface Row { a: number }\nconst rows: Row[] = [], first = rows[0]?.a;\nenum Kind { A }";
  const plot = "[first, Kind.A]";
  compiled(cell);
  compiled(plot);
  assert.ok(isKept(cell));
  assert.ok(isKept(plot));
  const second = compiled(cell);
  compiled("const rows: string[] = []");
  assert.notEqual(compiled(cell), second);
});

test("a cell sees what its names mean now", () => {
  const cell = "const twice: number = 2 * given";
  compiled("let given = 1");
  compiled(cell);
  assert.ok(isKept(cell));
  compiled("let given = 'text'");
  assert.equal(language.compile(cell, "In [1]").ok, false);
  compiled("let given = 2");
  compiled(cell);
  language.reset();
  assert.equal(language.compile(cell, "In [1]").ok, false);
});

test("a file that has changed has the cells that import it compiled again", () => {
  const path = join(folder, "own.ts");
  const write = (text: string, time: number): void => {
    writeFileSync(path, text);
    utimesSync(path, time, time);
  };
  const cell = 'import { n } from "./own.ts"; n.toFixed()';
  write("export const n = 1", 1000);
  compiled(cell);
  assert.ok(isKept(cell));
  write("export const n = 22", 2000);
  assert.match(compiled(cell).modules[0]?.source ?? "", /22/);
  write("export const n = 'text'", 3000);
  assert.equal(language.compile(cell, "In [1]").ok, false);
});

test("a cell that is wrong, or has commands, is looked at each time; %notype is heeded", () => {
  assert.notEqual(language.compile("wrong", "In [1]"), language.compile("wrong", "In [1]"));
  assert.ok(!isKept("%time 1"));
  assert.ok(!isKept("!true"));
  compiled("%notype on");
  compiled("const n: number = 'text'");
  assert.ok(isKept("const n: number = 'text'"));
  compiled("%notype off");
  assert.equal(language.compile("const n: number = 'text'", "In [1]").ok, false);
});
