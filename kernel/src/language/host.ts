/** What the language service asks of its surroundings: texts, versions, and where modules are. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts = require("typescript");
import { isPackage, nodeSpecifier, packageOf } from "../package-name.js";
import { cellTransform, type CellFacts } from "./cell-transform.js";
import type { CellCommands } from "./commands/calls.js";
import { semanticDiagnostics } from "./cell-program.js";
import { MISSING_MODULE } from "./remedies.js";
import type { CellFiles } from "./files.js";
import { isDeclaration, modificationTime, WholeText, type DiskFile, type Library } from "./library.js";
import { oneByte } from "./one-byte.js";
import type { OwnModulesHost } from "./own-modules.js";
import { hasStandardLibrary, STANDARD_LIBRARY } from "./packed.js";
import type { NotebookConfig } from "./tsconfig.js";

/** Extensions of files that are the notebook's own when they lie outside of packages. */
const OWN: ReadonlySet<string> = new Set([".ts", ".tsx", ".mts", ".cts", ".json"]);
/** Extensions of those that are so where they are ES modules. CommonJS is for Node, which has one instance of it for all. */
const OWN_MODULES: ReadonlySet<string> = new Set([".js", ".mjs", ".jsx"]);

/** Declarations of the module that stands for tslab where tslab is not installed. */
const TSLAB = fileURLToPath(new URL("../session/compat/tslab-display.d.ts", import.meta.url)).replaceAll("\\", "/");

/**
 * Serves the virtual files of the cells, and files on disk from memory: the service asks for every file of the program
 * each time that it makes one, and a program with a large library has a thousand.
 */
export class CellHost implements ts.LanguageServiceHost, OwnModulesHost {
  #files: CellFiles;
  #config: NotebookConfig;
  #folder: string;
  readonly #roots: readonly string[];
  readonly #library: Library;
  /** Files that are looked at again, though they are taken not to change. */
  readonly #doubted = new Set<string>();
  /** Versions of files that are taken not to change. */
  readonly #lasting = new Map<string, string>();
  readonly #virtual = new Map<string, { version: number; snapshot: WholeText }>();
  readonly #globals: readonly string[];
  readonly #others: readonly string[];
  readonly #packed: readonly string[];
  /** Rare modules of Node, which the program takes note of when something imports one. */
  readonly #rare: { readonly paths: readonly string[]; readonly modules: ReadonlySet<string> };
  #hasRare = false;
  #lacksRare = false;
  #resolution: ts.ModuleResolutionCache;
  /** Files of the notebook's own that a file imports, by specifier. */
  readonly #own = new Map<string, Map<string, string>>();
  #lookingAgain = false;
  #version = 0;
  /** Versions of the files of the program that may change on disk. */
  readonly #changing = new Map<string, string>();
  /** Commands of the cell that is being compiled. */
  commands: CellCommands | undefined;

  /**
   * @param globals declaration files of the modules whose exports are global in cells. A folder `types` beside one may hold
   *   the declarations of a package packed into one file, `types/<package>.d.ts`, which then stands for the package's own.
   * @param others more declaration files that every cell sees, each of which may refer to many
   * @param library what was read of files before
   */
  constructor(
    files: CellFiles,
    config: NotebookConfig,
    folder: string,
    globals: readonly string[],
    others: readonly string[],
    library: Library,
  ) {
    this.#files = files;
    this.#config = config;
    this.#library = library;
    this.#folder = folder;
    this.#globals = globals;
    this.#others = others;
    this.#roots = [...others, ...globals];
    this.#packed = globals.map((path) => join(dirname(path), "types"));
    const rare = others.flatMap((root) => library.rare(root) ?? []);
    this.#rare = { paths: rare.map(({ path }) => path), modules: new Set(rare.flatMap(({ modules }) => modules)) };
    this.#resolution = this.#resolutionCache();
  }

  /** Whether comments that document are read. */
  get jsDocParsingMode(): ts.JSDocParsingMode {
    return this.#library.jsDocParsingMode;
  }

