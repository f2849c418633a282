// @ts-check
// The npm packages of the workspace: installed as package-lock.json says, and only when they are not there already.

import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./checkout.mjs";
import { Log, run } from "./command.mjs";
import { explain } from "./known-failures.mjs";

/** What npm says it has installed; npm writes it when an installation has come to its end. */
const INSTALLED = join("node_modules", ".package-lock.json");

/**
 * Makes node_modules hold what package-lock.json says.
 *
 * @param {import("./progress.mjs").Step} step
 * @returns {Promise<void>}
 */
export async function installPackages(step) {
  if (packagesAreInstalled(root)) {
    step.upToDate();
    return;
  }
  step.report("npm ci");
  const log = new Log("npm");
  // Nothing that is used needs install scripts, and npm 11 holds them back anyway.
  const args = ["ci", "--include=dev", "--no-audit", "--no-fund", "--ignore-scripts"];
  const [command, ...first] = npmCommand();
  try {
    const output = await run(command, [...first, ...args], { tool: "npm", step, log });
    // npm 11 ends with status 0 when the disk fills up while it unpacks: it only warns.
    if (output.includes("TAR_ENTRY_ERROR")) throw explain({ tool: "npm", output, code: 0, log: log.path });
  } catch (error) {
    // So that the next run does not take half an installation for a whole one.
    rmSync(join(root, INSTALLED), { force: true });
    throw error;
  }
}

/**
 * The npm that runs this script, so that the versions agree; else the one on the PATH.
 *
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string[]}
 */
export function npmCommand(env = process.env) {
  const current = env.npm_execpath;
  return current && /npm-cli\.[cm]?js$/.test(current) ? [process.execPath, current] : ["npm"];
}

/**
 * Whether node_modules holds every package that package-lock.json asks for, in the same version. Packages for other
 * platforms are optional, and may be absent.
 *
 * @param {string} folder the one that holds package-lock.json
 * @returns {boolean}
 */
export function packagesAreInstalled(folder) {
  if (!existsSync(join(folder, INSTALLED))) return false;
  const wanted = lockedPackages(join(folder, "package-lock.json"));
  const present = lockedPackages(join(folder, INSTALLED));
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes("node_modules/")) return true; // a workspace itself
    const found = present[path];
    if (found === undefined) return entry.optional === true;
    return found.version === entry.version && found.integrity === entry.integrity && existsSync(join(folder, path));
  });
}

/**
 * @param {string} path
 * @returns {Record<string, {version?: string, integrity?: string, optional?: boolean}>}
 */
function lockedPackages(path) {
  return JSON.parse(readFileSync(path, "utf8")).packages ?? {};
}
