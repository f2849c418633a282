/**
 * What the program of the cells (`cell-program.ts`, `long-cells.ts`) knows of TypeScript's inside, looked at in the program that
 * there is: another version of TypeScript may have changed it. Cells then take a new program each, which needs none of it.
 */
import ts = require("typescript");
import { BEHIND_CALL, BEHIND_PUSH } from "./long-cells.js";

/** What is looked at, by what is wrong where it does not hold. */
type Assumptions = Readonly<Record<string, (program: Inside, file: InsideFile) => boolean>>;

type Inside = Readonly<Record<string, unknown>> & ts.Program;
type InsideFile = Readonly<Record<string, unknown>> & ts.SourceFile;

const isMap = (value: unknown): value is ReadonlyMap<unknown, unknown> => String(value) === "[object Map]";
const isFunction = (value: unknown): value is (...args: unknown[]) => unknown => typeof value === "function";
const flags = ts.NodeFlags as unknown as Readonly<Record<string, number | undefined>>;
const flow = (ts as unknown as { readonly FlowFlags?: Readonly<Record<string, number | undefined>> }).FlowFlags ?? {};

const ASSUMPTIONS: Assumptions = {
  "ts.bindSourceFile": () => isFunction((ts as unknown as Record<string, unknown>)["bindSourceFile"]),
  "ts.createLanguageServiceSourceFile": () => isFunction(ts.createLanguageServiceSourceFile),
  "NodeFlags.PossiblyContainsDynamicImport": () => flags["PossiblyContainsDynamicImport"] === 1 << 22,
  "FlowFlags.Call": () => flow["Call"] === BEHIND_CALL,
  "FlowFlags.ArrayMutation": () => flow["ArrayMutation"] === BEHIND_PUSH,
  "program.getFilesByNameMap": ({ getFilesByNameMap: get }, file) => {
    const map = isFunction(get) ? get() : undefined;
    return isMap(map) && map === (get as () => unknown)() && map.get(file["path"]) === file;
  },
  // It gives its own array, not a copy: what is put there is in the program.
  "program.getSourceFiles": (program, file) => {
    const files = program.getSourceFiles();
    return files === program.getSourceFiles() && files.includes(file);
  },
  "program.getRootFileNames": (program, { fileName }) => {
    const names = program.getRootFileNames();
    return names === program.getRootFileNames() && names.includes(fileName);
  },
  "program.getMissingFilePaths": ({ getMissingFilePaths: get }) => isFunction(get) && isMap(get()),
  "program.resolvedModules": ({ resolvedModules }) => resolvedModules === undefined || isMap(resolvedModules),
  "program.forEachResolvedModule": ({ forEachResolvedModule }) => isFunction(forEachResolvedModule),
  "checker.tryFindAmbientModule": (program) =>
    isFunction((program.getTypeChecker() as unknown as Record<string, unknown>)["tryFindAmbientModule"]),
  "file.path": (program, { path, resolvedPath, fileName }) =>
    typeof path === "string" && resolvedPath === path && program.getSourceFile(fileName)?.fileName === fileName,
  "file.imports": (_, { imports, moduleAugmentations, ambientModuleNames }) =>
    [imports, moduleAugmentations, ambientModuleNames].every(Array.isArray),
  "file.scriptKind": (_, { scriptKind }) => scriptKind === ts.ScriptKind.TS || scriptKind === ts.ScriptKind.TSX,
};

/** What of TypeScript's inside is not as it was when this was written, by name. `file` is one of the program's roots. */
export function changedInternals(program: ts.Program, file: ts.SourceFile): string[] {
  return Object.entries(ASSUMPTIONS).flatMap(([name, holds]) => {
    try {
      return holds(program as Inside, file as InsideFile) ? [] : [name];
    } catch {
      return [name];
    }
  });
}

/** What to tell of it. */
export function internalsChanged(names: readonly string[]): string {
  return (
    `The kernel does not know the inside of TypeScript ${ts.version} (${names.join(", ")}): cells take longer to compile. ` +
    "Install the version that the kernel's package.json names."
  );
}
