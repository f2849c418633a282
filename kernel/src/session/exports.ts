/**
 * What an import gives: what Node gives, and of a CommonJS module what TypeScript takes it to have besides.
 *
 * Node finds the names of a CommonJS module by reading its text, and misses those that are not written plainly; and its
 * default is all of the module, also where that was compiled from an ES module with a default of its own. To
 * TypeScript, as to bundlers, each property is an export, and the default is the one that the module's author wrote.
 */
import { createRequire } from "node:module";

type Exports = Readonly<Record<string, unknown>>;

/** Modules that `require` knows, and so does the `import` of CommonJS. */
const { cache } = createRequire(import.meta.url);

/** Properties that each function has. */
const OF_FUNCTIONS: ReadonlySet<string> = new Set(["length", "name", "prototype", "arguments", "caller"]);

/** What was made of a namespace: the same one each time. */
const completed = new WeakMap<object, Record<string, unknown>>();

/** A namespace with all that TypeScript takes the module to export. */
export function completeExports(namespace: unknown, specifier: string): unknown {
  if (typeof namespace !== "object" || namespace === null) return namespace;
  const given = namespace as Exports;
  try {
    return complete(given, specifier) ?? namespace;
  } catch {
    // An object that throws where it is looked at.
    return namespace;
  }
}

function complete(given: Exports, specifier: string): Exports | undefined {
  const whole = "module.exports" in given ? given["module.exports"] : given["default"];
  if ((typeof whole !== "object" && typeof whole !== "function") || whole === null) return undefined;
  const exports = whole as Exports;
  const missing = Object.getOwnPropertyNames(exports).filter(
    (name) => !(name in given) && !(typeof exports === "function" && OF_FUNCTIONS.has(name)),
  );
  const own = exports["__esModule"] === true && "default" in exports && exports["default"] !== given["default"];
  if (missing.length === 0 && !own) return undefined;
  // The default of an ES module may be an object as well.
  if (!specifier.endsWith(".json") && !isCommonJs(given, exports)) return undefined;
  const all = completed.get(given) ?? Object.assign(Object.create(null) as Record<string, unknown>, given);
  completed.set(given, all);
  Object.defineProperty(all, Symbol.toStringTag, { value: "Module", configurable: true });
  if (own) all["default"] = exports["default"];
  for (const name of missing) {
    if (name in all) continue;
    // As late as it can be: what is loaded only where it is asked for stays so.
    Object.defineProperty(all, name, { get: () => exports[name], enumerable: true, configurable: true });
  }
  return all;
}

function isCommonJs(given: Exports, exports: Exports): boolean {
  return "module.exports" in given || Object.values(cache).some((module) => module?.exports === exports);
}

const MOST_NAMED = 20;

/**
 * Looks whether a module has the names that a cell imports, as Node does: otherwise they would be undefined.
 * @throws {SyntaxError} that names the first it lacks
 */
export function expectExports(namespace: unknown, specifier: string, names: readonly string[]): void {
  if (typeof namespace !== "object" || namespace === null) return;
  const lacks = names.find((name) => !(name in namespace));
  if (lacks === undefined) return;
  const has = Object.keys(namespace).filter((name) => !["default", "module.exports", "__esModule"].includes(name));
  const told = [...has.slice(0, MOST_NAMED), ...(has.length > MOST_NAMED ? [`${has.length - MOST_NAMED} more`] : [])];
  const remedies = [
    ...("default" in namespace ? ["It has a default export: import name from " + JSON.stringify(specifier) + "."] : []),
    ...(told.length > 0 ? [`Its names are ${told.join(", ")}.`] : []),
  ];
  const what = lacks === "default" ? "no default export" : `no export named '${lacks}'`;
  throw new SyntaxError([`The module '${specifier}' has ${what}.`, ...remedies].join(" "));
}
