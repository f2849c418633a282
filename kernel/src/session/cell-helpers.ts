/** What compiled cells call (`cell-transform.ts` puts the calls in), under one hidden global. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { Script, constants } from "node:vm";
import type { ShellLines } from "../cell-api/shell-lines.js";
import type { SessionHooks } from "../index.js";
import { HELPERS } from "../language/helpers-name.js";
import { importRemedy, isPackage, nodeSpecifier, packageOf } from "../package-name.js";
import type { RunCommand } from "../session-protocol.js";
import { currentCell } from "./current-cell.js";
import { completeExports, expectExports } from "./exports.js";
import { sendFrame } from "./frames.js";
import { importMeta, type Meta } from "./import-meta.js";
import { interruptible, interruptibleIterable } from "./interrupts.js";
import { noteImport } from "./loaded-packages.js";
import { mimeBundle } from "./mime-bundle.js";
import { ModuleLoader, type Import, type LiveBinding } from "./module-loader.js";
import { prepareReadline } from "./readline.js";
import { Timer } from "./timer.js";

/** A file that is not there, in the notebook's folder: what cells import is resolved as from this. */
function placeOfCells(folder: string): string {
  return join(folder, "notebook.ts");
}

/** `import()` as it works in a file of this name. JSON needs no attribute, as little as it does for TypeScript. */
function importFrom(filename: string): Import {
  const native = new Script("(specifier, options) => import(specifier, options)", {
    filename,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }).runInThisContext() as Import;
  return (specifier, options) =>
    native(specifier, options ?? (specifier.endsWith(".json") ? { with: { type: "json" } } : undefined));
}

/** A package that is not found from the notebook's folder may be one that a preload module brings. */
function importWithFallback(places: readonly string[]): Import {
  const find = findWithFallback(places);
  return async (asked, options) => completeExports(await find(asked, options), asked);
}

function findWithFallback(places: readonly string[]): Import {
  const [first, ...others] = places.map(importFrom);
  return async (asked, options) => {
    const specifier = nodeSpecifier(asked);
    noteImport(specifier);
    prepareReadline(specifier);
    if (specifier === "tslab")
      return (await import("./compat/tslab.js")).importTslab(places, importFrom(places[0] ?? ""));
    try {
      return await first?.(specifier, options);
    } catch (error) {
      const { code = "", message } = error as NodeJS.ErrnoException;
      if (code === "ERR_UNSUPPORTED_ESM_URL_SCHEME") throw notFound(asked);
      // A package may also lack one that it needs itself.
      const lacks =
        code === "ERR_MODULE_NOT_FOUND" && isPackage(specifier) && message.includes(`'${packageOf(specifier)}'`);
      if (!lacks) throw error;
      for (const other of others) {
        try {
          return await other(specifier, options);
        } catch {
          // Nor is it there; what is told is that the notebook's folder lacks it.
        }
      }
      throw notFound(asked);
    }
  };
}

/** `require`, whose error tells what to do about a package that is not there. */
function requireWithRemedy(require: NodeJS.Require): NodeJS.Require {
  return new Proxy(require, {
    apply(target, _, [asked]: [string]) {
      prepareReadline(asked);
      try {
        return target(asked) as unknown;
      } catch (error) {
        const { code, requireStack } = error as NodeJS.ErrnoException & { requireStack?: readonly string[] };
        // A package may also lack one that it needs itself.
        if (code === "MODULE_NOT_FOUND" && requireStack?.length === 1) throw notFound(asked);
        if (error instanceof SyntaxError && /\.[cm]?ts$/.test(asked)) {
          const remedy = `require reads JavaScript. TypeScript is imported: import { … } from "${asked}"`;
          throw new SyntaxError(`${error.message}: ${remedy}`, { cause: error });
        }
        throw error;
      }
    },
  });
}

function notFound(specifier: string): Error {
  const error: NodeJS.ErrnoException = new Error(`Cannot find '${specifier}'. ${importRemedy(specifier)}`);
  error.code = "ERR_MODULE_NOT_FOUND";
  return error;
}

export class CellHelpers {
  readonly interruptible = interruptible;
  readonly interruptibleIterable = interruptibleIterable;
  /** Stands for `import.meta`. */
  readonly meta: Meta;
  /** Stands for `import()`: V8's REPL mode has none. An import declaration says which names it wants. */
  readonly import: (specifier: string, options?: ImportCallOptions, names?: readonly string[]) => Promise<unknown>;
  /** The same where the specifier is not written in the cell, but computed. */
  readonly importComputed: Import;
  /** Keeps the variables of imported names at the values of the exports. Gives back the namespace. */
  readonly live = <T extends object>(namespace: T, ...bindings: readonly LiveBinding[]): T => {
    this.#modules.follow(namespace, bindings);
    return namespace;
  };
  readonly #modules: ModuleLoader;
  /** Paths of the notebook's own files by the specifiers that cells use for them. */
  readonly #own = new Map<string, string>();
  /** Values of the last expressions of cells that run. */
  readonly #results = new Map<number, unknown>();
  /** Of `%time`. */
  readonly #timer = new Timer();
  #aroundCalls: SessionHooks["timedCall"];
  /** Of `%%time`. */
  readonly cellTimer = new Timer();

