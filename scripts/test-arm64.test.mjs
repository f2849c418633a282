// @ts-check
// What `npm run test:arm64` says where it cannot do its work. That it does is seen by running it: it needs an emulator.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { addonUnder, environmentOf, writeEmulatedNode } from "./lib/emulated-tests.mjs";

const elsewhere = {
  skip: (process.platform !== "linux" || process.arch === "arm64") && "is about Linux on machines other than arm64",
};

/** @param {import("node:test").TestContext} t */
function ownFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), "metastate arm64-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** @param {string} path what PATH is */
function testArm64(path) {
  const script = join(import.meta.dirname, "test-arm64.mjs");
  return spawnSync(process.execPath, [script], { encoding: "utf8", env: { PATH: path } });
}

test("without an emulator and a compiler for arm64, the packages that have them are named", elsewhere, (t) => {
  const folder = ownFolder(t);
  const neither = testArm64(folder);
  assert.equal(neither.status, 1);
  assert.match(neither.stderr, /qemu-aarch64 and aarch64-linux-gnu-g\+\+ not found/);
  assert.match(neither.stderr, /sudo apt install qemu-user g\+\+-aarch64-linux-gnu\)/);
  writeFileSync(join(folder, "qemu-aarch64-static"), "");
  chmodSync(join(folder, "qemu-aarch64-static"), 0o755);
  const { status, stderr } = testArm64(folder);
  assert.equal(status, 1);
  assert.match(stderr, /aarch64-linux-gnu-g\+\+ not found/);
  assert.match(stderr, /sudo apt install g\+\+-aarch64-linux-gnu\)/);
});

test("what an emulated Node.js starts is emulated, in a folder with a space in its name", (t) => {
  const node = { name: "this", path: join(ownFolder(t), "node's"), env: { METASTATE_NATIVE: "0" } };
  writeEmulatedNode(node.path, [process.execPath, "--title=emulated"]);
  const addon = addonUnder(node);
  assert.equal(addon.loaded, false);
  assert.equal(addon.node, process.version);
  const child = `child_process.execFileSync(process.execPath, ["-p", "process.title"], { encoding: "utf8" })`;
  const { stdout } = spawnSync(node.path, ["-p", child], { encoding: "utf8", env: environmentOf(node) });
  assert.equal(stdout.trim(), "emulated");
});
