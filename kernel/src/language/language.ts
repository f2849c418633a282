/** Cells through the stock TypeScript language service: compile, complete, inspect. */
import ts from "typescript";
import { declaredNames, exportedNames } from "./declared-names.js";
import { formatDiagnostics, type CellErrors } from "./diagnostics.js";
import { NESTED_VAR } from "./cell-transform.js";
import { CellFiles } from "./files.js";
import { CellHost } from "./host.js";
import { IGNORED_ERRORS } from "./options.js";

/** JavaScript of a cell, or why there is none. */
export type CompileResult =
  | { readonly ok: true; readonly javascript: string; readonly sourceMap: string }
  | { readonly ok: false; readonly errors: CellErrors };

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
  readonly #files: CellFiles;
  readonly #host: CellHost;
  readonly #service: ts.LanguageService;

  constructor(options: LanguageOptions) {
    // TypeScript speaks of paths with forward slashes.
    const folder = options.folder.replaceAll("\\", "/");
    this.#files = new CellFiles(folder);
    this.#host = new CellHost(this.#files, folder, options.globals.map(declarationsOf), [options.nodeTypes]);
    this.#service = ts.createLanguageService(this.#host, ts.createDocumentRegistry());
    this.#files.set(this.#files.preludePath, this.#prelude(options.globals));
  }

  /** Type-checks and compiles a cell; when it is right, later cells see what it declares. */
  compile(source: string, label: string): CompileResult {
    const parsed = ts.createSourceFile(this.#files.cellPath, source, ts.ScriptTarget.ES2023);
    const { direct, nested } = declaredNames(parsed);
    const already = exportedNames(parsed);
    const exports = [
      ...direct.filter((name) => !already.has(name)),
      ...nested.map((name) => `${NESTED_VAR}${name} as ${name}`),
    ];
    // TypeScript writes declarations of the statements of a module, not of what is in their blocks. A stand-in (which
    // the transformer drops) has the variable's type: a function's view of it is not narrowed to its last value.
    const standIns = nested.map((name) => `let ${NESTED_VAR}${name} = (() => ${name})();`);
    // At the end, so that no position in the user's text moves. What is not exported would not be declared.
    const text = `${source}\n;${standIns.join(" ")} export { ${exports.join(", ")} };\n`;
    const path = this.#files.cellPath;
    let { program, file } = this.#open(text);
    const syntactic = program.getSyntacticDiagnostics(file);
    if (syntactic.length > 0) return { ok: false, errors: formatDiagnostics(syntactic, label, source) };
    if (this.#host.lacksModule(program, file)) {
      // It may have been installed since it was last looked for.
      this.#host.lookAgain();
      ({ program, file } = this.#open(`${text}\n`));
    }
    // Of the program, not of the service, which adds what is wrong with the declarations: that a type has no portable
    // name is of no concern between cells.
    const semantic = program
      .getSemanticDiagnostics(file)
      .filter((d) => d.category === ts.DiagnosticCategory.Error && !IGNORED_ERRORS.has(d.code))
      .filter((d) => (d.start ?? 0) <= source.length);
    if (semantic.length > 0) return { ok: false, errors: formatDiagnostics(semantic, label, source) };
    const { outputFiles } = this.#service.getEmitOutput(path, false, true);
    const output = (extension: string): string => outputFiles.find(({ name }) => name.endsWith(extension))?.text ?? "";
    this.#files.commit([...direct, ...nested], output(".d.ts").replaceAll(NESTED_VAR, ""));
    return {
      ok: true,
      javascript: output(".js").replace(/\n\/\/# sourceMappingURL=.*\s*$/, ""),
      sourceMap: output(".map"),
    };
  }

  /** Forgets what cells declared: their variables are gone. */
  reset(): void {
    this.#files.reset();
  }

  /** Runs `query` with the language service on a text that is being edited. */
  edit<T>(text: string, query: (service: ts.LanguageService, path: string) => T): T {
    this.#open(text);
    return query(this.#service, this.#files.cellPath);
  }

  /** Gives the cell its text and links the scopes. */
  #open(text: string): { program: ts.Program; file: ts.SourceFile } {
    this.#files.set(this.#files.cellPath, text);
    const program = this.#service.getProgram();
    if (program === undefined) throw new Error("TypeScript made no program");
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
    return { program, file };
  }

  /** Imports, by name, all that the modules of globals export, types included. */
  #prelude(modules: readonly string[]): string {
    const program = this.#service.getProgram();
    const checker = program?.getTypeChecker();
    const imports = modules.map((path) => {
      const file = program?.getSourceFile(declarationsOf(path));
      const symbol = file && checker?.getSymbolAtLocation(file);
      if (symbol === undefined || checker === undefined) return "";
      const names = checker.getExportsOfModule(symbol).map(({ name }) => name);
      const wanted = names.filter((name) => name !== "default" && name !== SESSION_HOOKS);
      return `import { ${wanted.join(", ")} } from ${JSON.stringify(path)};\nexport { ${wanted.join(", ")} };\n`;
    });
    return `${imports.join("")}export {};\n`;
  }
}

/** An export of a preload module that is for the kernel, not for cells (`SessionHooks` in index.ts). */
const SESSION_HOOKS = "sessionHooks";

function declarationsOf(javascript: string): string {
  return javascript.replaceAll("\\", "/").replace(/\.(m?)js$/, ".d.$1ts");
}
