/**
 * Loads the notebook's own files, TypeScript, ES modules of JavaScript and JSON, and loads them anew when they have changed.
 *
 * They come compiled, as `System.register` calls, with the cell that imports them (`language/own-modules.ts`). Node's loader
 * never lets go of a module that it has loaded, and `System.register` is the form of a module that plain functions can
 * load: with live bindings, cycles, and `await` at the top level.
 */
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";
import type { CompiledModule } from "../session-protocol.js";
import { askWhatIsMeant, mayBeOwn } from "./computed-imports.js";
import { rememberSource } from "./cells.js";
import { importMeta } from "./import-meta.js";

/** `import()` as it works for what is not the notebook's own: packages, Node's modules, CommonJS. */
export type Import = (specifier: string, options?: ImportCallOptions) => Promise<unknown>;

type Namespace = Record<string, unknown>;

/** What a compiled module declares of itself. */
interface Declaration {
  readonly setters: readonly ((namespace: unknown) => void)[];
  readonly execute: () => unknown;
}

type Export = (name: string | Namespace, value?: unknown) => unknown;
type Register = (dependencies: readonly string[], declare: (exports: Export, context: object) => Declaration) => void;

type SetVariable = (value: unknown) => void;

/** The name of an export, that of a variable in cells which is to have its value, and what sets that variable. */
export type LiveBinding = readonly [name: string, variable: string, set: SetVariable];

/** A module that is being, or has been, evaluated. */
interface Instance {
  readonly module: CompiledModule;
  readonly namespace: Namespace;
  /** Called when an export has changed: modules that export it again pass it on. */
  readonly listeners: Set<() => void>;
  /** Called with the new value of an export: variables of cells. */
  readonly followers: Map<string, Set<SetVariable>>;
  /** The module whose evaluation this one waits for. */
  waitsFor: Instance | undefined;
  state: "evaluating" | "done" | "failed";
  evaluated: Promise<void>;
}

export class ModuleLoader {
  readonly #importFrom: (filename: string) => Import;
  /** The newest version of each file that the front has sent. */
  readonly #known = new Map<string, CompiledModule>();
  readonly #instances = new Map<string, Instance>();
  /** How often a path has been evaluated: V8 is to tell the versions apart. */
  readonly #evaluations = new Map<string, number>();

  /** Instances by what they export. */
  readonly #byNamespace = new WeakMap<object, Instance>();
  /** What keeps a variable of the cells at the value of an export, by the variable's name. */
  readonly #followers = new Map<string, { readonly of: Set<SetVariable>; readonly set: SetVariable }>();

  /** @param importFrom makes the `import()` of a file that is not one of these modules */
  constructor(importFrom: (filename: string) => Import) {
    this.#importFrom = importFrom;
  }

  /** Takes new versions of files; they are used from the next import on. */
  add(modules: readonly CompiledModule[]): void {
    for (const module of modules) this.#known.set(module.path, module);
  }

  /** Has variables follow the exports of a module. */
  follow(namespace: object, bindings: readonly LiveBinding[]): void {
    const { followers } = this.#byNamespace.get(namespace) ?? {};
    if (followers === undefined) return;
    for (const [name, variable, set] of bindings) {
      this.forget(variable);
      const of = followers.get(name) ?? new Set<SetVariable>();
      followers.set(name, of.add(set));
      this.#followers.set(variable, { of, set });
    }
  }

  /** A variable of this name follows nothing any more. */
  forget(variable: string): void {
    const { of, set } = this.#followers.get(variable) ?? {};
    if (of === undefined || set === undefined) return;
    of.delete(set);
    this.#followers.delete(variable);
  }

