/** `%npm`: npm in the notebook's folder. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { ansi } from "../../ansi.js";
import { packageOf } from "../../package-name.js";
import { loadedPackages } from "../loaded-packages.js";
import { runChild } from "./child.js";
import { CommandError } from "./error.js";

const INSTALL = /^(i|in|ins|inst|insta|instal|install|add|up|update|upgrade)$/;

/** Runs `npm …`; what it prints is seen as it comes. A package that has come is told of where something is to be known. */
export async function npm(line: string): Promise<void> {
  const folder = process.cwd();
  const args = words(line);
  const installs = INSTALL.test(args[0] ?? "");
  if (installs) ensurePackageJson(folder);
  const before = new Map([...loadedPackages()].map((name) => [name, versionOf(folder, name)]));
  // An npm that belongs to this Node is found also where the PATH has none.
  const path = `${process.env["PATH"] ?? ""}${delimiter}${dirname(process.execPath)}`;
  const status = await runChild(["npm", ...(args.length === 0 ? ["help"] : args), ...quiet(installs)], {
    env: { PATH: path, npm_config_color: "always", npm_config_update_notifier: "false", npm_config_fund: "false" },
  });
  if (status === 127)
    throw new CommandError("npm was not found: it comes with Node.js, and must be in the PATH of Jupyter.");
  if (status !== 0) throw new CommandError(`npm ${args[0] ?? ""} ended with status ${status}; what it says is above.`);
  for (const [name, version] of before) {
    const now = versionOf(folder, name);
    if (now !== version)
      say(
        `${name} ${version ?? ""} is in use in this session; %reset, or a restart, takes up ${now ?? "that it is gone"}.`,
      );
  }
  if (installs) for (const name of packagesIn(args.slice(1))) tellOfTypes(folder, name);
}

/**
 * Where the notebook's folder has no package.json of its own, npm would go up to a project around it, and change that. The
 * file that is made here keeps the kind of module that `.js` files beside the notebook have had.
 */
function ensurePackageJson(folder: string): void {
  const path = join(folder, "package.json");
  if (existsSync(path)) return;
  const type = moduleType(dirname(folder)) ?? "module";
  try {
    writeFileSync(path, `${JSON.stringify({ private: true, type }, undefined, 2)}\n`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`No package can be installed into ${folder}, which cannot be written to: ${reason}`);
  }
  say(`A package.json for this notebook's packages has been made in ${folder}.`);
}

/** `type` of the nearest package.json at or above a folder; undefined where there is none. */
function moduleType(folder: string): string | undefined {
  const text = readIfThere(join(folder, "package.json"));
  if (text !== undefined) return (JSON.parse(text) as { type?: string }).type ?? "commonjs";
  return dirname(folder) === folder ? undefined : moduleType(dirname(folder));
}

/** No progress bars, and no advice on the state of the world, after an install. */
function quiet(installs: boolean): string[] {
  return installs ? ["--no-audit", "--no-progress"] : [];
}

/** Names of the packages that are asked for: `@scope/name@^1.2` is `@scope/name`. */
function packagesIn(args: readonly string[]): string[] {
  return args
    .filter((arg) => !arg.startsWith("-") && /^(@[\w.~-]+\/)?[\w.~-]+(@[^/]*)?$/.test(arg))
    .map((arg) => packageOf(arg.replace(/(?<=.)@[^/]*$/, "")))
    .filter((name) => !name.startsWith("@types/"));
}

function tellOfTypes(folder: string, name: string): void {
  const text = readIfThere(join(folder, "node_modules", name, "package.json"));
  if (text === undefined || hasTypes(folder, name, text)) return;
  const types = `@types/${name.replace(/^@/, "").replace("/", "__")}`;
  say(
    `${name} brings no types, so what it exports is of type any. There may be some: %npm install --save-dev ${types}`,
  );
}

function hasTypes(folder: string, name: string, packageJson: string): boolean {
  const { types, typings, exports } = JSON.parse(packageJson) as Record<string, unknown>;
  if (types !== undefined || typings !== undefined) return true;
  if (JSON.stringify(exports ?? "").match(/"types|\.d\.[mc]?ts/)) return true;
  const at = join(folder, "node_modules");
  return (
    existsSync(join(at, name, "index.d.ts")) ||
    existsSync(join(at, "@types", name.replace(/^@/, "").replace("/", "__"), "package.json"))
  );
}

function versionOf(folder: string, name: string): string | undefined {
  const text = readIfThere(join(folder, "node_modules", name, "package.json"));
  return text === undefined ? undefined : (JSON.parse(text) as { version?: string }).version;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The words of a line, as a shell would have them; quotes keep blanks together. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? "",
  );
}

function say(text: string): void {
  process.stdout.write(`${ansi.cyan}${text}${ansi.reset}\n`);
}
