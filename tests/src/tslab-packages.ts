/** Stock tslab, which the tests install when they first need it: see tests/tslab/package.json for why it is apart. */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { root, surroundings } from "./environment.js";
import { run } from "./program.js";

const folder = join(root, "tests", "tslab");

/** The folder of a package that stock tslab brings; `tslab` itself, unless told. Installs it where it is not there. */
export async function tslabPackage(name = "tslab"): Promise<string> {
  const installed = join(folder, "node_modules", ".package-lock.json");
  const asked = join(folder, "package-lock.json");
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(asked).mtimeMs) {
    const args = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
    const { status, stdout, stderr } = await run("npm", args, { cwd: folder, env: surroundings() });
    assert.equal(status, 0, `npm ci in tests/tslab:\n${stdout}\n${stderr}`);
  }
  return join(folder, "node_modules", name);
}
