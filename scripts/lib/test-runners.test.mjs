// @ts-check
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { longest, longestFirst, packages, select, testFiles } from "./test-files.mjs";
import { runTests, summary } from "./test-runners.mjs";

/**
 * Runs a test file of this text with its output hidden.
 *
 * @param {import("node:test").TestContext} t
 * @param {string} text
 * @param {string} [namePattern]
 */
async function runFile(t, text, namePattern) {
  const folder = mkdtempSync(join(tmpdir(), "metastate-runner-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "some.test.mjs");
  writeFileSync(file, `import test from "node:test";\n${text}`);
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
  const files = [{ package: "lib", source: "lib/src/some.test.ts", file }];
  return runTests("lib", files, env, { namePattern, stdio: "ignore" });
}

test("passed, failed, skipped and subtests are counted", async (t) => {
  const text = `
    test("good", async (t) => { await t.test("part", () => {}); });
    test("bad", () => { throw new Error("bad"); });
    test("left out", { skip: true }, () => {});`;
  assert.deepEqual(await runFile(t, text), { name: "lib", passed: 2, failed: 1, skipped: 1 });
});

test("a file without a test is a problem, and so is one that cannot be loaded", async (t) => {
  const empty = await runFile(t, "");
  assert.match(empty.problem ?? "", /no test ran/);
  assert.equal(summary([empty]).good, false);
  const broken = await runFile(t, 'throw new Error("cannot be loaded");');
  assert.equal(broken.failed, 1);
});

test("tests chosen by name are counted alone; a name that nothing has is a failure", async (t) => {
  const text = 'test("gradient of x", () => {}); test("other", () => {});';
  const some = await runFile(t, text, "gradient");
  assert.deepEqual(some, { name: "lib", passed: 1, failed: 0, skipped: 0 });
  const none = summary([await runFile(t, text, "nothing like it")]);
  assert.equal(none.good, false);
  assert.match(none.lines.join("\n"), /no test has such a name/);
});

test("a source that the build lacks is a problem", async () => {
  const files = [{ package: "lib", source: "lib/src/new.test.ts", file: "/nowhere/lib/dist/new.test.js" }];
  const result = await runTests("lib", files, process.env);
  assert.match(result.problem ?? "", /the build has no new\.test\.ts/);
});

test("the last line sums all runners, and any failure or problem is one of the whole", () => {
  const good = { name: "lib", passed: 3, failed: 0, skipped: 1 };
  assert.deepEqual(
    summary([good, { ...good, name: "kernel", passed: 4 }]).lines.at(-1),
    "7 passed, 0 failed, 2 skipped",
  );
  assert.equal(summary([good]).good, true);
  assert.equal(summary([good, { ...good, failed: 1 }]).good, false);
  assert.equal(summary([good, { ...good, problem: "no test ran" }]).good, false);
  assert.equal(summary([]).good, false);
});

const FILES = [
  { package: "lib", source: "lib/src/ops/wkv7/wkv7.test.ts", file: "" },
  { package: "lib", source: "lib/src/data/data.test.ts", file: "" },
  { package: "kernel", source: "kernel/src/wire.test.ts", file: "" },
];

test("words choose packages, then paths, then names", () => {
  /** @param {...string} words */
  const sources = (...words) => select(words, FILES).files.map(({ source }) => source.split("/").at(-1));
  assert.deepEqual(sources(), ["wkv7.test.ts", "data.test.ts", "wire.test.ts"]);
  assert.deepEqual(sources("lib"), ["wkv7.test.ts", "data.test.ts"]);
  assert.deepEqual(sources("lib", "wkv7"), ["wkv7.test.ts"]);
  assert.deepEqual(sources("wire"), ["wire.test.ts"]);
  const named = select(["lib", "a (b)"], FILES);
  assert.equal(named.namePattern, "a \\(b\\)");
  assert.equal(named.files.length, 2);
});

test("every package's tests are found by their sources", () => {
  const found = new Set(testFiles().map((file) => file.package));
  assert.ok(found.has("scripts") && found.has("tests"));
  assert.ok(packages.indexOf("tests") === packages.length - 1, "what crosses packages comes last");
  for (const { source } of testFiles()) assert.match(source, /\.test\.(ts|mjs)$/);
});

test("what takes longest begins first, and is there", () => {
  const all = testFiles();
  const sources = longestFirst(all).map(({ source }) => source);
  assert.deepEqual(sources.slice(0, longest.length), longest);
  const others = all.map(({ source }) => source).filter((source) => !longest.includes(source));
  assert.deepEqual(sources.slice(longest.length), others);
});
