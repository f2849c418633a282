/**
 * What TypeScript has read that no notebook changes: the declarations of JavaScript, of Node, of the kernel and of the preload
 * modules, with their syntax trees. To read them takes most of the time of a start. A snapshot of the language process
 * (`snapshot.ts`) holds them; a process that starts from it looks only whether the files are still the same.
 */
import ts = require("typescript");
import { oneByte } from "./one-byte.js";
import { declaredModules, packDeclarations, rareFile } from "./packed.js";

/** A file as it was read. */
export interface DiskFile {
  /** Time of the last change, in milliseconds since 1970. */
  readonly modified: number;
  /** Another where the text is another. */
  readonly version: string;
  readonly snapshot: WholeText;
}

/** A snapshot that is always parsed whole: a parse that patches the old tree would trip over the links of scopes. */
export class WholeText implements ts.IScriptSnapshot {
  constructor(readonly text: string) {}
  getText = (start: number, end: number): string => this.text.slice(start, end);
  getLength = (): number => this.text.length;
  getChangeRange = (): undefined => undefined;
}

/** Trees of declarations are the same with all options that a notebook can have: they are kept under one key. */
const DECLARATIONS = "declarations" as ts.DocumentRegistryBucketKey;

export class Library {
  /** Files on disk by path: packages', and the notebook's own. */
  readonly files = new Map<string, DiskFile>();
  /** Texts made from what the files declare, by what they were made for; they hold as long as no file has changed. */
  readonly derived = new Map<string, string>();
  /** By the file that refers to the others, see `packed.ts`. */
  readonly #packed = new Map<string, ReadonlyMap<string, DiskFile>>();
  #jsDocParsingMode: ts.JSDocParsingMode;
  #registry: ts.DocumentRegistry;

  /** @param jsDocParsingMode whether comments that document are read */
  constructor(jsDocParsingMode = ts.JSDocParsingMode.ParseNone) {
    this.#jsDocParsingMode = jsDocParsingMode;
    this.#registry = createRegistry(jsDocParsingMode);
  }

  get jsDocParsingMode(): ts.JSDocParsingMode {
    return this.#jsDocParsingMode;
  }

  /** The trees of the files, for a language service. */
  get registry(): ts.DocumentRegistry {
    return this.#registry;
  }

  /** Forgets all trees: from here on comments are read too. */
  readDocumentation(): void {
    this.#jsDocParsingMode = ts.JSDocParsingMode.ParseAll;
    this.#registry = createRegistry(this.#jsDocParsingMode);
  }

  /** A file, and those that it refers to, packed into it. */
  packed(root: string): ReadonlyMap<string, DiskFile> {
    const known = this.#packed.get(root) ?? readPacked(root);
    this.#packed.set(root, known);
    return known;
  }

  /** The path of the file with the rare modules of a packed one, and their names. */
  rare(root: string): { readonly path: string; readonly modules: readonly string[] } | undefined {
    const packed = this.packed(root);
    const path = rareFile([...packed].map(([file, { snapshot }]) => [file, snapshot.text]));
    return path === undefined ? undefined : { path, modules: declaredModules(packed.get(path)?.snapshot.text ?? "") };
  }

  /** Forgets files that have changed since they were read, or are gone. Says whether all are as they were. */
  refresh(): boolean {
    const hasChanged = ([path, { modified }]: readonly [string, DiskFile]): boolean =>
      modificationTime(path) !== modified;
    const changed = [...this.files].filter(hasChanged).map(([path]) => path);
    const repacked = [...this.#packed].filter(([, files]) => [...files].some(hasChanged)).map(([root]) => root);
    for (const path of changed) this.files.delete(path);
    for (const root of repacked) this.#packed.delete(root);
    if (changed.length + repacked.length === 0) return true;
    this.derived.clear();
    return false;
  }
}

function readPacked(root: string): Map<string, DiskFile> {
  const texts = [...packDeclarations(root)].map(([path, text]) => {
    return { path, modified: modificationTime(path) ?? 0, snapshot: new WholeText(oneByte(text)) };
  });
  const version = texts.map(({ modified }) => modified).join();
  return new Map(texts.map(({ path, ...file }) => [path, { ...file, version }]));
}

/** When a file was last changed, in milliseconds since 1970; undefined where there is none. */
export function modificationTime(path: string): number | undefined {
  return ts.sys.getModifiedTime?.(path)?.getTime();
}

/**
 * For each program the service asks for all its trees anew. Those of declarations that are as they were are given
 * at once: TypeScript's own registry would find out much that it does not need first.
 */
function createRegistry(jsDocParsingMode: ts.JSDocParsingMode): ts.DocumentRegistry {
  const registry = ts.createDocumentRegistry(ts.sys.useCaseSensitiveFileNames, "", jsDocParsingMode);
  const current = new Map<string, { readonly version: string; readonly file: ts.SourceFile }>();
  return {
    ...registry,
    acquireDocumentWithKey: (name, path, settings, key, snapshot, version, ...rest) => {
      if (!isDeclaration(path)) {
        return registry.acquireDocumentWithKey(name, path, settings, key, snapshot, version, ...rest);
      }
      const file = registry.acquireDocumentWithKey(name, path, settings, DECLARATIONS, snapshot, version, ...rest);
      current.set(path, { version, file });
      return file;
    },
    updateDocumentWithKey: (name, path, settings, key, snapshot, version, ...rest) => {
      if (!isDeclaration(path)) {
        return registry.updateDocumentWithKey(name, path, settings, key, snapshot, version, ...rest);
      }
      const known = current.get(path);
      if (known?.version === version) return known.file;
      const file = registry.updateDocumentWithKey(name, path, settings, DECLARATIONS, snapshot, version, ...rest);
      current.set(path, { version, file });
      return file;
    },
    // The declared type lacks what the second of its overloads takes.
    releaseDocumentWithKey: ((
      path: ts.Path,
      key: ts.DocumentRegistryBucketKey,
      ...rest: [ts.ScriptKind, undefined]
    ) => {
      current.delete(path);
      registry.releaseDocumentWithKey(path, isDeclaration(path) ? DECLARATIONS : key, ...rest);
    }) as ts.DocumentRegistry["releaseDocumentWithKey"],
  };
}

/** Whether a file has declarations alone. */
export function isDeclaration(path: string): boolean {
  return /\.d\.[cm]?ts$/.test(path);
}
