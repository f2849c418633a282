import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import ts from "typescript";

const library = new URL("./index.js", import.meta.url).href;
const root = fileURLToPath(new URL("../../", import.meta.url));

/** The guides that are programs. Those that are cells of a notebook are run by `tests/src/docs/examples.test.ts`. */
const programs: [page: string, blocks: number, output: RegExp][] = [
  ["docs/baselines.md", 5, /\btrue true\n.*learns true\ncut anywhere true/s],
  ["docs/data.md", 8, /the wha\?\?/],
  [
    "docs/engine.md",
    6,
    /engine +wasm[^]*wanted "float32"[^]*of peak[^]*Decay, output 0, gave NaN at blocks\.1\.att\.w0/,
  ],
  ["docs/inspection.md", 8, /\[ 'row', 'position', 'head', 'channel' \] \[ 1, 23, 2, 16 \]/],
  ["docs/programs.md", 3, /^20 [\d.]+ [\d.]+\n\[ true, true \]\ntrue\n/],
  ["docs/training.md", 6, /goes on 12 [\d.]+\n[^]*\d+ 12 12 12/],
  ["docs/variants.md", 4, /^true.*gated 30 \d\.\d{3}/s],
  ["lib/README.md", 1, /^1 5\.\d+ 5\.\d+\n/],
];

function blocksOf(page: string): string[] {
  const documentation = readFileSync(join(root, page), "utf8");
  return [...documentation.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
}

function isProgram(page: string): boolean {
  return blocksOf(page)[0]?.startsWith("import ") ?? false;
}

/** The README's model is larger, and its training longer, than is needed to see that it runs. */
function programOf(page: string): string {
  return blocksOf(page).join("\n").replace("steps: 600", "steps: 1").replace("every: 100", "every: 100, tokens: 256");
}

test("every guide that is a program is run", () => {
  const guides = readdirSync(join(root, "docs")).map((name) => `docs/${name}`);
  const pages = ["lib/README.md", ...guides].filter((page) => page.endsWith(".md") && isProgram(page));
  assert.deepEqual(pages.sort(), programs.map(([page]) => page).sort());
});

test("the programs of the guides pass a strict type check", () => {
  const texts = new Map(programs.map(([page], i) => [join(root, "lib", `page-${i}.mts`), programOf(page)]));
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, types: ["node"] },
    ...{ target: ts.ScriptTarget.ES2024, module: ts.ModuleKind.NodeNext },
  };
  const host = ts.createCompilerHost(options);
  host.fileExists = (path) => texts.has(path) || ts.sys.fileExists(path);
  host.readFile = (path) => texts.get(path) ?? ts.sys.readFile(path);
  const wrong = ts.getPreEmitDiagnostics(ts.createProgram([...texts.keys()], options, host));
  assert.equal(ts.formatDiagnostics(wrong, host), "");
});

for (const [page, leastBlocks, output] of programs) {
  test(`the program of ${page} runs`, () => {
    assert.ok(blocksOf(page).length >= leastBlocks);
    const program = programOf(page)
      .replace('from "metastate"', `from ${JSON.stringify(library)}`)
      .replace('from "@tensorflow/tfjs-core"', `from ${JSON.stringify(import.meta.resolve("@tensorflow/tfjs-core"))}`);
    const { outputText } = ts.transpileModule(program, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    const folder = mkdtempSync(join(tmpdir(), "metastate-docs-"));
    try {
      writeFileSync(join(folder, "program.mjs"), outputText);
      const { status, stdout, stderr } = spawnSync(process.execPath, ["program.mjs"], {
        cwd: folder,
        encoding: "utf8",
        env: { ...process.env, METASTATE_BACKEND: "wasm" },
      });
      assert.equal(status, 0, stderr);
      assert.match(stdout, output);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

/** What an example may use beside what it makes itself, as a notebook has it. */
const given = `
  import * as ms from "./index.js";
  declare const model: ms.Model, tokens: number[], batches: ms.TrainBatches;
  declare function display(value: unknown): { update(value: unknown): void };
`;

test("the examples of docstrings are TypeScript that the library's types allow", () => {
  const sources = fileURLToPath(new URL("../src/", import.meta.url));
  const examples = new Map<string, string>();
  for (const file of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
    const text = readFileSync(join(sources, file), "utf8");
    [...text.matchAll(/@example\n \* ```ts\n(.*?)\n \* ```/gs)].forEach(([, code], i) => {
      // In a block of its own, which may name what is given anew.
      const body = code!.replace(/^ \* ?/gm, "");
      examples.set(
        join(sources, `example ${examples.size} of ${file.replaceAll("/", " ")} ${i}.ts`),
        `${given}{${body}\n}`,
      );
    });
  }
  assert.ok(examples.size >= 10);
  const options: ts.CompilerOptions = {
    ...{
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      strict: true,
      noEmit: true,
      skipLibCheck: true,
    },
    ...{ lib: ["lib.es2023.d.ts", "lib.es2024.string.d.ts", "lib.esnext.disposable.d.ts"], types: ["node"] },
  };
  const files = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...files,
    fileExists: (path) => examples.has(path) || files.fileExists(path),
    readFile: (path) => examples.get(path) ?? files.readFile(path),
    getSourceFile: (path, language, ...rest) => {
      const example = examples.get(path);
      if (example === undefined) return files.getSourceFile(path, language, ...rest);
      return ts.createSourceFile(path, example, language);
    },
  };
  const program = ts.createProgram([...examples.keys()], options, host);
  const wrong = [...examples.keys()].flatMap((path) =>
    ts.getPreEmitDiagnostics(program, program.getSourceFile(path)).map(({ messageText }) => {
      return `${path}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
    }),
  );
  assert.deepEqual(wrong, []);
});
