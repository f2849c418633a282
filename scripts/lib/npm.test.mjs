// @ts-check
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { packagesAreInstalled } from "./npm.mjs";

/**
 * A folder with a lock file that asks for `wanted`, and a node_modules that npm says holds `present`.
 *
 * @param {import("node:test").TestContext} t
 * @param {Record<string, object>} wanted
 * @param {Record<string, object>} present
 */
function project(t, wanted, present) {
  const folder = mkdtempSync(join(tmpdir(), "metastate-npm-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ packages: wanted }));
  mkdirSync(join(folder, "node_modules"));
  for (const path of Object.keys(present)) mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, "node_modules/.package-lock.json"), JSON.stringify({ packages: present }));
  return folder;
}

const A = { version: "1.0.0", integrity: "sha512-a" };

test("what the lock file asks for and node_modules holds needs no installation", (t) => {
  const lock = { "": {}, lib: { version: "0.1.0" }, "node_modules/a": A };
  assert.equal(packagesAreInstalled(project(t, lock, { "node_modules/a": A })), true);
});

test("another version, a missing package and a removed folder are seen", (t) => {
  const lock = { "node_modules/a": A };
  assert.equal(packagesAreInstalled(project(t, lock, {})), false);
  assert.equal(packagesAreInstalled(project(t, lock, { "node_modules/a": { ...A, version: "2.0.0" } })), false);
  const emptied = project(t, lock, { "node_modules/a": A });
  rmSync(join(emptied, "node_modules/a"), { recursive: true });
  assert.equal(packagesAreInstalled(emptied), false);
});

test("a package for another platform may be absent", (t) => {
  const lock = { "node_modules/a": A, "node_modules/for-macos": { ...A, optional: true } };
  assert.equal(packagesAreInstalled(project(t, lock, { "node_modules/a": A })), true);
});

test("an installation that was never finished is no installation", (t) => {
  const folder = project(t, { "node_modules/a": A }, { "node_modules/a": A });
  rmSync(join(folder, "node_modules/.package-lock.json"));
  assert.equal(packagesAreInstalled(folder), false);
});
