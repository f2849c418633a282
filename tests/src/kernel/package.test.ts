/** The kernel as a package of its own: what npm would publish runs cells where nothing else of this project is. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { KernelClient } from "../client.js";
import { root, surroundings, type Kernelspec } from "../environment.js";
import { installPacked, isUnwanted, linkDependencies, packPackage, type Packed } from "../packed.js";
import { run } from "../program.js";
import { resultOf } from "./results.js";

describe("the package @metastate/kernel", { timeout: 300_000 }, () => {
  let folder: string;
  let packed: Packed;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "metastate package "));
    packed = await packPackage("kernel", folder);
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it("holds what is run, its types and its papers, and no tests", () => {
    const paths = packed.files.map(({ path }) => path);
    for (const path of ["README.md", "LICENSE", "package.json", "bin/metastate-kernel.mjs", "resources/logo-64x64.png"])
      assert.ok(paths.includes(path), path);
    for (const path of ["dist/cli.js", "dist/index.js", "dist/index.d.ts", "dist/cell-api/index.d.ts"])
      assert.ok(paths.includes(path), path);
    assert.deepEqual(packed.files.filter(isUnwanted), []);
    assert.equal(
      readFileSync(join(root, "kernel", "LICENSE"), "utf8"),
      readFileSync(join(root, "LICENSE"), "utf8"),
      "one licence",
    );
  });

  it("registers itself and runs cells with the packages that it names, and no others", async () => {
    const home = join(folder, "node_modules", "@metastate", "kernel");
    await installPacked(packed, home);
    linkDependencies("kernel", join(folder, "node_modules"));
    const command = join(home, "bin", "metastate-kernel.mjs");
    writeFileSync(join(folder, "tools.mjs"), `export const double = (n) => 2 * n; export const sessionHooks = {};`);
    writeFileSync(join(folder, "tools.d.mts"), `export declare const double: (n: number) => number;`);
    const args = [command, "install", "--prefix", "prefix", "--preload", "tools.mjs"];
    const installed = await run(process.execPath, args, { cwd: folder, env: surroundings() });
    assert.equal(installed.status, 0, installed.stderr);
    const file = join(folder, "prefix", "share", "jupyter", "kernels", "metastate", "kernel.json");
    const spec = JSON.parse(readFileSync(file, "utf8")) as Kernelspec;
    assert.ok(spec.argv.some((part) => part.startsWith(home)));
    const kernel = await KernelClient.start({ spec, cwd: folder });
    try {
      const { error } = await kernel.execute("const x: string = double(21)");
      assert.match(String(error?.evalue), /not assignable to type 'string'/);
      assert.equal(resultOf(await kernel.execute("double(21)")), "42");
      const shown = await kernel.execute(
        `import type { SessionHooks } from "@metastate/kernel"; display.markdown("*m*");`,
      );
      assert.equal(shown.error, undefined, shown.error?.text);
      assert.ok(shown.outputs.some(({ type }) => type === "display_data"));
      assert.match(String((await kernel.execute("process.exit(1)")).error?.evalue), /fresh session/);
      assert.equal(resultOf(await kernel.execute("double(4)")), "8");
    } finally {
      await kernel.stop();
    }
  });
});
