/**
 * The program of TypeScript in which the cell at hand is checked.
 *
 * TypeScript makes a program, and a type checker, anew whenever a text changes: it goes through all files, and forgets all
 * types that it had worked out. Between two cells little changes, so their texts are put into the program that there is: the
 * cell at hand, of which no other file knows, and the declarations of the cells before it. From these names are looked up in older
 * ones only: where one changes, all that are newer must be put in anew. What concerns other files too, as imports and global
 * declarations do, takes a new program.
 */
import ts = require("typescript");
import type { CellFiles } from "./files.js";
import type { CellHost } from "./host.js";
import { changedInternals, internalsChanged } from "./internals.js";
import { WholeText } from "./library.js";

/** Texts that one program takes, and their length in all: the checker forgets nothing of those that were replaced. */
const MOST_TEXTS = 256;
const MOST_LENGTH = 2_000_000;

/** What is internal to TypeScript: of a program, its files in both forms, and what imports mean, by the path of the file. */
interface Insides {
  readonly getFilesByNameMap: () => Map<string, ts.SourceFile>;
  readonly getSourceFiles: () => ts.SourceFile[];
  readonly getRootFileNames: () => string[];
  readonly resolvedModules?: Map<string, unknown>;
  readonly forEachResolvedModule: (
    callback: (found: { readonly resolvedModule?: ts.ResolvedModuleFull }, name: string) => void,
  ) => void;
}

interface CheckerInsides {
  readonly tryFindAmbientModule: (name: string) => ts.Symbol | undefined;
}

/** What is internal to TypeScript: of a file, what a program notes. */
interface FileInsides {
  fileName: string;
  path: string;
  resolvedPath: string;
  originalFileName: string;
  packageJsonLocations?: readonly string[];
  packageJsonScope?: unknown;
  imports: readonly ts.StringLiteralLike[];
  moduleAugmentations: readonly ts.Node[];
  ambientModuleNames: readonly string[];
  readonly commentDirectives?: readonly unknown[];
  readonly scriptKind: ts.ScriptKind;
  readonly setExternalModuleIndicator?: (file: ts.SourceFile) => void;
  readonly jsDocParsingMode?: ts.JSDocParsingMode;
}

type SourceFile = ts.SourceFile & FileInsides;

const { bindSourceFile } = ts as unknown as {
  readonly bindSourceFile: (file: ts.SourceFile, options: ts.CompilerOptions) => void;
};

/** A file as the program was made with it, and what stands in its place. */
interface Place {
  readonly made: SourceFile;
  readonly index: number;
  /** Of the virtual file. */
  version: number;
  now: SourceFile;
}

export class CellProgram {
  readonly #service: ts.LanguageService;
  readonly #host: CellHost;
  #files: CellFiles;
  /** Undefined where the next question takes a new one. */
  #program: ts.Program | undefined;
  #made = 0;
  /** By the paths of the virtual files. */
  readonly #places = new Map<string, Place>();
  /** The files in which names were looked up, oldest first. */
  #scope: readonly string[] = [];
  /** What of TypeScript's inside is not as it is taken to be; nothing is put into programs then. Undefined until it was looked. */
  #changed: readonly string[] | undefined;
  #isTold = false;
  #texts = 0;
  #length = 0;

  constructor(service: ts.LanguageService, host: CellHost, files: CellFiles) {
    this.#service = service;
    this.#host = host;
    this.#files = files;
  }

