/** Compiler options of cells. */
import ts = require("typescript");

/**
 * The newest year of which a version of Node.js has JavaScript's library as a whole, and what it has of later ones. It is not
 * looked for in the globals: while a snapshot is made, V8 leaves out some that are there afterwards.
 */
export function libraryOf(node: string): { readonly year: number; readonly later: readonly string[] } {
  const major = Number.parseInt(node, 10);
  if (major < 22) return { year: 2023, later: [] };
  const later = ["lib.esnext.array.d.ts"];
  if (major >= 24) return { year: 2025, later };
  return { year: 2024, later: ["lib.es2025.collection.d.ts", "lib.es2025.iterator.d.ts", ...later] };
}

const { year, later } = libraryOf(process.versions.node);
export const LIBRARY_YEAR = year;

/** Strict, modern, for Node: the defaults where a notebook says nothing else. */
export const CELL_OPTIONS: ts.CompilerOptions = {
  // Node 20 knows the syntax of ES2024: the flag `v` of regular expressions.
  target: ts.ScriptTarget.ES2024,
  lib: [`lib.es${LIBRARY_YEAR}.d.ts`, ...later, "lib.esnext.disposable.d.ts"],
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
