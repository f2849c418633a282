// @ts-check
// What `npm run test:avx512` says where it cannot do its work. That it does is seen by running it: it needs emulators.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

/**
 * @param {string} path what PATH is
 * @param {string[]} args
 */
function testAvx512(path, args = []) {
  const script = join(import.meta.dirname, "test-avx512.mjs");
  return spawnSync(process.execPath, [script, ...args], { encoding: "utf8", env: { PATH: path } });
}

const elsewhere = { skip: (process.platform !== "linux" || process.arch !== "x64") && "is about Linux on x86-64" };

test("without the emulators, the packages that are missing are named", elsewhere, (t) => {
  const folder = mkdtempSync(join(tmpdir(), "metastate-avx512-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const bochs = testAvx512(folder, ["--cpu", "unsaved"]);
  assert.equal(bochs.status, 1);
  assert.match(bochs.stderr, /genisoimage, .*bochs not found/);
  assert.match(bochs.stderr, /sudo apt install --no-install-recommends .*genisoimage.* bochs/);
  const qemu = testAvx512(folder, ["--cpu", "avx,sse"]);
  assert.equal(qemu.status, 1);
  assert.match(qemu.stderr, /qemu-x86_64 not found/);
  assert.match(qemu.stderr, /sudo apt install qemu-user\)/);
});

test("a CPU that is none of those emulated is refused with their names", () => {
  const { status, stderr } = testAvx512("", ["--cpu", "pentium"]);
  assert.equal(status, 2);
  assert.match(stderr, /--cpu pentium: give some of avx512,unsaved,avx,sse/);
});
