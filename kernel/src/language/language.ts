/** Cells through the stock TypeScript language service: compile, complete, inspect. */
import ts = require("typescript");
import { declaredIn, type DeclaredName } from "./commands/declared.js";
import { formatProblem } from "./commands/problem.js";
import { CAPTURED, CAPTURED_WITH, rewriteCommands, type Rewritten } from "./commands/rewrite.js";
import { changesPackages, stageFrom, type Stage } from "./commands/stages.js";
import { declaredNames, exportedNames } from "./declared-names.js";
import type { CompiledModule } from "../session-protocol.js";
import { formatDiagnostics, withJsxRemedy, type CellErrors, type UserText } from "./diagnostics.js";
import { NESTED_VAR } from "./cell-transform.js";
import { CompiledCells, type Surroundings } from "./compiled-cells.js";
import { CellProgram, semanticDiagnostics } from "./cell-program.js";
import { CellFiles } from "./files.js";
import { CellHost } from "./host.js";
import { Library } from "./library.js";
import { shortenFlow } from "./long-cells.js";
import { IGNORED_ERRORS } from "./options.js";
import { asObjectLiteral, OPEN_LENGTH, withoutOpening } from "./object-literal.js";
import { OwnModules } from "./own-modules.js";
import { shadowedGlobals } from "./shadowed-globals.js";
import { parseCell, parseErrors } from "./parse.js";
import { NotebookConfig } from "./tsconfig.js";
import { webAssembly } from "./web-assembly.js";

/** JavaScript of a cell, or why there is none. */
export type CompileResult = {
  /** What is to be said before the cell runs; lines for stderr. */
  readonly warning?: string;
  /** The cell asks for a fresh session to run in, `%reset`; what earlier cells declared is forgotten already. */
  readonly reset?: boolean;
} & (
  | {
      readonly ok: true;
      readonly javascript: string;
      readonly sourceMap: string;
      /** Paths of the notebook's own files that it imports, by specifier. */
      readonly imports: Readonly<Record<string, string>>;
      /** Those files, and what they import. */
      readonly modules: readonly CompiledModule[];
      /** Names that it declares, but for those of types. */
      readonly variables: readonly string[];
      /** By which {@link Language.takeBack} forgets what it declares. */
      readonly commit: number;
      /** The cell may change which packages there are: `lookAgain` is to be called after it. */
      readonly changesPackages?: boolean;
      /** Where the rest of the cell begins, which is to be compiled when this has run. */
      readonly next?: number | undefined;
    }
  | { readonly ok: false; readonly errors: CellErrors }
);

interface Compiled {
  readonly result: CompileResult;
  /** Keeps what the cell declares for the cells that follow. */
  readonly declare?: () => void;
}

/** What a computed specifier means: a file of the notebook's own, which may be wrong; else nothing is known of it here. */
export interface ImportResult {
  readonly path?: string;
  readonly modules: readonly CompiledModule[];
  readonly errors?: CellErrors;
}

export interface LanguageOptions {
  /** The notebook's folder: packages and types resolve from here. */
  readonly folder: string;
  /** Absolute paths of modules whose exports are global in cells: the kernel's own, then the preload. */
  readonly globals: readonly string[];
  /** Absolute path of the declarations of Node (`@types/node`). */
  readonly nodeTypes: string;
}

/** The language of one notebook: remembers what its cells declared. */
export class Language {
  #files: CellFiles;
  #config: NotebookConfig;
  readonly #host: CellHost;
  #own: OwnModules;
  readonly #library: Library;
  #service: ts.LanguageService;
  #programs: CellProgram;
  #compiled = new CompiledCells();
  /** What is left to do of the last cell: to write down what it declares. */
  #rest: (() => void) | undefined;
  /** `%notype on` and `%notype off`. */
  #checkTypes = true;

