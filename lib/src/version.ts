/** Which version of the library this is. */
import { readFileSync } from "node:fs";

let version: string | undefined;

/** The package's version, as in its package.json. */
export function libraryVersion(): string {
  if (version === undefined) {
    const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
    version = (JSON.parse(text) as { version: string }).version;
  }
  return version;
}
