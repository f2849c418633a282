/** The program of the cell at hand: when it stays, and that a program which stays says what a new one would. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import ts = require("typescript");
import { semanticDiagnostics } from "./cell-program.js";
import { complete } from "./completion.js";
import { changedInternals, internalsChanged } from "./internals.js";
import { inspect } from "./inspection.js";
import { Language } from "./language.js";
import { Library } from "./library.js";

const folder = mkdtempSync(join(tmpdir(), "metastate-program-"));
after(() => rmSync(folder, { recursive: true }));
const cellApi = fileURLToPath(new URL("../cell-api/index.js", import.meta.url));
const nodeTypes = join(dirname(createRequire(import.meta.url).resolve("@types/node/package.json")), "index.d.ts");
/** The languages of all tests have one: to read declarations is most of what takes time. */
const library = new Library(ts.JSDocParsingMode.ParseAll);
const language = new Language({ folder, globals: [cellApi], nodeTypes }, library);

function programOf(text: string): ts.Program {
  const program = language.edit(text, (_service, _path, found) => found);
  assert.ok(program);
  return program;
}

/** What is wrong with a text, by TypeScript's numbers. */
function wrongWith(text: string): number[] | undefined {
  return language.edit(text, (_service, path, program) => {
    const file = program.getSourceFile(path);
    return file && semanticDiagnostics(program, file).map(({ code }) => code);
  });
}

test("one program takes the texts of a cell, and what cells declare", () => {
  const program = programOf("1");
  assert.equal(programOf("let x = 2; x."), program);
  assert.ok(language.compile("const first = 'a'; interface Shape { width: number }", "In [1]").ok);
  assert.ok(language.compile("const second: Shape = { width: first.length }", "In [2]").ok);
  assert.equal(programOf("second.width"), program);
  assert.deepEqual(wrongWith("second.width = first"), [2322]);
});

for (const text of [
  'import { join } from "node:path";',
  'import("node:path");',
  'let x: import("node:path").ParsedPath;',
  'export * from "node:path";',
  "declare global { var shared: 1 }",
  'declare module "node:path" { export const more: 1 }',
  '/// <reference types="node" />',
  "// @ts-expect-error\n1;",
]) {
  test(`a text with ${JSON.stringify(text)} takes a program of its own`, () => {
    const before = programOf("1");
    const program = programOf(text);
    assert.notEqual(program, before);
    assert.notEqual(programOf("2"), program);
  });
}

test("a text that imports the same in the same way stays in the program", () => {
  const program = programOf('import * as paths from "node:path"; paths.');
  assert.equal(programOf('import { join } from "node:path"; join'), program);
  assert.deepEqual(wrongWith('import { join } from "node:path"; const n: number = join("a")'), [2322]);
  assert.notEqual(programOf('import paths = require("node:path"); paths'), program);
});

test("the program that the next cell takes is made before that is asked for", () => {
  assert.ok(language.compile('import * as late from "node:path"', "In [2]").ok);
  const before = language.edit(";", (_service, _path, program) => program);
  assert.ok(language.compile('import * as later from "node:fs"', "In [2]").ok);
  language.prepare();
  const prepared = programOf(";");
  assert.notEqual(prepared, before);
  assert.deepEqual(wrongWith("late.join('a'); later.absent"), [2339]);
  assert.equal(programOf("late."), prepared);
});

test("what a global declaration of a cell says holds as long as its text", () => {
  assert.deepEqual(wrongWith("declare global { interface Number { halved: number } } (1).halved"), []);
  assert.deepEqual(wrongWith("(1).halved"), [2339]);
});

test("a name that a cell declares is found by a text that did not find it before", () => {
  const text = "comesLater.toFixed(1)";
  assert.deepEqual(wrongWith(text), [2304]);
  assert.ok(language.compile("let comesLater = 5", "In [3]").ok);
  assert.deepEqual(wrongWith(text), []);
  language.reset();
  assert.deepEqual(wrongWith(text), [2304]);
});

test("a name that is declared again means the new one, and what spoke of the old one still does", () => {
  assert.ok(language.compile("class Again { old = 1 }\nlet kept = new Again()", "In [4]").ok);
  assert.ok(language.compile("class Again { young = 1 }\nlet made = new Again()", "In [5]").ok);
  assert.deepEqual(wrongWith("kept.old + made.young + new Again().young"), []);
  assert.deepEqual(wrongWith("made = kept"), [2741]);
});

test("declarations of many cells are joined, taken back and forgotten within one program", () => {
  language.reset();
  programOf("declare global {}");
  const program = programOf("1");
  for (let i = 0; i < 20; i++) {
    assert.ok(language.compile(`class Own${i} { #own = ${i} }\nlet own${i} = new Own${i}()`, "In [8]").ok);
    assert.deepEqual(wrongWith("own0 = new Own0()"), []);
  }
  const result = language.compile("let own0 = 'text'", "In [9]");
  assert.ok(result.ok);
  assert.deepEqual(wrongWith("own0.length"), []);
  language.takeBack(result.commit);
  assert.deepEqual(wrongWith("own0.length"), [2339]);
  assert.deepEqual(wrongWith("own0 = new Own0(); own19 = new Own19(); own7 = own8"), [2322]);
  language.reset();
  assert.deepEqual(wrongWith("own19"), [2304]);
  assert.equal(programOf("1"), program);
});

