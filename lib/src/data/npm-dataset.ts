/** Finding the files of a data set that comes as an npm package. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/**
 * The folder that holds a package's data.
 *
 * @throws Error naming the package when it is not installed
 */
export function dataFolder(caller: string, name: string): string {
  let manifest: string;
  try {
    manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
  } catch (cause) {
    throw new Error(`${caller}: the package ${name} is not installed; run npm install`, { cause });
  }
  return join(dirname(manifest), "data");
}
