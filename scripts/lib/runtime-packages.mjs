// @ts-check
// What compiled code needs of node_modules to run elsewhere: in a bundle, in an emulated machine.

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { root } from "./checkout.mjs";

/** What nobody runs: declarations, maps, other forms of the same code. */
export const unneeded =
  /\.(d\.ts|d\.mts|d\.cts|map|md|markdown|tsbuildinfo)$|(^|\/)(tf-core|tf-backend-\w+)(\.es2017|\.fesm)?(\.min)?\.js$|@tensorflow\/[\w-]+\/src(\/|$)/;

/** Files, Node's own, ours (which are packed by themselves), and what is for writing types and pictures only. */
const notPacked = /^(\.|node:|metastate$|@metastate\/|typescript$|playwright-core$|plotly|@stdlib\/)/;

/**
 * npm packages that compiled code of workspaces imports at once, with what those import; not such as are for pictures and the
 * like, which are loaded when they are asked for.
 *
 * @param {readonly string[]} workspaces
 * @param {readonly string[]} [besides] packages that no import names, of the last workspace
 * @returns {string[]} their folders, relative to the root
 */
export function runtimePackages(workspaces, besides = []) {
  /** @type {Set<string>} */
  const found = new Set();
  const add = (/** @type {string} */ name, /** @type {string} */ from) => {
    for (let folder = from; folder.startsWith(root); folder = dirname(folder)) {
      const place = join(folder, "node_modules", name);
      if (!existsSync(join(place, "package.json"))) continue;
      if (found.has(place)) return;
      found.add(place);
      const { dependencies = {} } = JSON.parse(readFileSync(join(place, "package.json"), "utf8"));
      for (const other of Object.keys(dependencies)) if (!other.startsWith("@types/")) add(other, place);
      return;
    }
  };
  for (const workspace of workspaces) {
    const dist = join(root, workspace, "dist");
    for (const file of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".js")) continue;
      const source = readFileSync(join(dist, file), "utf8");
      for (const [, name] of source.matchAll(/^(?:import|export) [^;]*?["']((?:@[\w-]+\/)?[\w.-]+)[^"']*["'];?$/gm)) {
        if (name && !notPacked.test(name)) add(name, join(root, workspace));
      }
    }
  }
  for (const name of besides) add(name, join(root, workspaces.at(-1) ?? ""));
  return [...found].map((folder) => relative(root, folder));
}
