/** The kernel as a package of its own: what npm would publish runs cells where nothing else of this project is. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { KernelClient } from "../client.js";
import { root, surroundings, type Kernelspec } from "../environment.js";
import { run } from "../program.js";
import { resultOf } from "./results.js";

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

describe("the package @metastate/kernel", { timeout: 300_000 }, () => {
  let folder: string;
  let packed: Packed;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "metastate package "));
    const command = process.platform === "win32" ? "npm.cmd" : "npm";
    const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
    const { status, stdout, stderr } = await run(command, args, { cwd: join(root, "kernel"), env: surroundings() });
    assert.equal(status, 0, stderr);
    // npm 12 tells of packages by name, before it told of them in a list.
    const told = JSON.parse(stdout) as Packed[] | Record<string, Packed>;
    packed = Object.values(told)[0] as Packed;
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
    const unwanted = paths.filter((path) => /\.test\.|testing|\.map$|^src\/|tsbuildinfo/.test(path));
    assert.deepEqual(unwanted, []);
    assert.equal(
      readFileSync(join(root, "kernel", "LICENSE"), "utf8"),
      readFileSync(join(root, "LICENSE"), "utf8"),
      "one licence",
    );
  });

  it("registers itself and runs cells with the packages that it names, and no others", async () => {
    const home = join(folder, "node_modules", "@metastate", "kernel");
    mkdirSync(home, { recursive: true });
    const unpacked = await run("tar", ["-xzf", join(folder, packed.filename), "-C", home, "--strip-components=1"]);
    assert.equal(unpacked.status, 0, unpacked.stderr);
    linkDependencies(home, join(folder, "node_modules"));
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

/** Links the packages that a package.json names, from where the checkout has them, as npm would install them. */
function linkDependencies(home: string, modules: string): void {
  const { dependencies = {} } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
  };
  const require = createRequire(join(root, "kernel", "package.json"));
  for (const name of Object.keys(dependencies)) {
    const folder = (require.resolve.paths(name) ?? []).map((path) => join(path, name)).find((path) => existsSync(path));
    assert.ok(folder, `${name} is installed`);
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(folder, join(modules, name), "junction");
  }
}