test("variables of a cell whose types TypeScript fails to write are there all the same", () => {
  const program = programOf("1");
  const emit = program.emit.bind(program);
  program.emit = (...args) => {
    // `true`, and what the kernel gives for it: declarations alone.
    if (Number(args[3]) === 1) throw new Error("TypeScript fails");
    return emit(...args);
  };
  assert.ok(language.compile("const unwritten = { a: 1 }; type Unwritten = 1", "In [1]").ok);
  assert.deepEqual(wrongWith("unwritten.a.b"), []);
  assert.notEqual(programOf("1"), program);
});

test("what is wrong with a cell is told each time it is run, and in the same words", () => {
  const cell =
    "type Longer<N extends number, A extends 0[] = []> = A['length'] extends N ? A : Longer<N, [...A, 0]>;\n" +
    "let long: Longer<100000>";
  const said = [1, 2, 3].map((n) => {
    const result = language.compile(cell, `In [${n}]`);
    return result.ok ? "ok" : result.errors.evalue;
  });
  assert.match(said[0] ?? "", /excessively deep/);
  assert.deepEqual(said, [said[0], said[0], said[0]]);
  assert.ok(language.compile("let b = 'b' as const; b", "In [6]").ok);
  const order = language.compile("declare function f(_: 'a' | 'b'): void; f('c')", "In [7]");
  assert.match(order.ok ? "" : order.errors.evalue, /parameter of type '"a" \| "b"'/);
});

test("what a name is does not depend on what was asked before", () => {
  const text = "[{ n: 1 }].length";
  const shown = inspect(language, text, 14)?.signature;
  complete(language, "[1].len", 7);
  complete(language, text, 14);
  assert.ok(language.compile("[{ m: 1 }].length", "In [8]").ok);
  assert.equal(inspect(language, `${text} `, 14)?.signature, shown);
});

test("a program does not keep texts for ever", () => {
  const program = programOf("1");
  for (let i = 0; i < 300; i++) programOf(`${i} + 1`);
  assert.notEqual(programOf("1"), program);
});

test("a file of the notebook's own that changes on disk is read again", () => {
  const path = join(folder, "own.ts");
  writeFileSync(path, "export const own = 1;");
  const text = 'import { own } from "./own"; own.toFixed()';
  assert.deepEqual(wrongWith(text), []);
  writeFileSync(path, "export const own = 'one';");
  utimesSync(path, 1, 1);
  assert.deepEqual(wrongWith(`${text};`), [2551]);
});

