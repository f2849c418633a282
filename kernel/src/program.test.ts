/** Which code a process of the kernel is started from. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { pathToFileURL } from "node:url";
import { program } from "./program.js";

test("a process starts from its bundle, unless the modules were compiled after it", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "metastate-program-"));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const modules = pathToFileURL(`${folder}/dist/`);
  const started = (): string => program("session/main", modules).href.slice(modules.href.length);
  assert.equal(started(), "session/main.js", "without a bundle");
  const bundle = join(folder, "dist", "bundle", "session", "main.js");
  mkdirSync(join(bundle, ".."), { recursive: true });
  writeFileSync(bundle, "");
  assert.equal(started(), "bundle/session/main.js", "a published package has nothing but the bundle");
  const compiled = join(folder, "tsconfig.tsbuildinfo");
  writeFileSync(compiled, "");
  const now = Date.now() / 1000;
  utimesSync(bundle, now, now);
  utimesSync(compiled, now - 1, now - 1);
  assert.equal(started(), "bundle/session/main.js");
  utimesSync(compiled, now + 1, now + 1);
  assert.equal(started(), "session/main.js");
});
