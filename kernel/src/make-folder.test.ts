import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { makeFolder } from "./make-folder.js";

test("a folder is made with those above it, and one that is there is left alone", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "metastate-folder-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "a", "b");
  makeFolder(path, { mode: 0o700 });
  makeFolder(path);
  if (process.platform !== "win32") assert.equal(statSync(path).mode & 0o777, 0o700);
  writeFileSync(join(path, "file"), "");
  assert.throws(() => makeFolder(join(path, "file")), { code: "EEXIST" });
  assert.throws(() => makeFolder(join(path, "file", "below")));
});

// Node's own would go on for ever.
test("a folder that the system refuses to make is an error", { skip: process.platform !== "linux" }, () => {
  assert.throws(() => makeFolder("/proc/no-such-folder/below"), { code: "ENOENT" });
});