  /** `Deno`, as cells see it. */
  readonly Deno: unknown;

  private constructor(folder: string, preloads: readonly string[], deno: unknown) {
    this.Deno = deno;
    const filename = placeOfCells(folder);
    this.meta = importMeta(filename);
    const withFallback = (file: string): Import => importWithFallback([file, ...preloads]);
    this.#modules = new ModuleLoader(withFallback);
    const outside = withFallback(filename);
    this.importComputed = (specifier, options) => this.#modules.importComputed(specifier, folder, outside, options);
    this.import = async (specifier, options, names = []) => {
      const own = this.#own.get(specifier);
      // TypeScript has looked for the names in the notebook's own files.
      if (own !== undefined) return this.#modules.import(own);
      const module = await outside(specifier, options);
      expectExports(module, specifier, names);
      return module;
    };
  }

  /** Takes what preload modules ask of the kernel. */
  use(hooks: SessionHooks): void {
    if (hooks.timedCall !== undefined) this.#aroundCalls = hooks.timedCall.bind(hooks);
  }

  /** Takes the notebook's own files that a cell is about to import; what it declares is no import of an earlier cell any more. */
  expect({ cell, modules }: RunCommand): void {
    this.#modules.add(modules);
    for (const name of cell.variables) this.#modules.forget(name);
    for (const [specifier, path] of Object.entries(cell.imports)) this.#own.set(specifier, path);
  }

  /** Puts in order what a cell that was interrupted has left unfinished. */
  afterInterrupt(): void {
    this.#modules.dropUnfinished();
  }

  /** Puts the helpers, and `require`, where cells find them. */
  static install(folder: string, preloads: readonly string[], deno: unknown): CellHelpers {
    const helpers = new CellHelpers(folder, preloads, deno);
    Object.defineProperty(globalThis, HELPERS, { value: helpers });
    Object.defineProperty(globalThis, "require", {
      value: requireWithRemedy(createRequire(placeOfCells(folder))),
      writable: true,
      configurable: true,
    });
    return helpers;
  }

  /** Carries out a command: `language/commands/calls.ts` puts the calls in. */
  command = async (name: string, ...args: readonly unknown[]): Promise<void> => {
    const { runCommand } = await import("./commands/index.js");
    await runCommand(name, args);
  };

  /** What a line for the shell prints, as a value. */
  capture = async (pieces: readonly string[], values: readonly unknown[]): Promise<ShellLines> => {
    const { captureShell } = await import("./commands/shell.js");
    return captureShell(pieces, values);
  };

  /** How a value is shown, as JSON, where that is known at once: for the debugger. */
  richly = (value: unknown): string | undefined => {
    const data = mimeBundle(value);
    return data instanceof Promise ? undefined : JSON.stringify(data);
  };

  startTimer = (): void => {
    this.#timer.start();
  };

  /** Shows the time since `startTimer`; gives back the value that was timed. */
  stopTimer = <T>(_started?: unknown, value?: T): T | undefined => {
    this.#timer.stop();
    return value;
  };

  /** Carries out `%timeit`. */
  timeCalls = async (call?: () => unknown): Promise<void> => {
    const [{ CommandError }, { timeCalls }] = await Promise.all([import("./commands/error.js"), import("./repeat.js")]);
    if (call === undefined) {
      throw new CommandError(
        "%timeit takes an expression: a declaration, or a loop, can be put into a function that it calls",
      );
    }
    const around = this.#aroundCalls;
    const text = await timeCalls(around === undefined ? call : () => around(call));
    sendFrame({ type: "stream", cell: currentCell(), name: "stdout", text });
  };

  timeCell = (): void => {
    this.cellTimer.start();
  };

  /** Takes the value of a cell's last expression. Gives nothing back: the inspector would describe it, a text with all of it. */
  result = (value: unknown): void => {
    this.#results.set(currentCell(), value);
  };

  /** The value of the last expression of the cell that ended, once. */
  takeResult(): unknown {
    const cell = currentCell();
    const value = this.#results.get(cell);
    this.#results.delete(cell);
    return value;
  }
}