/** A language of which nothing was asked yet. The trees of files are shared by path, so its folder is its own. */
function freshLanguage(files: Readonly<Record<string, string>> = {}): Language {
  const own = mkdtempSync(join(folder, "fresh-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(own, name), text);
  return new Language({ folder: own, globals: [cellApi], nodeTypes }, library);
}

/** What such a language says is wrong with a cell; nothing where it is right. */
function wrongInFirst(text: string, files?: Readonly<Record<string, string>>): string {
  const result = freshLanguage(files).compile(text, "In [1]");
  return result.ok ? "" : result.errors.evalue;
}

test("modules of Node that few import have their types as soon as something imports one", () => {
  const all = `import cluster from "node:cluster"; import { Session } from "inspector"; import * as repl from "node:repl";
    import check, { mock } from "node:test"; import type { Http2Server } from "http2"; let server: Http2Server | undefined;
    new Session().connect(); [cluster.isPrimary, repl.start, mock.fn, server?.listening]; check("it", () => {});`;
  assert.equal(wrongInFirst(all), "");
  assert.match(wrongInFirst('import { connect } from "node:http2"; const n: number = connect'), /is not assignable/);
  assert.match(wrongInFirst('import { nothing } from "inspector/promises"'), /no exported member/);
  assert.match(wrongInFirst('const n: number = (await import("node:inspector")).url'), /is not assignable/);
  assert.match(wrongInFirst('let s: import("repl").REPLServer | undefined; s = 5'), /is not assignable/);
  assert.equal(wrongInFirst('process.getBuiltinModule("node:http2").connect; 1'), "");
  const uses = { "uses.ts": 'import { connect } from "node:http2";\nexport const n: number = connect;' };
  assert.match(wrongInFirst('import { n } from "./uses.ts"', uses), /is not assignable/);
  const byName = { "by-name.ts": 'export const { Session } = process.getBuiltinModule("inspector");' };
  assert.equal(wrongInFirst('import { Session } from "./by-name.ts"; new Session().connect()', byName), "");
});

test("modules of Node that few import are completed, by name and what is in them", () => {
  const fresh = freshLanguage();
  const completed = (text: string): string[] => complete(fresh, text, text.length).items.map((item) => item.text);
  assert.deepEqual(completed('import x from "node:insp'), ["node:inspector", "node:inspector/promises"]);
  assert.deepEqual(completed('import * as i from "node:inspector"; i.Sess'), ["Session"]);
  assert.deepEqual(completed('import * as h from "node:http2"; h.conn'), ["connect"]);
});

test("a language that was made for another folder is the same as one that was made for this one", () => {
  const folderOf = (name: string): string => {
    const path = join(folder, name);
    mkdirSync(join(path, "node_modules", "pkg"), { recursive: true });
    writeFileSync(
      join(path, "beside.ts"),
      "export class Beside { private hidden = 1 }\nexport const beside = new Beside();",
    );
    writeFileSync(join(path, "node_modules", "pkg", "package.json"), '{ "name": "pkg", "types": "index.d.ts" }');
    writeFileSync(join(path, "node_modules", "pkg", "index.d.ts"), "export declare const packed: { deep: 1 };");
    return path;
  };
  const options = { globals: [cellApi], nodeTypes };
  const moved = new Language({ ...options, folder: "/.no-notebook" }, library);
  const program = moved.edit("1", (_service, _path, found) => found);
  moved.compile("let early = 1; console.log(early)", "In [1]");
  moved.reset();
  const here = folderOf("here");
  assert.ok(moved.moveTo(here));
  assert.equal(
    moved.edit("2", (_service, _path, found) => found),
    program,
  );
  const made = new Language({ ...options, folder: folderOf("there") }, library);
  for (const cell of [
    "early",
    "let early = 'a'; early.length",
    "const far: Path = 1",
    'import { beside } from "./beside"; let kept = [beside]; console.log(import.meta.dirname)',
    "class Beside { private hidden = 2 }\nkept.push(new Beside())",
    'import { packed } from "pkg"; packed.deep; packed.depe',
    'import { packed } from "pkg"; packed.deep',
    "packed.deep + kept.length; display(early)",
    'import * as all from "./beside.ts"; all.beside.hidden',
    'import { absent } from "absent"',
  ]) {
    const told = ({ ...result }: ReturnType<Language["compile"]>, of: string): string =>
      JSON.stringify(result).replaceAll(of, "");
    assert.equal(told(moved.compile(cell, "In [2]"), here), told(made.compile(cell, "In [2]"), join(folder, "there")));
  }
  assert.deepEqual(complete(moved, "kept[0].", 8), complete(made, "kept[0].", 8));
  assert.deepEqual(inspect(moved, "packed", 2), inspect(made, "packed", 2));
});

test("a language is not moved to a notebook that has options of its own", () => {
  const path = join(folder, "strict");
  mkdirSync(path);
  writeFileSync(join(path, "tsconfig.json"), '{ "compilerOptions": { "strict": false } }');
  const own = new Language({ globals: [cellApi], nodeTypes, folder: "/.no-notebook" }, library);
  assert.equal(own.moveTo(path), false);
});

test("the TypeScript that is installed is inside as the program of the cells takes it to be", () => {
  const changed = language.edit("1", (_service, path, program) => {
    const file = program.getSourceFile(path);
    assert.ok(file);
    return changedInternals(program, file);
  });
  assert.deepEqual(changed, [], internalsChanged(changed ?? []));
});

test("what has changed inside of TypeScript is named", () => {
  const program = programOf("1");
  const [file] = program.getSourceFiles();
  assert.ok(file);
  const another = { ...program, getFilesByNameMap: undefined, getSourceFiles: () => [...program.getSourceFiles()] };
  const changed = changedInternals(another, file);
  assert.ok(
    changed.includes("program.getFilesByNameMap") && changed.includes("program.getSourceFiles"),
    String(changed),
  );
  assert.match(internalsChanged(changed), /Install the version that the kernel's package.json names/);
});

test("cells compile with a TypeScript of another inside, by new programs, and that is told once", (t) => {
  const { PossiblyContainsDynamicImport } = ts.NodeFlags as unknown as { PossiblyContainsDynamicImport: number };
  Object.assign(ts.NodeFlags, { PossiblyContainsDynamicImport: 1 });
  t.after(() => Object.assign(ts.NodeFlags, { PossiblyContainsDynamicImport }));
  const other = new Language({ folder, globals: [cellApi], nodeTypes }, library);
  const first = other.compile("let other = 1", "In [1]");
  assert.ok(first.ok);
  assert.match(
    first.warning ?? "",
    /does not know the inside of TypeScript .*\(NodeFlags\.PossiblyContainsDynamicImport\)/,
  );
  const second = other.compile("const twice = other * 2; twice", "In [2]");
  assert.ok(second.ok);
  assert.equal(second.warning, undefined);
  assert.equal(other.moveTo(folder), false);
});

test("a program into which nothing can be put is replaced", () => {
  const program = programOf("1") as ts.Program & { getFilesByNameMap: () => unknown };
  const { getFilesByNameMap } = program;
  program.getFilesByNameMap = () => {
    program.getFilesByNameMap = getFilesByNameMap;
    throw new Error("it is another");
  };
  assert.deepEqual(wrongWith("let replaced: string = 1"), [2322]);
});