  /** @param library what was read before, by another of the same `globals` and `nodeTypes` */
  constructor(options: LanguageOptions, library = new Library()) {
    // TypeScript speaks of paths with forward slashes.
    const folder = options.folder.replaceAll("\\", "/");
    this.#files = new CellFiles(folder);
    this.#config = new NotebookConfig(folder);
    const globals = options.globals.map(declarationsOf);
    this.#library = library;
    this.#host = new CellHost(this.#files, this.#config, folder, globals, [options.nodeTypes], library);
    this.#own = new OwnModules(folder, this.#host);
    this.#service = this.#createService();
    this.#programs = new CellProgram(this.#service, this.#host, this.#files);
    this.#files.set(this.#files.preludePath, this.#prelude(options.globals));
  }

  /**
   * Makes this the language of another notebook, of which nothing has been asked yet: its program, with all types that it has
   * worked out, stays.
   * @returns false where the notebook takes a program of its own, because of its `tsconfig.json` or of where it lies
   */
  moveTo(notebookFolder: string): boolean {
    const folder = notebookFolder.replaceAll("\\", "/");
    const config = new NotebookConfig(folder);
    const files = new CellFiles(folder);
    const isPlain = config.isDefault && this.#config.isDefault && !folder.includes("/node_modules");
    if (!isPlain || !this.#programs.knowsInside) return false;
    if (files.paths.length !== this.#files.paths.length || this.#programs.lacksModules()) return false;
    files.set(files.preludePath, this.#files.get(this.#files.preludePath)?.text ?? "");
    // While the files that it knows are there.
    this.#programs.get();
    this.#host.moveTo(files, config, folder);
    this.#programs.moveTo(files, this.#library.registry);
    this.#files = files;
    this.#config = config;
    this.#own = new OwnModules(folder, this.#host);
    this.#checkTypes = true;
    return true;
  }

  /** Type-checks and compiles a cell; when it is right, later cells see what it declares. `from` is where the rest of a cell begins. */
  compile(source: string, label: string, from = 0): CompileResult {
    this.finish();
    this.#heedConfig();
    const problems = this.#config.takeProblems();
    const isFirst = from === 0 && problems.length === 0;
    const known = isFirst ? this.#compiled.find(source, () => this.#surroundings()) : undefined;
    if (known !== undefined) return known;
    // Text that comes from a file may begin with a byte order mark, which is no part of a line.
    const cell = stageFrom(this.#rewrite(source.replace(/^\uFEFF/, " ")), from);
    const { reset = false } = cell;
    if (reset) this.reset();
    const compiled = this.#compileOrRenew(source, cell, label);
    const result = { ...compiled.result, reset };
    if (compiled.declare !== undefined) {
      const { declare } = compiled;
      this.#rest = () => {
        const before = this.#files.scopeVersion;
        declare();
        // A cell that declares something new sees other names the next time; one with commands, which are blanks by now, may do more.
        if (before === this.#files.scopeVersion && cell.text === source)
          this.#compiled.keep(source, result, this.#surroundings());
      };
    }
    const warnings: string[] = [];
    if (problems.length > 0) {
      const { traceback } = formatDiagnostics(problems, ({ file }) => this.#fileText(file));
      warnings.push(...traceback, "The options of before are used.");
    }
    const ofTypeScript = this.#programs.takeWarning();
    if (ofTypeScript !== undefined) warnings.push(ofTypeScript);
    return warnings.length === 0 ? result : { ...result, warning: `${warnings.join("\n")}\n` };
  }

  #surroundings(): Surroundings {
    const generation = this.#programs.generation();
    return { generation, scope: this.#files.scopeVersion, checkTypes: this.#checkTypes };
  }

  /**
   * Writes down what the last cell declares. The cell runs meanwhile: to write declarations takes as long as to write JavaScript, and
   * only what is asked next needs them.
   */
  finish(): void {
    const rest = this.#rest;
    this.#rest = undefined;
    rest?.();
  }

  #compileOrRenew(source: string, cell: Stage, label: string): Compiled {
    try {
      return this.#compile(source, cell, label);
    } catch (error) {
      this.#programs.renew();
      throw error;
    }
  }

  #compile(source: string, cell: Stage, label: string): Compiled {
    if (cell.problem !== undefined) return failed(formatProblem(cell.problem, label, source));
    if (cell.checkTypes !== undefined) this.#checkTypes = cell.checkTypes;
    const kind = this.#host.getScriptKind(this.#files.cellPath);
    const target = this.#config.options.target ?? ts.ScriptTarget.ES2024;
    const literal = asObjectLiteral(cell.text);
    const before = literal === undefined ? 0 : OPEN_LENGTH;
    const parsed = parseCell(literal ?? cell.text, target, this.#files.cellPath, kind);
    type Told = ts.DiagnosticRelatedInformation;
    const isOfCell = ({ file }: Told): boolean => file === undefined || file.fileName === this.#files.cellPath;
    const placed = <T extends Told>(d: T): T => (isOfCell(d) ? { ...d, start: (d.start ?? 0) - before } : d);
    const errors = (diagnostics: readonly ts.Diagnostic[]): Compiled => {
      const inCell = diagnostics.map((d) => ({
        ...placed(d),
        ...(d.relatedInformation && { relatedInformation: d.relatedInformation.map(placed) }),
      }));
      const textOf = (d: Told): UserText => (isOfCell(d) ? { label, text: source } : this.#fileText(d.file));
      return failed(formatDiagnostics(inCell, textOf));
    };
    // What cannot be read is not worth a program.
    const unreadable = parseErrors(parsed);
    if (unreadable.length > 0) {
      const isJsx = parseErrors(parseCell(cell.text, target, this.#files.cellPath, ts.ScriptKind.TSX)).length === 0;
      return errors(isJsx ? unreadable.map(withJsxRemedy) : unreadable);
    }
    const { direct, types, nested } = declaredNames(parsed);
    const already = exportedNames(parsed);
    const exports = [
      ...direct.filter((name) => !already.has(name)),
      ...nested.map((name) => `${NESTED_VAR}${name} as ${name}`),
    ];
    // TypeScript writes declarations of the statements of a module, not of what is in their blocks. A stand-in (which
    // the transformer drops) has the variable's type: a function's view of it is not narrowed to its last value.
    const standIns = nested.map((name) => `let ${NESTED_VAR}${name} = (() => ${name})();`);
    // At the end, so that no position in the user's text moves. What is not exported would not be declared.
    const text = `${literal ?? cell.text}\n;${standIns.join(" ")} export { ${exports.join(", ")} };\n`;
    const checkTypes = this.#checkTypes && cell.untyped !== true;
    const { commands, captures, timed } = cell;
    const asksForTypes = commands.some(({ name }) => name === "who");
    if (asksForTypes) this.#programs.renew();
    let checked = this.#check(text, source.length + before, checkTypes);
    if (checked.wrong.length > 0 && this.#programs.isUsed) {
      // What TypeScript says of types, and in which order it names them, may depend on what it has seen before.
      this.#programs.renew();
      checked = this.#check(text, source.length + before, checkTypes);
    }
    const { program, file, own, wrong } = checked;
    if (wrong.length > 0) {
      // What it has told once of a type that is worked out once, it would not tell again.
      this.#programs.renew();
      return errors(wrong);
    }
    if (commands.length > 0 || captures.length > 0 || timed === true) {
      const declared = asksForTypes ? this.#declared(program, file) : [];
      this.#host.commands = { commands, captures, timed, declared };
    }
    const output = this.#emit(program, file);
    this.#host.commands = undefined;
    const variables = [...direct.filter((name) => !types.has(name)), ...nested];
    const result: CompileResult = {
      ok: true,
      javascript: output(".js").replace(/\n\/\/# sourceMappingURL=.*\s*$/, ""),
      sourceMap: literal === undefined ? output(".map") : withoutOpening(output(".map")),
      imports: this.#own.imports(file),
      modules: this.#own.compile(own),
      variables,
      commit: this.#files.nextCommit,
      changesPackages: [...commands, ...captures].some(changesPackages),
      next: cell.next,
    };
    const declare = (): void => {
      this.#declare(program, file, variables);
    };
    return { result, declare };
  }

  /** Opens a cell, and says what is wrong with it, up to an offset in its text, and with the notebook's own files that it needs. */
  #check(
    text: string,
    end: number,
    checkTypes: boolean,
  ): { program: ts.Program; file: ts.SourceFile; own: ts.SourceFile[]; wrong: readonly ts.Diagnostic[] } {
    const opened = this.#open(text);
    const syntactic = opened.program.getSyntacticDiagnostics(opened.file);
    if (syntactic.length > 0) return { ...opened, own: [], wrong: syntactic };
    const { program, file, own } = this.#withOwnFiles(text, opened);
    // Of the program, not of the service, which adds what is wrong with the declarations: that a type has no portable
    // name is of no concern between cells.
    const semantic = (checkTypes ? semanticDiagnostics(program, file) : [])
      .filter((d) => d.category === ts.DiagnosticCategory.Error && !IGNORED_ERRORS.has(d.code))
      .filter((d) => (d.start ?? 0) <= end);
    const inOwn = this.#own.diagnostics(program, own).filter(({ code }) => checkTypes || code < 2000);
    return { program, file, own, wrong: [...inOwn, ...semantic] };
  }

  /** A cell that was opened, and the notebook's own files that it needs. */
  #withOwnFiles(
    text: string,
    opened: { program: ts.Program; file: ts.SourceFile },
  ): { program: ts.Program; file: ts.SourceFile; own: ts.SourceFile[] } {
    let { program, file } = opened;
    let own = this.#ownFiles(program, file);
    if ([file, ...own].some(({ text }) => text.includes(BY_NAME)) && this.#host.takeRare()) {
      this.#programs.renew();
      ({ program, file } = this.#open(text));
      own = this.#ownFiles(program, file);
    }
    if ([file, ...own].some((each) => this.#host.lacksModule(program, each))) {
      // It may have been installed, or written, since it was last looked for.
      ({ program, file } = this.#host.lookAgain(() => this.#open(`${text}\n`)));
      own = this.#ownFiles(program, file);
    }
    return { program, file, own };
  }

  /** Type-checks and compiles a file of the notebook's own that a running cell imports by a specifier that it has computed. */
  compileImport(specifier: string): ImportResult {
    this.finish();
    const text = `import(${JSON.stringify(specifier)});\nexport {};\n`;
    const { program, file, own } = this.#withOwnFiles(text, this.#open(text));
    const path = this.#own.imports(file)[specifier];
    if (path === undefined) return { modules: [] };
    const wrong = this.#own.diagnostics(program, own).filter(({ code }) => this.#checkTypes || code < 2000);
    if (wrong.length === 0) return { path, modules: this.#own.compile(own) };
    return { modules: [], errors: formatDiagnostics(wrong, (d) => this.#fileText(d.file)) };
  }

  /** Takes the commands out of a cell. Whether `!name` is one may depend on the names that there are. */
  #rewrite(source: string): Rewritten {
    const known: { here?: ReadonlySet<string>; before?: ReadonlySet<string> } = {};
    const namesAt = (place: "here" | "before"): ReadonlySet<string> => {
      const { program, file } = this.#open(source);
      const location = place === "here" ? file : (file as { parent: ts.Node }).parent;
      const symbols = program.getTypeChecker().getSymbolsInScope(location, ts.SymbolFlags.Value | ts.SymbolFlags.Alias);
      return (known[place] = new Set(symbols.map((symbol) => symbol.name)));
    };
    return rewriteCommands(source, (name, place) => (known[place] ?? namesAt(place)).has(name));
  }

  /** JavaScript and source map, by extension. */
  #emit(program: ts.Program, file: ts.SourceFile): (extension: string) => string {
    const { after = [] } = this.#host.getCustomTransformers();
    const renaming = shadowedGlobals(program, file, this.#files);
    return emit(program, file, JAVASCRIPT, { after: renaming === undefined ? after : [renaming, ...after] });
  }

  /** Keeps what a cell declares. It has run by then: its variables are there also where TypeScript fails to write their types. */
  #declare(program: ts.Program, file: ts.SourceFile, variables: readonly string[]): void {
    try {
      this.#files.commit(emit(program, file, DECLARATIONS)(".d.ts").replaceAll(NESTED_VAR, ""));
    } catch {
      this.#programs.renew();
      this.#files.commit(variables.map((name) => `export declare let ${name}: any;\n`).join(""));
    }
  }

  /** Lets later cells use a global of this name. */
  declare(name: string): void {
    this.finish();
    this.#files.commit(`export declare let ${name}: any;\n`);
  }

  /** Forgets what a cell declares that never ran, unless something was declared after it. */
  takeBack(commit: number): void {
    this.finish();
    this.#files.takeBack(commit);
  }

  /** Forgets what cells declared: their variables are gone. */
  reset(): void {
    this.finish();
    this.#files.reset();
  }

  /** Packages may have come or gone: forgets what is known of them. */
  lookAgain(): void {
    this.finish();
    this.#host.forgetPackages(() => this.#programs.get());
  }

  /** What the cells so far, and the one at hand, declare. */
  #declared(program: ts.Program, cell: ts.SourceFile): DeclaredName[] {
    const own = declaredIn(program, cell, () => true, true);
    const here = new Set(own.map(({ name }) => name));
    const earlier = this.#files.declared.flatMap(({ path, names }) => {
      const file = program.getSourceFile(path);
      return file === undefined ? [] : declaredIn(program, file, (name) => names.has(name) && !here.has(name), false);
    });
    return [...earlier, ...own];
  }

  /**
   * Runs `query` with the language service on a text that is being edited. Undefined where TypeScript fails at a text that
   * is not whole yet, as it may: then nothing is known of it. How types are written may depend on what TypeScript has seen
   * before; where that is to be read, the query is to be of a `fresh` program.
   */
  edit<T>(
    text: string,
    query: (service: ts.LanguageService, path: string, program: ts.Program) => T,
    { fresh = false } = {},
  ): T | undefined {
    this.finish();
    this.#heedConfig();
    if (fresh) this.#programs.renew();
    const { program } = this.#open(this.#rewrite(text).text);
    try {
      return query(this.#service, this.#files.cellPath, program);
    } catch {
      this.#programs.renew();
      return undefined;
    }
  }

  /** The notebook's folder. */
  get folder(): string {
    return this.#host.getCurrentDirectory();
  }

  /** The files of the cell at hand, and of what those before it declare: whether a path is one of theirs. */
  get cells(): Pick<ReadonlySet<string>, "has"> {
    return { has: (path) => this.#files.isOfCell(path) };
  }

  /** Makes the program for the next text, should it take a new one: for when nobody waits. */
  prepare(): void {
    this.finish();
    this.#heedConfig();
    this.#open(";");
  }

  /** The notebook's own files that a cell needs. What cells find without an import they find too. */
  #ownFiles(program: ts.Program, cell: ts.SourceFile): ts.SourceFile[] {
    const files = this.#own.needed(program, cell);
    const prelude = program.getSourceFile(this.#files.preludePath);
    if (prelude !== undefined) for (const file of files) (file as { parent: ts.Node }).parent = prelude;
    return files;
  }

  #fileText(file: ts.SourceFile | undefined): UserText {
    return { label: file === undefined ? "tsconfig.json" : this.#own.label(file.fileName), text: file?.text ?? "" };
  }

  /** Starts anew, with other options, when the notebook's `tsconfig.json` has changed. */
  #heedConfig(): void {
    if (!this.#config.refresh()) return;
    this.#own.clear();
    this.#service.dispose();
    this.#startService();
    this.#host.lookAgain(() => this.#programs.get());
  }

  /**
   * Reads what comments say of names, once. A start without it takes a quarter less time, and only inspection needs it: it is
   * for when nothing else is to be done, or when it is asked for.
   */
  readDocumentation(): void {
    if (this.#library.jsDocParsingMode === ts.JSDocParsingMode.ParseAll) return;
    this.finish();
    this.#service.dispose();
    this.#library.readDocumentation();
    this.#startService();
    this.#programs.get();
  }

  #createService(): ts.LanguageService {
    return ts.createLanguageService(this.#host, this.#library.registry);
  }

  #startService(): void {
    this.#service = this.#createService();
    this.#programs = new CellProgram(this.#service, this.#host, this.#files);
    this.#compiled = new CompiledCells();
  }

  /** Gives the cell its text and links the scopes. */
  #open(text: string): { program: ts.Program; file: ts.SourceFile } {
    this.#files.set(this.#files.cellPath, text);
    const program = this.#programs.get();
    // The checker, by now made, has bound all files, which sets each file's parent to nothing. From here on names are
    // looked up through these links; the program stays the same until a text changes.
    const [file, ...scope] = [this.#files.cellPath, ...this.#files.scope].map((path) => {
      const found = program.getSourceFile(path);
      if (found === undefined) throw new Error(`TypeScript has lost ${path}`);
      return found;
    });
    if (file === undefined) throw new Error("there is no cell");
    let inner = file;
    for (const outer of scope) {
      (inner as { parent: ts.Node }).parent = outer;
      inner = outer;
    }
    if (this.#programs.knowsInside) shortenFlow(program, file);
    return { program, file };
  }

  /** Imports, by name, all that the modules of globals export, types included. */
  #prelude(modules: readonly string[]): string {
    const { options } = this.#config;
    const key = JSON.stringify([modules, RESOLUTION.map((name) => options[name])]);
    const known = this.#library.derived.get(key) ?? this.#writePrelude(modules);
    this.#library.derived.set(key, known);
    return known;
  }

  /** Declares the names that stand for the output of commands. */
  #captured([own = ""]: readonly string[]): string {
    const type = `import(${JSON.stringify(own)}).${SHELL_LINES}`;
    return `export declare const ${CAPTURED}: ${type};\nexport declare function ${CAPTURED_WITH}(...values: unknown[]): ${type};\n`;
  }

  #writePrelude(modules: readonly string[]): string {
    const program = this.#programs.get();
    const checker = program.getTypeChecker();
    const imports = modules.map((path) => {
      const file = program.getSourceFile(declarationsOf(path));
      const symbol = file && checker.getSymbolAtLocation(file);
      if (symbol === undefined) return "";
      const names = checker.getExportsOfModule(symbol).map(({ name }) => name);
      const wanted = names.filter((name) => name !== "default" && name !== SESSION_HOOKS);
      return `import { ${wanted.join(", ")} } from ${JSON.stringify(path)};\nexport { ${wanted.join(", ")} };\n`;
    });
    return `${imports.join("")}${this.#captured(modules)}${webAssembly(this.#config.options)}export {};\n`;
  }
}

/** Which of a file's outputs TypeScript is to write, by its `EmitOnly`, of which only the second is public, as `true`. */
const JAVASCRIPT = 0;
const DECLARATIONS = 1;

type Emit = (
  file: ts.SourceFile,
  write: ts.WriteFileCallback,
  token: undefined,
  only: typeof JAVASCRIPT | typeof DECLARATIONS,
  transformers: ts.CustomTransformers | undefined,
  force: boolean,
) => void;

/** What TypeScript writes for a file, by extension. The service would look first whether the program is still the newest. */
function emit(
  program: ts.Program,
  file: ts.SourceFile,
  only: typeof JAVASCRIPT | typeof DECLARATIONS,
  transformers?: ts.CustomTransformers,
): (extension: string) => string {
  const outputs: { readonly name: string; readonly text: string }[] = [];
  const write: ts.WriteFileCallback = (name, text) => void outputs.push({ name, text });
  // The last parameter, internal to TypeScript, asks for declarations also where something is wrong with them.
  (program.emit as unknown as Emit)(file, write, undefined, only, transformers, true);
  return (extension) => outputs.find(({ name }) => name.endsWith(extension))?.text ?? "";
}

function failed(errors: CellErrors): Compiled {
  return { result: { ok: false, errors } };
}

/** `process.getBuiltinModule` gives modules of Node that nothing imports. */
const BY_NAME = "getBuiltinModule";

/** The export of the kernel's own globals that tells what `const x = !ls` gives. */
const SHELL_LINES = "ShellLines";

/** Options that say where modules are found, and what is declared without them. */
const RESOLUTION = ["baseUrl", "paths", "rootDirs", "customConditions", "lib"];

/** An export of a preload module that is for the kernel, not for cells (`SessionHooks` in index.ts). */
const SESSION_HOOKS = "sessionHooks";

function declarationsOf(javascript: string): string {
  return javascript.replaceAll("\\", "/").replace(/\.(m?)js$/, ".d.$1ts");
}
