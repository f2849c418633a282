// @ts-check
// The native build's ways to go wrong, each in a folder of the test's own: the addon in use is not touched.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import test from "node:test";
import { buildNative } from "./build-native.mjs";
import { root } from "./lib/checkout.mjs";
import { findCompiler } from "./lib/native/compiler.mjs";

/** @param {import("node:test").TestContext} t */
function ownFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), "metastate-build-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/**
 * A program that is no compiler.
 *
 * @param {string} folder
 * @param {string} script
 */
function fakeCompiler(folder, script) {
  const path = join(folder, "fake-c++");
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

test("without a compiler there is no build, but a reason and a remedy, and a note for the loader", async (t) => {
  const folder = ownFolder(t);
  const result = await buildNative({ folder, venv: join(folder, "none"), env: { PATH: folder } });
  assert.deepEqual(result, {
    built: false,
    reason: "no C++ compiler was found",
    remedy: "install one (Debian: apt install g++), then run npm run build:native",
  });
  assert.deepEqual(JSON.parse(readFileSync(join(folder, "last-attempt.json"), "utf8")), result);
});

test("without a compiler, and when the wheel of one cannot be installed, both are told", async (t) => {
  const folder = ownFolder(t);
  mkdirSync(join(folder, "venv", "bin"), { recursive: true });
  const python = join(folder, "venv", "bin", "python");
  writeFileSync(python, "#!/bin/sh\necho 'no route to the index' >&2\nexit 1\n", { mode: 0o755 });
  /** @type {string[]} */
  const lines = [];
  const result = await buildNative({
    folder,
    venv: join(folder, "venv"),
    env: { PATH: folder },
    log: (line) => lines.push(line),
  });
  assert.ok(!result.built);
  if (process.platform === "linux") {
    assert.match(result.reason, /^no C\+\+ compiler was found, and ziglang could not be installed/);
    assert.ok(lines.includes("no route to the index"));
  }
});

test("a compiler that CXX names and that is not there is told", async (t) => {
  const folder = ownFolder(t);
  const result = await buildNative({ folder, env: { ...process.env, CXX: "no-such-compiler -m64" } });
  assert.ok(!result.built);
  assert.match(result.reason, /CXX is "no-such-compiler -m64", and there is no such program/);
});

test("a failed build shows the compiler's messages whole, leaves the addon that was there and says so", async (t) => {
  const folder = ownFolder(t);
  mkdirSync(join(folder, "Release"));
  writeFileSync(join(folder, "Release", "metastate_native.node"), "the old one");
  const compiler = fakeCompiler(folder, "echo 'the first line'; echo 'the last line' >&2; exit 1");
  /** @type {string[]} */
  const lines = [];
  const result = await buildNative({
    folder,
    env: { ...process.env, CXX: compiler },
    log: (line) => lines.push(line),
  });
  assert.ok(!result.built && result.kept);
  // Without CMake nothing is compiled, and that is told instead.
  if (/CMake could not set the build up/.test(result.reason)) {
    assert.ok(
      lines.some((line) => line.includes("the first line")) && lines.some((line) => line.includes("the last line")),
    );
  } else {
    assert.match(result.reason, /a compiler is there, but not |could not be installed/);
  }
  assert.equal(readFileSync(join(folder, "Release", "metastate_native.node"), "utf8"), "the old one");
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("attempt-")),
    [],
  );
});

test("a folder that cannot be written to is told, not thrown", async (t) => {
  const file = join(ownFolder(t), "file");
  writeFileSync(file, "no folder");
  const result = await buildNative({ folder: join(file, "build"), force: true });
  assert.ok(!result.built);
});

test("a build that is up to date runs nothing, and another compiler makes it out of date", async (t) => {
  const folder = ownFolder(t);
  const venv = join(root, ".venv");
  const compiler = await findCompiler({ log: () => {}, folder, venv, env: process.env }).catch(() => undefined);
  if (!compiler) return t.skip("no C++ compiler was found");
  // What is built is not run, and to optimise it would take most of the time.
  const env = { ...process.env, CXX: fakeCompiler(folder, `exec ${compiler.command} "$@" -O0`) };
  const first = await buildNative({ folder, env });
  if (!first.built) return t.skip(first.reason);
  const addon = join(folder, "Release", "metastate_native.node");
  const { ino, mtimeMs } = statSync(addon);
  /** @type {string[]} */
  const lines = [];
  const log = (/** @type {string} */ line) => lines.push(line);
  assert.deepEqual(await buildNative({ folder, env, log }), { built: true, how: "up to date" });
  assert.deepEqual(lines, []);
  const after = statSync(addon);
  assert.deepEqual([after.ino, after.mtimeMs], [ino, mtimeMs]);

  const other = await buildNative({ folder, env: { ...process.env, CXX: fakeCompiler(ownFolder(t), "exit 1") } });
  assert.ok(!other.built);
  assert.deepEqual(await buildNative({ folder, env }), { built: true, how: "up to date" });
});

test("programs are found along PATH, the first that may run", async (t) => {
  const folder = ownFolder(t);
  writeFileSync(join(folder, "g++"), "not executable");
  const env = { PATH: ["", folder, "/nowhere"].join(delimiter) };
  const result = await buildNative({ folder, venv: join(folder, "none"), env });
  assert.ok(!result.built);
  assert.equal(result.reason, "no C++ compiler was found");
});
