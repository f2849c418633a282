/**
 * What TypeScript has read that no notebook changes: the declarations of JavaScript, of Node, of the kernel and of the preload
 * modules, with their syntax trees. To read them takes most of the time of a start. A snapshot of the language process
 * (`snapshot.ts`) holds them; a process that starts from it looks only whether the files are still the same.
 */
import ts = require("typescript");

/** A file as it was read. */
export interface DiskFile {
  /** Time of the last change, in milliseconds since 1970. */
  readonly modified: number;
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

  /** Forgets files that have changed since they were read, or are gone. Says whether all are as they were. */
  refresh(): boolean {
    const changed = [...this.files].filter(([path, { modified }]) => modificationTime(path) !== modified);
    for (const [path] of changed) this.files.delete(path);
    if (changed.length > 0) this.derived.clear();
    return changed.length === 0;
  }
}

/** When a file was last changed, in milliseconds since 1970; undefined where there is none. */
export function modificationTime(path: string): number | undefined {
  return ts.sys.getModifiedTime?.(path)?.getTime();
}

/**
 * For each cell the service asks for all trees of the program anew. Those of declarations that are as they were are given
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

function isDeclaration(path: string): boolean {
  return /\.d\.[cm]?ts$/.test(path);
}
