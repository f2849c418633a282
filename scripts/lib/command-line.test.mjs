// @ts-check
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import test from "node:test";

const root = join(import.meta.dirname, "..", "..");
/** All that read their arguments so. */
const programs = ["scripts", "benchmarks"].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".mjs") && !name.endsWith(".test.mjs"))
    .map((name) => join(root, folder, name))
    .filter((path) => readFileSync(path, "utf8").includes("commandLine(")),
);

/**
 * @param {string} program
 * @param {...string} args
 */
function run(program, ...args) {
  return spawnSync(process.execPath, [program, ...args], { encoding: "utf8" });
}

for (const program of programs) {
  const name = basename(program);
  test(`${name} says with --help how it is run, and refuses what it does not know`, () => {
    const help = run(program, "--help");
    assert.equal(help.status, 0, help.stderr);
    assert.match(
      help.stdout,
      new RegExp(`/${name}( |$)|npm run ${name.replace(".mjs", "").replace("-", ":")}[ :]`, "m"),
    );
    assert.doesNotMatch(help.stdout, /@ts-check|^\/\//m);
    const refused = run(program, "--nonsense");
    assert.equal(refused.status, 2);
    assert.match(refused.stderr, /^Unknown option '--nonsense'\n\n/);
    assert.ok(refused.stderr.endsWith(help.stdout), refused.stderr);
  });
}

test("a count that is none is refused before anything begins", () => {
  for (const rounds of ["0", "many", "1.5", "-1"]) {
    const { status, stderr } = run(join(root, "benchmarks", "recurrences.mjs"), `--rounds=${rounds}`);
    assert.equal(status, 2);
    assert.match(stderr, new RegExp(`^--rounds takes a whole number of 1 or more, not "${rounds}"`));
  }
});
