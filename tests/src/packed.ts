/** Packages of this workspace as npm would publish them, and as it would install them. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { root, surroundings } from "./environment.js";
import { run } from "./program.js";

/** What `npm pack` made. */
export interface Packed {
  /** its absolute path */
  readonly archive: string;
  readonly files: readonly { readonly path: string }[];
}

/** Packs a workspace into a folder. */
export async function packPackage(workspace: string, folder: string): Promise<Packed> {
  const command = process.platform === "win32" ? "npm.cmd" : "npm";
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { status, stdout, stderr } = await run(command, args, { cwd: join(root, workspace), env: surroundings() });
  assert.equal(status, 0, stderr);
  // npm 12 tells of packages by name, before it told of them in a list.
  type Told = Omit<Packed, "archive"> & { readonly filename: string };
  const told = JSON.parse(stdout) as Told[] | Record<string, Told>;
  const { filename, files } = Object.values(told)[0]!;
  return { archive: join(folder, filename), files };
}

/** Whether a file of a package is of no use to who installs it. */
export function isUnwanted({ path }: { readonly path: string }): boolean {
  return /\.test\.|\btesting|\.map$|^src\/|tsbuildinfo/.test(path);
}

/** Unpacks a package where npm would install it. */
export async function installPacked({ archive }: Packed, home: string): Promise<void> {
  mkdirSync(home, { recursive: true });
  const { status, stderr } = await run("tar", ["-xzf", archive, "-C", home, "--strip-components=1"]);
  assert.equal(status, 0, stderr);
}

/** Links the packages that a workspace depends on, from where the checkout has them, as npm would install them. */
export function linkDependencies(workspace: string, modules: string): void {
  const manifest = join(root, workspace, "package.json");
  const { dependencies = {} } = JSON.parse(readFileSync(manifest, "utf8")) as { dependencies?: Record<string, string> };
  const require = createRequire(manifest);
  for (const name of Object.keys(dependencies)) {
    if (existsSync(join(modules, name))) continue;
    const folder = (require.resolve.paths(name) ?? []).map((path) => join(path, name)).find((path) => existsSync(path));
    assert.ok(folder, `${name} is installed`);
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(folder, join(modules, name), "junction");
  }
}
