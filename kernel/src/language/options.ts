/** Compiler options of cells. */
import ts = require("typescript");

/** Whether the Node.js that runs has something of JavaScript's library. */
function has(of: object, ...names: readonly string[]): boolean {
  return names.every((name) => Object.hasOwn(of, name));
}

const HAS_2024 =
  has(Object, "groupBy") &&
  has(Promise, "withResolvers") &&
  has(Atomics, "waitAsync") &&
  has(ArrayBuffer.prototype, "transfer");
const HAS_SETS = has(Set.prototype, "union");
const HAS_ITERATORS = has(globalThis, "Iterator");
const HAS_2025 =
  HAS_SETS && HAS_ITERATORS && has(globalThis, "Float16Array") && has(Promise, "try") && has(RegExp, "escape");

/** The newest year of which the Node.js that runs has JavaScript's library as a whole; Node 20 that of 2023. */
export const LIBRARY_YEAR = HAS_2025 ? 2025 : HAS_2024 ? 2024 : 2023;

/** What it has of newer ones. */
const NEWER: readonly string[] = [
  ...(HAS_SETS ? ["lib.es2025.collection.d.ts"] : []),
  ...(HAS_ITERATORS ? ["lib.es2025.iterator.d.ts"] : []),
  ...(has(Array, "fromAsync") ? ["lib.esnext.array.d.ts"] : []),
];

/** Strict, modern, for Node: the defaults where a notebook says nothing else. */
export const CELL_OPTIONS: ts.CompilerOptions = {
  // Node 20 knows the syntax of ES2024: the flag `v` of regular expressions.
  target: ts.ScriptTarget.ES2024,
  lib: [`lib.es${LIBRARY_YEAR}.d.ts`, ...NEWER, "lib.esnext.disposable.d.ts"],
  module: ts.ModuleKind.Preserve,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  // Bundlers know a condition that Node does not; here the packages are loaded by Node.
  customConditions: ["node"],
  moduleDetection: ts.ModuleDetectionKind.Force,
  strict: true,
  esModuleInterop: true,
  resolveJsonModule: true,
  // `./helpers.ts` may be called by its name.
  allowImportingTsExtensions: true,
  // `./helpers.mjs` has types too, as far as they can be inferred.
  allowJs: true,
  skipLibCheck: true,
  declaration: true,
  sourceMap: true,
  // Not `inlineSources`: the session has the source.
  types: [],
  noErrorTruncation: false,
};

/**
 * Errors that are none between cells:
 * 1378, 1375, 1432 top-level await (V8's REPL mode has it); 7016 a package without types (it is `any`);
 * 2309 `export =` beside the export of the cell's names (exports mean nothing between cells);
 * 2695 is kept; 6133 and its kin are hints and not asked for.
 */
export const IGNORED_ERRORS: ReadonlySet<number> = new Set([1375, 1378, 1432, 2309, 7016]);