  /** The program with the texts that the virtual files have now. */
  get(): ts.Program {
    const { length } = this.#files.get(this.#files.cellPath)?.text ?? "";
    if (this.#program !== undefined && this.#texts < MOST_TEXTS && this.#length + length < MOST_LENGTH) {
      if (this.knowsInside && this.#updated(this.#program)) return this.#program;
    }
    return this.#make();
  }

  /** A number for the program that there is; undefined where the next question takes a new one, because a file has changed, say. */
  generation(): number | undefined {
    if (this.#program === undefined || !this.knowsInside) return undefined;
    // What has changed is told once.
    if (this.#host.hasChanged(this.#program)) this.renew();
    return this.#program && this.#made;
  }

  /** Whether TypeScript is inside as it is taken to be: nothing is put into its programs where it is not. */
  get knowsInside(): boolean {
    return this.#changed?.length === 0;
  }

  /** What there is to be told of that, once. */
  takeWarning(): string | undefined {
    if (this.#isTold || this.#changed === undefined || this.#changed.length === 0) return undefined;
    this.#isTold = true;
    return internalsChanged(this.#changed);
  }

  /** Where putting texts into the program fails, a new one is made, or fails in its own words. */
  #updated(program: ts.Program): boolean {
    try {
      return !this.#host.hasChanged(program) && this.#updateAll();
    } catch {
      return false;
    }
  }

  /** Whether texts were put into the program after it was made. */
  get isUsed(): boolean {
    return this.#texts > 0;
  }

  /** Whether a module that some file imports was not found: it may be, another time. */
  lacksModules(): boolean {
    const program = this.get();
    const { forEachResolvedModule } = insides(program);
    const { tryFindAmbientModule } = program.getTypeChecker() as unknown as CheckerInsides;
    let lacks = false;
    forEachResolvedModule(({ resolvedModule }, name) => {
      lacks ||= resolvedModule === undefined && tryFindAmbientModule(name) === undefined;
    });
    return lacks;
  }

  /** The next question takes a new program. */
  renew(): void {
    this.#restore();
    this.#program = undefined;
  }

  /**
   * Puts other virtual files in the places of those that there are, in their order; but for the cell and the declarations of
   * cells they have the same texts. No new program is made.
   */
  moveTo(files: CellFiles, registry: ts.DocumentRegistry): void {
    const program = this.get();
    const { getFilesByNameMap, getRootFileNames, getSourceFiles, resolvedModules } = insides(program);
    const [byName, roots, all] = [getFilesByNameMap(), getRootFileNames(), getSourceFiles()];
    const settings = program.getCompilerOptions();
    const key = registry.getKeyForCompilationSettings(settings);
    const places = this.#restore();
    const before = this.#files.paths;
    if (before.length !== files.paths.length) throw new Error("there are not as many files as places for them");
    for (const [i, fileName] of files.paths.entries()) {
      const from = before[i] ?? "";
      const place = places.get(from);
      const { text, version } = files.get(fileName) ?? {};
      if (place === undefined || text === undefined || version === undefined)
        throw new Error(`no place for ${fileName}`);
      const { made, index } = place;
      const path = (ts.sys.useCaseSensitiveFileNames ? fileName : fileName.toLowerCase()) as ts.Path;
      const snapshot = new WholeText(text);
      const file = registry.acquireDocumentWithKey(
        ...([fileName, path, settings, key, snapshot, String(version), made.scriptKind, parseOptions(made)] as const),
      ) as SourceFile;
      const { imports, moduleAugmentations, ambientModuleNames } = made;
      Object.assign(file, { path, resolvedPath: path, originalFileName: fileName });
      Object.assign(file, { imports, moduleAugmentations, ambientModuleNames });
      const resolved = resolvedModules?.get(made.path);
      if (resolved !== undefined) resolvedModules?.set(path, resolved);
      resolvedModules?.delete(made.path);
      byName.delete(made.path);
      byName.set(path, file);
      all[index] = file;
      roots[roots.indexOf(from)] = fileName;
      bindSourceFile(file, settings);
      this.#places.set(fileName, { made: file, now: file, version, index });
    }
    this.#files = files;
    this.#scope = oldestFirst(files);
  }

  #make(): ts.Program {
    this.renew();
    this.#host.outdate();
    let program = this.#service.getProgram();
    if (this.#host.takeWhatIsLacking()) {
      this.#host.outdate();
      program = this.#service.getProgram();
    }
    if (program === undefined) throw new Error("TypeScript made no program");
    const cell = program.getSourceFile(this.#files.cellPath);
    if (cell === undefined) throw new Error("TypeScript has lost the cell");
    this.#made++;
    this.#changed ??= changedInternals(program, cell);
    if (!this.knowsInside) return (this.#program = program);
    const files = insides(program).getSourceFiles();
    for (const path of this.#files.paths) {
      const made = program.getSourceFile(path) as SourceFile | undefined;
      const version = this.#files.get(path)?.version;
      if (made === undefined || version === undefined) throw new Error(`TypeScript has lost ${path}`);
      this.#places.set(path, { made, now: made, version, index: files.indexOf(made) });
    }
    this.#scope = oldestFirst(this.#files);
    return (this.#program = program);
  }

  #updateAll(): boolean {
    const { cellPath } = this.#files;
    const scope = oldestFirst(this.#files);
    const isSame = (path: string, at: number): boolean => path === this.#scope[at] && !this.#hasOther(path);
    const changed = scope.findIndex((path, at) => !isSame(path, at));
    const newer = changed < 0 ? [] : scope.slice(changed);
    // A file that stays has looked up names in those before it, which are no more.
    if (!newer.every((path) => this.#hasOther(path) && this.#update(path))) return false;
    const cell = this.#places.get(cellPath);
    // With the same text too: its names may mean something else now.
    if (cell !== undefined && (newer.length > 0 || scope.length < this.#scope.length)) cell.version = 0;
    this.#scope = scope;
    return this.#update(cellPath);
  }

  /** Whether a file is to have another text than it has in the program. */
  #hasOther(path: string): boolean {
    return this.#places.get(path)?.version !== this.#files.get(path)?.version;
  }

  /** Gives a file the text that it is to have; false where that takes a new program. */
  #update(path: string): boolean {
    const place = this.#places.get(path);
    const wanted = this.#files.get(path);
    if (place === undefined || wanted === undefined || this.#program === undefined) return false;
    if (place.version === wanted.version) return true;
    if (path === this.#files.preludePath) return false;
    const { made } = place;
    const known = importsOf(made);
    // JSX imports what no line of the text says.
    if (known === undefined || made.scriptKind === ts.ScriptKind.TSX) return false;
    const file = parse(made, wanted.text, String(wanted.version));
    const imports = importsOf(file);
    if (imports === undefined || !sameModules(known, imports)) return false;
    file.imports = imports.map(({ specifier }) => specifier);
    this.#texts++;
    this.#length += wanted.text.length;
    // TypeScript keeps what is wrong with a file by its path.
    const at = made.path.lastIndexOf(".");
    file.path = `${made.path.slice(0, at)}-${this.#texts}${made.path.slice(at)}`;
    const { resolvedModules } = insides(this.#program);
    const resolved = resolvedModules?.get(made.path);
    if (resolved !== undefined) resolvedModules?.set(file.path, resolved);
    bindSourceFile(file, this.#program.getCompilerOptions());
    this.#put(place, file);
    place.version = wanted.version;
    return true;
  }

  #put(place: Place, file: SourceFile): void {
    const program = insides(this.#program as ts.Program);
    const byName = program.getFilesByNameMap();
    if (place.now !== place.made) {
      byName.delete(place.now.path);
      program.resolvedModules?.delete(place.now.path);
    }
    byName.set(place.made.path, file);
    byName.set(file.path, file);
    program.getSourceFiles()[place.index] = file;
    place.now = file;
  }

  /** As it was made: TypeScript makes the next program out of it. */
  #restore(): ReadonlyMap<string, Place> {
    const places = new Map(this.#places);
    for (const place of places.values()) if (place.now !== place.made) this.#put(place, place.made);
    this.#places.clear();
    this.#texts = 0;
    this.#length = 0;
    return places;
  }
}

/** What is wrong with a file by its types. A checker that has seen earlier texts of the file tells of these too. */
export function semanticDiagnostics(program: ts.Program, file: ts.SourceFile): ts.Diagnostic[] {
  return program.getSemanticDiagnostics(file).filter((diagnostic) => (diagnostic.file ?? file) === file);
}

/** The files in which names are looked up. V8 has no `toReversed` while it makes a snapshot. */
function oldestFirst({ scope }: CellFiles): readonly string[] {
  return [...scope].reverse();
}

function insides(program: ts.Program): Insides {
  return program as unknown as Insides;
}

function parseOptions(made: SourceFile): ts.CreateSourceFileOptions {
  return {
    languageVersion: made.languageVersion,
    impliedNodeFormat: made.impliedNodeFormat,
    ...(made.setExternalModuleIndicator && { setExternalModuleIndicator: made.setExternalModuleIndicator }),
    ...(made.jsDocParsingMode !== undefined && { jsDocParsingMode: made.jsDocParsingMode }),
  };
}

/** A text as TypeScript would parse it in the place of `made`, of which it takes all that is not in the text. */
function parse(made: SourceFile, text: string, version: string): SourceFile {
  const options = parseOptions(made);
  const snapshot = new WholeText(text);
  const { fileName, scriptKind } = made;
  const file = ts.createLanguageServiceSourceFile(
    fileName,
    snapshot,
    options,
    version,
    false,
    scriptKind,
  ) as SourceFile;
  const { resolvedPath, originalFileName, packageJsonLocations, packageJsonScope } = made;
  return Object.assign(file, {
    ...{ resolvedPath, originalFileName, packageJsonLocations, packageJsonScope },
    ...{ moduleAugmentations: [], ambientModuleNames: [] },
  });
}

/** Internal to TypeScript: a parser's note that there may be an `import()`, as a call or as a type. */
const MAY_IMPORT = 1 << 22;

/** An import of a module, in one of several ways, with which its meaning may differ. */
interface Import {
  readonly specifier: ts.StringLiteral;
  readonly way: ts.SyntaxKind;
}

/**
 * The modules that a file imports, as a program lists them. Undefined where it may do something else that concerns other
 * files, or where a comment in it speaks to the compiler.
 */
function importsOf(file: SourceFile): Import[] | undefined {
  if (file.flags & MAY_IMPORT) return undefined;
  const { referencedFiles, typeReferenceDirectives, libReferenceDirectives, commentDirectives = [] } = file;
  const told = [referencedFiles, typeReferenceDirectives, libReferenceDirectives, commentDirectives];
  if (told.some(({ length }) => length > 0)) return undefined;
  const found: Import[] = [];
  for (const statement of file.statements) {
    if (ts.isModuleDeclaration(statement) && (!ts.isIdentifier(statement.name) || statement.name.text === "global")) {
      return undefined;
    }
    const specifier = specifierOf(statement);
    if (specifier === undefined || !ts.isStringLiteral(specifier) || specifier.text === "") continue;
    if ((ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) && statement.attributes) {
      return undefined;
    }
    found.push({ specifier, way: statement.kind });
  }
  return found;
}

function specifierOf(statement: ts.Statement): ts.Expression | undefined {
  if (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) return statement.moduleSpecifier;
  if (!ts.isImportEqualsDeclaration(statement)) return undefined;
  const { moduleReference } = statement;
  return ts.isExternalModuleReference(moduleReference) ? moduleReference.expression : undefined;
}

function sameModules(known: readonly Import[], imports: readonly Import[]): boolean {
  const key = ({ specifier, way }: Import): string => `${way} ${specifier.text}`;
  return known.map(key).join("\n") === imports.map(key).join("\n");
}
