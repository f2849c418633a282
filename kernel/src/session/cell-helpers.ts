/** What compiled cells call (`cell-transform.ts` puts the calls in), under one hidden global. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Script, constants } from "node:vm";
import { HELPERS } from "../language/helpers-name.js";
import { isPackage } from "../package-name.js";
import { interruptible, interruptibleIterable } from "./interrupts.js";

/** A file that is not there, in the notebook's folder: what cells import is resolved as from this. */
function placeOfCells(folder: string): string {
  return join(folder, "notebook.ts");
}

type Import = (specifier: string, options?: ImportCallOptions) => Promise<unknown>;

/** `import()` as it works in a file of this name. */
function importFrom(filename: string): Import {
  return new Script("(specifier, options) => import(specifier, options)", {
    filename,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }).runInThisContext() as Import;
}

/** A package that is not found from the notebook's folder may be one that a preload module brings. */
function importWithFallback(first: Import, others: readonly Import[]): Import {
  return async (specifier, options) => {
    try {
      return await first(specifier, options);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND" || !isPackage(specifier)) throw error;
      for (const other of others) {
        try {
          return await other(specifier, options);
        } catch {
          // Nor is it there; what is told is that the notebook's folder lacks it.
        }
      }
      throw error;
    }
  };
}

export class CellHelpers {
  readonly interruptible = interruptible;
  readonly interruptibleIterable = interruptibleIterable;
  /** Stands for `import.meta`. */
  readonly meta: Readonly<{ url: string; dirname: string; filename: string }>;
  /** Stands for `import()`: V8's REPL mode has none. */
  readonly import: Import;
  #result: unknown;

  private constructor(folder: string, preloads: readonly string[]) {
    const filename = placeOfCells(folder);
    this.meta = { url: pathToFileURL(filename).href, dirname: folder, filename };
    this.import = importWithFallback(importFrom(filename), preloads.map(importFrom));
  }

  /** Puts the helpers, and `require`, where cells find them. */
  static install(folder: string, preloads: readonly string[]): CellHelpers {
    const helpers = new CellHelpers(folder, preloads);
    Object.defineProperty(globalThis, HELPERS, { value: helpers });
    Object.defineProperty(globalThis, "require", {
      value: createRequire(placeOfCells(folder)),
      writable: true,
      configurable: true,
    });
    return helpers;
  }

  /** Takes the value of a cell's last expression. */
  result = <T>(value: T): T => {
    this.#result = value;
    return value;
  };

  /** The value of the last expression of the cell that ended, once. */
  takeResult(): unknown {
    const value = this.#result;
    this.#result = undefined;
    return value;
  }
}
