import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import ts from "typescript";

const documentation = fileURLToPath(new URL("../../docs/data.md", import.meta.url));
const library = new URL("./index.js", import.meta.url).href;

test("the program of docs/data.md runs", () => {
  const blocks = [...readFileSync(documentation, "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
  assert.ok(blocks.length > 8);
  const program = blocks.join("\n").replace('from "metastate"', `from ${JSON.stringify(library)}`);
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
    assert.match(stdout, /the wha\?\?/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
