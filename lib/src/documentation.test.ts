import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import ts from "typescript";

const library = new URL("./index.js", import.meta.url).href;

const programs: [file: string, blocks: number, output: RegExp][] = [
  ["baselines.md", 5, /\btrue true\n.*learns true\ncut anywhere true/s],
  ["data.md", 8, /the wha\?\?/],
  ["engine.md", 6, /engine +wasm[^]*wanted "float32"[^]*of peak[^]*Decay, output 0, gave NaN at blocks\.1\.att\.w0/],
  ["inspection.md", 8, /\[ 'row', 'position', 'head', 'channel' \] \[ 1, 23, 2, 16 \]/],
  ["training.md", 6, /goes on 12 [\d.]+\n[^]*\d+ 12 12 12/],
  ["variants.md", 4, /^true.*gated 30 \d\.\d{3}/s],
];

for (const [file, leastBlocks, output] of programs) {
  test(`the program of docs/${file} runs`, () => {
    const documentation = readFileSync(fileURLToPath(new URL(`../../docs/${file}`, import.meta.url)), "utf8");
    const blocks = [...documentation.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
    assert.ok(blocks.length >= leastBlocks);
    const program = blocks
      .join("\n")
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