  /** Forgets modules whose evaluation an interrupt has stopped: the next import begins anew. */
  dropUnfinished(): void {
    for (const instance of this.#instances.values()) if (instance.state === "evaluating") instance.state = "failed";
  }

  /** Imports a file: the module at hand if neither it nor what it imports has changed. */
  async import(path: string): Promise<unknown> {
    this.#dropStale(path);
    const instance = this.#instance(path);
    await instance.evaluated;
    return instance.namespace;
  }

  /**
   * Imports by a specifier that the compiler has not seen: a file of the notebook's own is compiled now.
   * @param folder of the importing file
   * @param outside imports what is not the notebook's own
   */
  async importComputed(given: unknown, folder: string, outside: Import, options?: ImportCallOptions): Promise<unknown> {
    const specifier = String(given);
    if (!mayBeOwn(specifier)) return outside(specifier, options);
    const file = specifier.startsWith("file:") ? fileURLToPath(specifier) : resolve(folder, specifier);
    const { path, modules } = await askWhatIsMeant(file.replaceAll("\\", "/"));
    if (path === undefined) return outside(specifier, options);
    this.add(modules);
    return this.import(path);
  }

  /** Drops the modules, of those that `root` needs, that have changed or import what has changed. */
  #dropStale(root: string): void {
    const importers = new Map<string, string[]>([[root, []]]);
    for (const path of importers.keys()) {
      for (const imported of Object.values(this.#known.get(path)?.imports ?? {})) {
        if (!importers.has(imported)) importers.set(imported, []);
        importers.get(imported)?.push(path);
      }
    }
    const stale = [...importers.keys()].filter((path) => {
      const instance = this.#instances.get(path);
      return instance?.module.version !== this.#known.get(path)?.version || instance?.state === "failed";
    });
    const seen = new Set(stale);
    for (const path of seen) {
      this.#instances.delete(path);
      for (const importer of importers.get(path) ?? []) seen.add(importer);
    }
  }

  #instance(path: string): Instance {
    const present = this.#instances.get(path);
    if (present !== undefined) return present;
    const module = this.#known.get(path);
    if (module === undefined) throw new Error(`${path} was not compiled; run the cell that imports it again`);
    const instance: Instance = {
      module,
      namespace: Object.defineProperty(Object.create(null) as Namespace, Symbol.toStringTag, { value: "Module" }),
      listeners: new Set(),
      followers: new Map(),
      waitsFor: undefined,
      state: "evaluating",
      evaluated: Promise.resolve(),
    };
    this.#instances.set(path, instance);
    this.#byNamespace.set(instance.namespace, instance);
    // It begins when whoever imports it has noted that it waits for it: in a circle, what was imported first runs last.
    const begun = Promise.resolve().then(() => this.#evaluate(instance));
    instance.evaluated = begun.then(
      () => void (instance.state = "done"),
      (error: unknown) => {
        instance.state = "failed";
        throw error;
      },
    );
    // Whoever imports it hears of the failure.
    instance.evaluated.catch(() => undefined);
    return instance;
  }

  async #evaluate(instance: Instance): Promise<void> {
    const { module, namespace } = instance;
    if (module.kind === "json") {
      const value = JSON.parse(module.javascript) as unknown;
      // To TypeScript the keys of an object are exports as well.
      if (!Array.isArray(value)) Object.assign(namespace, value);
      namespace["default"] = value;
      return;
    }
    const [dependencies, declare] = register(module, this.#url(module));
    const outside = this.#importFrom(module.path);
    const { setters, execute } = declare(exporter(instance), {
      id: module.path,
      meta: importMeta(module.path),
      import: (specifier: string, options?: ImportCallOptions) => {
        const own = module.imports[specifier];
        if (own !== undefined) return this.import(own);
        return this.importComputed(specifier, dirname(module.path), outside, options);
      },
    });
    for (const [i, specifier] of dependencies.entries()) {
      const set = setters[i] ?? ((): void => undefined);
      const own = module.imports[specifier];
      if (own === undefined) {
        set(await outside(specifier));
        continue;
      }
      const imported = this.#instance(own);
      const update = (): void => {
        set(imported.namespace);
      };
      imported.listeners.add(update);
      update();
      // In a circle somebody has to begin: who is waited for does not wait.
      if (reaches(imported, instance)) continue;
      instance.waitsFor = imported;
      await imported.evaluated;
      instance.waitsFor = undefined;
      update();
    }
    await execute();
  }

  #url(module: CompiledModule): string {
    const count = (this.#evaluations.get(module.path) ?? 0) + 1;
    this.#evaluations.set(module.path, count);
    const url = count === 1 ? module.path : `${module.path}?${count}`;
    rememberSource(url, module);
    return url;
  }
}

/** Runs the script of a module, which does no more than to declare what it is. */
function register(module: CompiledModule, url: string): Parameters<Register> {
  let declared: Parameters<Register> | undefined;
  const System: { register: Register } = { register: (...args) => void (declared = args) };
  (compileFunction(module.javascript, ["System"], { filename: url }) as (system: typeof System) => void)(System);
  if (declared === undefined) throw new Error(`${module.label} was compiled to no module`);
  return declared;
}

/** What a module calls to export: a name with its value, or several. */
function exporter({ namespace, listeners, followers }: Instance): Export {
  const set = (name: string, value: unknown): boolean => {
    if (Object.is(namespace[name], value) && name in namespace) return false;
    namespace[name] = value;
    const variables = followers.get(name);
    if (variables !== undefined) for (const setVariable of variables) setVariable(value);
    return true;
  };
  return (name, value) => {
    let changed = false;
    if (typeof name === "string") changed = set(name, value);
    else for (const [key, exported] of Object.entries(name)) changed = set(key, exported) || changed;
    if (changed) for (const listener of listeners) listener();
    return value;
  };
}

function reaches(from: Instance, to: Instance): boolean {
  for (let at: Instance | undefined = from; at !== undefined; at = at.waitsFor) if (at === to) return true;
  return false;
}