  getCompilationSettings = (): ts.CompilerOptions => this.#config.options;
  getCustomTransformers = (): ts.CustomTransformers => ({ after: [cellTransform(() => this.#facts())] });
  getCurrentDirectory = (): string => this.#folder;
  getDefaultLibFileName = (options: ts.CompilerOptions): string => ts.getDefaultLibFilePath(options);
  /** The service looks at texts again only where this is another. */
  getProjectVersion = (): string => String(this.#version);
  getScriptFileNames = (): string[] => [
    ...this.#roots,
    ...(this.#hasRare ? this.#rare.paths : []),
    ...this.#files.paths,
  ];
  fileExists = (path: string): boolean => this.#files.get(path) !== undefined || ts.sys.fileExists(path);
  directoryExists = (path: string): boolean => ts.sys.directoryExists(path);
  getDirectories = (path: string): string[] => ts.sys.getDirectories(path);
  readDirectory: ts.LanguageServiceHost["readDirectory"] = (...args) => ts.sys.readDirectory(...args);
  realpath = (path: string): string => (this.#files.get(path) === undefined ? (ts.sys.realpath?.(path) ?? path) : path);
  useCaseSensitiveFileNames = (): boolean => ts.sys.useCaseSensitiveFileNames;
  getModuleResolutionCache = (): ts.ModuleResolutionCache => this.#resolution;
  getScriptKind = (path: string): ts.ScriptKind => this.#scriptKind(path);
  /** Internal to TypeScript: whether a file's imports are resolved anew though its text is as it was. */
  hasInvalidatedResolutions = (): boolean => this.#lookingAgain;
  ownImports = (path: string): ReadonlyMap<string, string> => this.#own.get(path) ?? new Map<string, string>();

  readFile = (path: string, encoding?: string): string | undefined =>
    this.#files.get(path)?.text ?? ts.sys.readFile(path, encoding);

  getScriptVersion = (path: string): string => {
    // Asked for each file of the program whenever a cell changes.
    const lasting = this.#lasting.get(path);
    if (lasting !== undefined) return lasting;
    const virtual = this.#files.get(path);
    if (virtual !== undefined) return String(virtual.version);
    const version = this.#onDisk(path)?.version ?? "";
    (this.#mayChange(path) ? this.#changing : this.#lasting).set(path, version);
    return version;
  };

  getScriptSnapshot = (path: string): ts.IScriptSnapshot | undefined => {
    const file = this.#files.get(path);
    if (file === undefined) return this.#onDisk(path)?.snapshot;
    let cached = this.#virtual.get(path);
    if (cached?.version !== file.version) {
      cached = { version: file.version, snapshot: new WholeText(file.text) };
      this.#virtual.set(path, cached);
    }
    return cached.snapshot;
  };

  resolveModuleNameLiterals: NonNullable<ts.LanguageServiceHost["resolveModuleNameLiterals"]> = (
    literals,
    containingFile,
    redirected,
    options,
    sourceFile,
  ) =>
    literals.map((literal) => {
      // The declarations of Node name all modules of Node.
      if (this.#rare.modules.has(literal.text) && !this.#others.includes(containingFile)) this.#lacksRare = true;
      const found = this.#resolve(literal, containingFile, redirected, options, sourceFile);
      this.#noteOwn(containingFile, literal.text, found.resolvedModule);
      return found;
    });

  #resolve(
    literal: ts.StringLiteralLike,
    containingFile: string,
    redirected: ts.ResolvedProjectReference | undefined,
    options: ts.CompilerOptions,
    sourceFile: ts.SourceFile,
  ): ts.ResolvedModuleWithFailedLookupLocations {
    const specifier = nodeSpecifier(literal.text);
    const packed = this.#packedTypes(specifier);
    if (packed !== undefined) {
      const resolvedModule = { resolvedFileName: packed, extension: ts.Extension.Dts, isExternalLibraryImport: true };
      return { resolvedModule };
    }
    const mode = ts.getModeForUsageLocation(sourceFile, literal, options);
    const from = (file: string): ts.ResolvedModuleWithFailedLookupLocations =>
      ts.resolveModuleName(specifier, file, options, this, this.#resolution, redirected, mode);
    const found = from(containingFile);
    if (found.resolvedModule !== undefined || !isPackage(specifier)) return found;
    // As in `session/cell-helpers.ts`: a package that a preload module brings can be imported in any folder.
    const brought = this.#globals.map(from).find(({ resolvedModule }) => resolvedModule !== undefined);
    if (brought !== undefined || specifier !== "tslab") return brought ?? found;
    // As in `session/compat/tslab.ts`.
    return { resolvedModule: { resolvedFileName: TSLAB, extension: ts.Extension.Dts, isExternalLibraryImport: true } };
  }

  /** A file that is not a package's: Node could not run it as it is, or would never load it again. */
  #noteOwn(importer: string, specifier: string, found: ts.ResolvedModuleFull | undefined): void {
    const imports = this.#own.get(importer) ?? new Map<string, string>();
    if (found !== undefined && this.#isOwn(found)) imports.set(specifier, found.resolvedFileName);
    else imports.delete(specifier);
    this.#own.set(importer, imports);
  }

  #isOwn({ extension, isExternalLibraryImport, resolvedFileName: path }: ts.ResolvedModuleFull): boolean {
    if (isExternalLibraryImport === true) return false;
    return OWN.has(extension) || (OWN_MODULES.has(extension) && isEsModule(this.readFile(path) ?? ""));
  }

  #facts(): CellFacts {
    return { commands: this.commands, own: this.ownImports(this.#files.cellPath) };
  }

  /** Serves another notebook, of which the program that there is knows all files. */
  moveTo(files: CellFiles, config: NotebookConfig, folder: string): void {
    this.#files = files;
    this.#config = config;
    this.#folder = folder;
    this.#virtual.clear();
    this.#resolution = this.#resolutionCache();
    // What lies in the notebook's folder is taken to change.
    for (const [path, version] of this.#lasting) {
      if (!this.#mayChange(path)) continue;
      this.#lasting.delete(path);
      this.#changing.set(path, version);
    }
  }

  /** Has the next program know the rare modules of Node; says whether that is new. */
  takeRare(): boolean {
    const isNew = !this.#hasRare && this.#rare.paths.length > 0;
    this.#hasRare = true;
    return isNew;
  }

  /** Whether a file of the program imports a module that the program has left out; from here on it has it. */
  takeWhatIsLacking(): boolean {
    return this.#lacksRare && this.takeRare();
  }

  /** Has the service look at all texts again. */
  outdate(): void {
    this.#version++;
    this.#changing.clear();
  }

  /** Whether files on disk are others than those that a program was made of, or are to be looked for again. */
  hasChanged(program: ts.Program): boolean {
    if (this.#lookingAgain) return true;
    // Internal to TypeScript: files that were not there.
    const { getMissingFilePaths } = program as unknown as {
      readonly getMissingFilePaths: () => ReadonlyMap<string, string>;
    };
    if ([...getMissingFilePaths().values()].some((path) => this.fileExists(path))) return true;
    return [...this.#changing].some(([path, version]) => this.getScriptVersion(path) !== version);
  }

  /** Whether a module that the file imports was not found. */
  lacksModule(program: ts.Program, file: ts.SourceFile): boolean {
    return semanticDiagnostics(program, file).some(({ code }) => MISSING_MODULE.has(code));
  }

  /** Forgets where modules were not, and were, found; `look` resolves them anew. */
  lookAgain<T>(look: () => T): T {
    this.#lasting.clear();
    this.#resolution = this.#resolutionCache();
    this.#lookingAgain = true;
    try {
      return look();
    } finally {
      this.#lookingAgain = false;
    }
  }

  /** JSX is what a cell may contain where the notebook's configuration says so: `<T>x` then is no cast. */
  #scriptKind(path: string): ts.ScriptKind {
    if (path === this.#files.cellPath && this.#config.options.jsx !== undefined) return ts.ScriptKind.TSX;
    // Undefined is not allowed for, "unknown" lets TypeScript go by the name.
    return ts.ScriptKind.Unknown;
  }

  /** Forgets what was read of packages, and where: they have been installed, changed or removed; `look` resolves them anew. */
  forgetPackages<T>(look: () => T): T {
    for (const path of this.#library.files.keys()) this.#doubted.add(path);
    return this.lookAgain(look);
  }

  /** The one file that holds a package's declarations, where there is such a file. */
  #packedTypes(specifier: string): string | undefined {
    if (!isPackage(specifier) || packageOf(specifier) !== specifier) return undefined;
    return this.#packed.map((folder) => join(folder, `${specifier}.d.ts`)).find((path) => ts.sys.fileExists(path));
  }

  #resolutionCache(): ts.ModuleResolutionCache {
    const canonical = (path: string): string => (ts.sys.useCaseSensitiveFileNames ? path : path.toLowerCase());
    return ts.createModuleResolutionCache(this.#folder, canonical, this.#config.options);
  }

  /** Packages, and declarations outside the notebook's folder, are taken not to change. */
  #mayChange(path: string): boolean {
    if (path.includes("/node_modules/")) return false;
    return !path.endsWith(".d.ts") || path.startsWith(`${this.#folder}/`);
  }

  #packedOnDisk(path: string): DiskFile | undefined {
    const roots = hasStandardLibrary(this.#config.options) ? [...this.#others, STANDARD_LIBRARY] : this.#others;
    for (const root of roots) {
      const file = this.#library.packed(root).get(path);
      if (file !== undefined) return file;
    }
    return undefined;
  }

  /** A file of the user's own is read again when it has changed. */
  #onDisk(path: string): DiskFile | undefined {
    const cached = this.#packedOnDisk(path) ?? this.#library.files.get(path);
    if (cached !== undefined && !this.#doubted.delete(path) && !this.#mayChange(path)) return cached;
    const modified = modificationTime(path);
    if (modified === undefined) return undefined;
    if (cached?.modified === modified) return cached;
    const text = ts.sys.readFile(path);
    if (text === undefined) return undefined;
    const isLasting = isDeclaration(path) && !this.#mayChange(path);
    const snapshot = new WholeText(isLasting ? oneByte(text) : text);
    const file = { modified, version: String(modified), snapshot };
    this.#library.files.set(path, file);
    return file;
  }
}

/** Whether JavaScript has an import or an export. */
function isEsModule(text: string): boolean {
  return ts.isExternalModule(ts.createSourceFile("file.js", text, ts.ScriptTarget.ESNext));
}
