/** What an import names: a package, by name, or a file, by path. */
import { builtinModules } from "node:module";

/** Whether a specifier names a package or something in one: `three`, `@scope/name/part`, but not `./own.js` or `node:fs`. */
export function isPackage(specifier: string): boolean {
  return /^(@[^/]+\/)?[^./:@][^:]*$/.test(specifier);
}

/** The package that a specifier names: `@scope/name` of `@scope/name/part`. */
export function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

/**
 * A specifier as Node understands it: Deno's `npm:lodash@4/fp` is `lodash/fp`, and `jsr:@std/assert@1` is what
 * `npx jsr add` installs, `@std/assert`. The version is that which is installed.
 */
export function nodeSpecifier(specifier: string): string {
  const [, name, path = ""] = /^(?:npm|jsr):\/?((?:@[^/]+\/)?[^/@]+)(?:@[^/]*)?(\/.*)?$/.exec(specifier) ?? [];
  return name === undefined ? specifier : name + path;
}

/** What to do about an import that was not found. */
export function importRemedy(specifier: string): string {
  const name = packageOf(nodeSpecifier(specifier));
  const own = builtinModules.filter((each) => !each.startsWith("_") && packageOf(each) === name.replace(/^node:/, ""));
  // A package of that name would be a stranger's.
  if (own.length > 0) return `Node.js has no such module; of that name it has ${own.join(", ")}.`;
  if (specifier.startsWith("jsr:")) return `Packages of JSR come by way of npm: !npx jsr add ${name}`;
  if (/^https?:/.test(specifier)) {
    return "There are no imports from URLs: install the package with %npm install, or put the file beside the notebook.";
  }
  if (specifier.startsWith("npm:")) {
    const version = /^npm:\/?(?:@[^/]+\/)?[^/@]+(@[^/]+)/.exec(specifier)?.[1] ?? "";
    return `Install it in the notebook's folder: %npm install ${name}${version}`;
  }
  if (specifier.startsWith("node:")) return "Node.js has no such module.";
  const [, extension = ""] = /\.(\w+)$/.exec(specifier) ?? [];
  if (/^(css|scss|sass|less)$/.test(extension)) {
    return `Cells run in Node.js, which has no style sheets: display.html with a <style> element styles what a cell shows.`;
  }
  if (
    !isPackage(specifier) &&
    /^(txt|md|csv|tsv|html?|xml|ya?ml|toml|png|jpe?g|gif|webp|svg|pdf|bin|parquet|arrow|feather|npy|npz|h5|gz|zip|sqlite|db|log|ipynb|py)$/.test(
      extension,
    )
  ) {
    return `Only code and JSON can be imported: readFile of node:fs/promises reads the file, display.image shows pictures.`;
  }
  if (!isPackage(specifier) && extension === "wasm") {
    return `WebAssembly is loaded by: const { instance } = await WebAssembly.instantiate(await readFile("${specifier}")), with readFile of node:fs/promises.`;
  }
  return isPackage(specifier)
    ? `Install it in the notebook's folder: %npm install ${name}`
    : "Is the path right, seen from the notebook's folder?";
}

/** Node's modules whose names people use most, the first that has a name first. */
const USUAL = [
  ...["fs/promises", "fs", "path", "os", "child_process", "util", "crypto", "worker_threads", "events", "stream"],
  ...[
    "stream/promises",
    "timers/promises",
    "readline/promises",
    "http",
    "https",
    "net",
    "zlib",
    "url",
    "assert/strict",
  ],
];

/** The import that brings a name of Node's, or one of its modules as a whole; undefined where the name is none of Node's. */
export function importOfNode(name: string): string | undefined {
  if (builtinModules.includes(name)) return `It is a module of Node.js: import * as ${name} from "node:${name}"`;
  const module = USUAL.find((each) => Object.hasOwn(process.getBuiltinModule(`node:${each}`) ?? {}, name));
  return module && `It is in a module of Node.js: import { ${name} } from "node:${module}"`;
}
