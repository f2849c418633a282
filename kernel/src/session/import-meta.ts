/** What `import.meta` is in cells and in the notebook's own files. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire, isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { nodeSpecifier, packageOf } from "../package-name.js";

export interface Meta {
  readonly url: string;
  readonly dirname: string;
  readonly filename: string;
  /** The URL of what an import of this specifier would load. */
  readonly resolve: (specifier: string) => string;
}

/** @param filename absolute path of the file, or of one that cells stand for */
export function importMeta(filename: string): Meta {
  const url = pathToFileURL(filename).href;
  return { url, dirname: dirname(filename), filename, resolve: (specifier) => resolve(specifier, filename, url) };
}

function resolve(asked: string, filename: string, url: string): string {
  const specifier = nodeSpecifier(asked);
  if (isBuiltin(specifier)) return specifier.startsWith("node:") ? specifier : `node:${specifier}`;
  if (/^\.{0,2}\//.test(specifier) || URL.canParse(specifier)) return new URL(specifier, url).href;
  const require = createRequire(filename);
  try {
    return pathToFileURL(require.resolve(specifier)).href;
  } catch (error) {
    // A package may export it to `import` alone, and `require` is the only one that Node lets resolve from another place.
    const path = exportedToImport(specifier, require.resolve.paths(specifier) ?? []);
    if (path === undefined) throw error;
    return pathToFileURL(path).href;
  }
}

const CONDITIONS: ReadonlySet<string> = new Set(["node", "import", "module-sync", "default"]);

function exportedToImport(specifier: string, folders: readonly string[]): string | undefined {
  const name = packageOf(specifier);
  const folder = folders.map((each) => join(each, name)).find((each) => existsSync(join(each, "package.json")));
  if (folder === undefined) return undefined;
  const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { exports?: unknown };
  const paths =
    isObject(exports) && Object.keys(exports).some((key) => key.startsWith(".")) ? exports : { ".": exports };
  const path = target(paths[`.${specifier.slice(name.length)}`]);
  return path === undefined ? undefined : join(folder, path);
}

/** The path that an entry of `exports` gives to an import. */
function target(entry: unknown): string | undefined {
  if (typeof entry === "string") return entry;
  if (!isObject(entry)) return undefined;
  for (const [condition, value] of Object.entries(entry)) {
    const found = CONDITIONS.has(condition) || Array.isArray(entry) ? target(value) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object";
}
