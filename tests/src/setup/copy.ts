/** A copy of the checkout as a fresh clone would be: no node_modules, no Python environment, nothing built. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import assert from "node:assert/strict";
import { root } from "../environment.js";
import { run } from "../program.js";

/** Copies what git tracks, and what it would track, so that work that is not committed yet is tested too. */
export async function freshCopy(t: TestContext): Promise<string> {
  const { status, stdout, stderr } = await run("git", ["ls-files", "-z", "-co", "--exclude-standard"], { cwd: root });
  assert.equal(status, 0, stderr);
  const folder = mkdtempSync(join(tmpdir(), "metastate-fresh-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const file of stdout.split("\0").filter(Boolean)) {
    const from = join(root, file);
    if (!existsSync(from)) continue; // deleted, but not yet for git
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(from, join(folder, file));
  }
  return folder;
}

/** Surroundings in which no Python environment is active and nothing tells of the `npm test` that runs. */
export function asInANewTerminal(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  const ofThisRun = ["VIRTUAL_ENV", "CONDA_PREFIX", "NODE_TEST_CONTEXT", "METASTATE_PYTHON", "INIT_CWD", "CI"];
  for (const name of Object.keys(env)) {
    if (ofThisRun.includes(name) || name.startsWith("npm_") || name.startsWith("JUPYTER")) delete env[name];
  }
  return env;
}
