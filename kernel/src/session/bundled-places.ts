/** Places in the bundles that preload modules have (`front/preload-bundle.ts`), told as those of the modules in them. */
import { readFileSync } from "node:fs";
import type { SourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import { parseSourceMap } from "./cells.js";

const BUNDLE = /^file:.*\/bundle\/[^/]+\.js$/;
const maps = new Map<string, SourceMap | undefined>();
/** The modules that places were told of. */
const modules = new Set<string>();

/** Whether a file, by its URL, is a module that came in a bundle. */
export function isBundled(url: string): boolean {
  return modules.has(url);
}

/** The module, line and column that a place in a bundle comes from; undefined elsewhere, and where a bundle has no map beside it. */
export function placeInModule(url: string, line: number, column: number): string | undefined {
  if (!BUNDLE.test(url)) return undefined;
  if (!maps.has(url)) maps.set(url, mapBeside(url));
  const origin = maps.get(url)?.findOrigin(line, column);
  if (origin === undefined || !("fileName" in origin)) return undefined;
  const { href } = new URL(origin.fileName, url);
  modules.add(href);
  return `${href}:${origin.lineNumber}:${origin.columnNumber}`;
}

function mapBeside(url: string): SourceMap | undefined {
  try {
    return parseSourceMap(readFileSync(`${fileURLToPath(url)}.map`, "utf8"));
  } catch {
    return undefined;
  }
}
