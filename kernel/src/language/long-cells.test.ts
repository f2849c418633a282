/** Long cells: the way back through their calls is short, and types are as in short ones. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import ts = require("typescript");
import { formatDiagnostics } from "./diagnostics.js";
import { Language } from "./language.js";

const folder = mkdtempSync(join(tmpdir(), "metastate-long-"));
after(() => rmSync(folder, { recursive: true }));
const cellApi = fileURLToPath(new URL("../cell-api/index.js", import.meta.url));
const nodeTypes = join(dirname(createRequire(import.meta.url).resolve("@types/node/package.json")), "index.d.ts");
const language = new Language({ folder, globals: [cellApi], nodeTypes });

interface FlowNode {
  readonly antecedent?: FlowNode;
}

/** Points of the flow of control between the last statement and the start of a cell. */
function wayBack(text: string): number | undefined {
  return language.edit(text, (_service, path, program) => {
    const last = program.getSourceFile(path)?.statements.at(-1) as ts.Statement & { readonly flowNode?: FlowNode };
    let steps = 0;
    for (let at = last.flowNode; at?.antecedent !== undefined; at = at.antecedent) steps++;
    return steps;
  });
}

const many = (statement: string): string => `${statement}\n`.repeat(2000);

test("the way back past calls that rule out nothing is short", () => {
  assert.ok((wayBack(`const list: number[] = [];\n${many("console.log(1);\nlist.push(1);")}list`) ?? Infinity) < 10);
});

test("what asserts, never returns, or gives an array its type keeps its place", () => {
  const cell = `
    function isText(value: unknown): asserts value is string { if (typeof value !== "string") throw new Error() }
    function fail(): never { throw new Error() }
    const value = JSON.parse('"text"') as unknown;
    const growing = [];
    isText(value);
    growing.push(1);
    ${many("console.log(0);")}
    const text: string = value;
    const first: number | undefined = growing[0];
    const none: string[] = growing;`;
  const result = language.compile(cell, "In [1]");
  assert.ok(!result.ok);
  assert.match(result.errors.evalue, /^Type 'number\[\]' is not assignable to type 'string\[\]'|Type 'number' is not/);
  const ends = language.compile(`${many("console.log(0);")} process.exit(); ${many("console.log(0);")}1`, "In [2]");
  assert.ok(ends.ok);
});

test("a cell that is too large for TypeScript to follow is told the remedy", () => {
  const tooLarge = { category: ts.DiagnosticCategory.Error, code: 2563, file: undefined, start: 0, length: 1 };
  const { traceback } = formatDiagnostics([{ ...tooLarge, messageText: "too large" }], () => ({
    label: "",
    text: "x",
  }));
  assert.match(traceback.join("\n"), /too large\n%notype on the first line/);
});
