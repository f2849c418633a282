/**
 * The `tsconfig.json` of a notebook: the nearest one, in its folder or a folder above, as in an editor.
 *
 * What says how code is written is honoured. What says where output goes, or what form modules have, means nothing here.
 */
import { dirname } from "node:path";
import ts = require("typescript");
import { CELL_OPTIONS } from "./options.js";

/** Options that a notebook can have of its own. */
const HONOURED = [
  ...["strict", "strictNullChecks", "strictFunctionTypes", "strictBindCallApply", "strictPropertyInitialization"],
  ...["strictBuiltinIteratorReturn", "noImplicitAny", "noImplicitThis", "useUnknownInCatchVariables"],
  ...["exactOptionalPropertyTypes", "noUncheckedIndexedAccess", "noImplicitOverride", "noImplicitReturns"],
  ...["noFallthroughCasesInSwitch", "noPropertyAccessFromIndexSignature", "allowUnreachableCode", "allowUnusedLabels"],
  ...["noUncheckedSideEffectImports", "jsx", "jsxFactory", "jsxFragmentFactory", "jsxImportSource", "reactNamespace"],
  ...["lib", "target", "types", "typeRoots", "paths", "baseUrl", "rootDirs", "customConditions"],
  ...["experimentalDecorators", "emitDecoratorMetadata", "useDefineForClassFields", "noErrorTruncation"],
  ...["esModuleInterop", "allowSyntheticDefaultImports", "resolveJsonModule", "allowArbitraryExtensions"],
  // Set by TypeScript itself: what relative `paths` and `types` are relative to.
  ...["pathsBasePath", "configFilePath"],
];

/** That a folder has no sources of its own is nothing to a notebook. */
const NO_INPUTS: ReadonlySet<number> = new Set([18002, 18003]);

export class NotebookConfig {
  readonly #folder: string;
  /** Files that the options come from, with their times of change; a change of it means to read again. */
  #stamp = "";
  #files: readonly string[] = [];
  #options: ts.CompilerOptions = CELL_OPTIONS;
  #problems: readonly ts.Diagnostic[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    this.refresh();
  }

  get options(): ts.CompilerOptions {
    return this.#options;
  }

  /** Whether there is no such file. */
  get isDefault(): boolean {
    return this.#stamp === "" && this.#options === CELL_OPTIONS;
  }

  /** What is wrong with the file, once for each change of it: the options are then those of before. */
  takeProblems(): readonly ts.Diagnostic[] {
    const problems = this.#problems;
    this.#problems = [];
    return problems;
  }

  /** Reads the file again if it has changed, or has come or gone; says whether the options are others. */
  refresh(): boolean {
    const path = ts.findConfigFile(this.#folder, (file) => ts.sys.fileExists(file));
    if (path === undefined ? this.#stamp === "" : this.#stampOf([path, ...this.#files]) === this.#stamp) return false;
    const before = this.#options;
    this.#files = [];
    this.#problems = [];
    this.#stamp = "";
    this.#options = CELL_OPTIONS;
    if (path !== undefined) {
      const { errors, options } = this.#read(path);
      this.#problems = errors;
      // A file that is being edited is not to take the notebook's options away.
      this.#options = errors.length > 0 ? before : cellOptions(options);
      this.#stamp = this.#stampOf([path, ...this.#files]);
    }
    return this.#options !== before;
  }

  #read(path: string): { errors: ts.Diagnostic[]; options: ts.CompilerOptions } {
    const files = new Set<string>();
    const errors: ts.Diagnostic[] = [];
    const host: ts.ParseConfigFileHost = {
      useCaseSensitiveFileNames: ts.sys.useCaseSensitiveFileNames,
      getCurrentDirectory: () => dirname(path),
      fileExists: (file) => ts.sys.fileExists(file),
      readFile: (file) => {
        files.add(file);
        return ts.sys.readFile(file);
      },
      // Which files it includes is of no concern, and may be many.
      readDirectory: () => [],
      onUnRecoverableConfigFileDiagnostic: (diagnostic) => errors.push(diagnostic),
    };
    const parsed = ts.getParsedCommandLineOfConfigFile(path, {}, host);
    errors.push(...(parsed?.errors ?? []).filter(({ code }) => !NO_INPUTS.has(code)));
    this.#files = [...files].filter((file) => file !== path);
    return { errors, options: parsed?.options ?? {} };
  }

  #stampOf(files: readonly string[]): string {
    return files.map((file) => `${file} ${ts.sys.getModifiedTime?.(file)?.getTime() ?? "none"}`).join("\n");
  }
}

function cellOptions(given: ts.CompilerOptions): ts.CompilerOptions {
  const honoured = Object.fromEntries(HONOURED.filter((name) => given[name] !== undefined).map((n) => [n, given[n]]));
  const options: ts.CompilerOptions = { ...CELL_OPTIONS, ...(honoured as ts.CompilerOptions) };
  if (given.target !== undefined) {
    // Below, `await` would be rewritten; above is what Node may not know yet.
    options.target = Math.min(Math.max(given.target, ts.ScriptTarget.ES2022), ts.ScriptTarget.ES2024);
    if (given.lib === undefined && given.target > ts.ScriptTarget.ES2023) options.lib = ["lib.esnext.d.ts"];
  }
  // The kernel brings the declarations of Node.
  if (given.types !== undefined) options.types = given.types.filter((name) => name !== "node");
  // Nothing comes after TypeScript that would compile JSX.
  if (given.jsx === ts.JsxEmit.Preserve || given.jsx === ts.JsxEmit.ReactNative) options.jsx = ts.JsxEmit.ReactJSX;
  return options;
}
