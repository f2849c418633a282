/** The notebook's own files that a cell imports: which they are, what is wrong with them, and their JavaScript. */
import { createHash } from "node:crypto";
import { relative } from "node:path";
import ts = require("typescript");
import type { CompiledModule } from "../session-protocol.js";
import { interruptibleTransform } from "./interruptible.js";
import { IGNORED_ERRORS } from "./options.js";

/** What the modules need of their surroundings. */
export interface OwnModulesHost {
  getCompilationSettings(): ts.CompilerOptions;
  /** The notebook's own files that a file imports, by specifier, as far as it was resolved. */
  ownImports(file: string): ReadonlyMap<string, string>;
}

interface Cached {
  readonly file: ts.SourceFile;
  readonly module: CompiledModule;
}

/** Internal to TypeScript: the specifiers of a file, those of dynamic imports included. */
function specifiers(file: ts.SourceFile): readonly string[] {
  return (file as unknown as { imports?: readonly ts.StringLiteralLike[] }).imports?.map(({ text }) => text) ?? [];
}

export class OwnModules {
  readonly #folder: string;
  readonly #host: OwnModulesHost;
  readonly #compiled = new Map<string, Cached>();
  /** Versions of the files that were last found to be right. */
  #right = "";

  constructor(folder: string, host: OwnModulesHost) {
    this.#folder = folder;
    this.#host = host;
  }

  /** Own files that a file imports, by specifier. */
  imports(file: ts.SourceFile): Record<string, string> {
    const own = this.#host.ownImports(file.fileName);
    const found = specifiers(file).flatMap((specifier) => {
      const path = own.get(specifier);
      return path === undefined ? [] : [[specifier, path] as const];
    });
    return Object.fromEntries(found);
  }

  /** All own files that a file needs, each once. */
  needed(program: ts.Program, cell: ts.SourceFile): ts.SourceFile[] {
    const found = new Set<ts.SourceFile>();
    const add = (file: ts.SourceFile): void => {
      for (const path of Object.values(this.imports(file))) {
        const imported = program.getSourceFile(path);
        if (imported === undefined || found.has(imported)) continue;
        found.add(imported);
        add(imported);
      }
    };
    add(cell);
    return [...found];
  }

  /** What is wrong with the files; not looked at again while none has changed. */
  diagnostics(program: ts.Program, files: readonly ts.SourceFile[]): ts.Diagnostic[] {
    const modules = files.map((file) => this.#compile(file));
    const versions = modules.map(({ path, version }) => `${path} ${version}`).join("\n");
    if (versions === this.#right) return [];
    const wrong = files.flatMap((file) => {
      const syntactic = program.getSyntacticDiagnostics(file);
      return syntactic.length > 0 ? syntactic : program.getSemanticDiagnostics(file);
    });
    const errors = wrong.filter((d) => d.category === ts.DiagnosticCategory.Error && !IGNORED_ERRORS.has(d.code));
    if (errors.length === 0) this.#right = versions;
    return errors;
  }

  compile(files: readonly ts.SourceFile[]): CompiledModule[] {
    return files.map((file) => this.#compile(file));
  }

  /** Forgets what was compiled: the compiler options are others. */
  clear(): void {
    this.#compiled.clear();
    this.#right = "";
  }

  #compile(file: ts.SourceFile): CompiledModule {
    const path = file.fileName;
    const imports = this.imports(file);
    const cached = this.#compiled.get(path);
    if (cached?.file === file && JSON.stringify(cached.module.imports) === JSON.stringify(imports)) {
      return cached.module;
    }
    const kind = path.endsWith(".json") ? "json" : "module";
    const { outputText, sourceMapText } = kind === "json" ? { outputText: file.text } : this.#emit(file);
    const hash = createHash("sha1").update(outputText).update("\0").update(file.text).update(JSON.stringify(imports));
    const module: CompiledModule = {
      ...{ path, label: this.label(path), kind, version: hash.digest("base64"), source: file.text, imports },
      javascript: outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, ""),
      sourceMap: sourceMapText ?? "",
    };
    this.#compiled.set(path, { file, module });
    return module;
  }

  /** A file as the user knows it. */
  label(path: string): string {
    return relative(this.#folder, path);
  }

  #emit(file: ts.SourceFile): ts.TranspileOutput {
    return ts.transpileModule(file.text, {
      fileName: file.fileName,
      transformers: { before: [passOnLive], after: [interruptibleTransform] },
      compilerOptions: {
        ...this.#host.getCompilationSettings(),
        // The form that session/module-loader.ts loads.
        module: ts.ModuleKind.System,
        declaration: false,
      },
    });
  }
}

/**
 * `import { x } from "m"; export { x }` as `export { x } from "m"`, of which TypeScript makes an export that follows the other module's;
 * of the first it makes one that has the value of the start for ever.
 */
const passOnLive: ts.TransformerFactory<ts.SourceFile> = (context) => (file) => {
  const { factory } = context;
  const imported = importedNames(file);
  const statements = file.statements.flatMap((statement): readonly ts.Statement[] => {
    const { exportClause, moduleSpecifier } = statement as Partial<ts.ExportDeclaration>;
    if (!ts.isExportDeclaration(statement) || statement.isTypeOnly || moduleSpecifier !== undefined) return [statement];
    if (exportClause === undefined || !ts.isNamedExports(exportClause)) return [statement];
    const passedOn: ts.Statement[] = [];
    const own = exportClause.elements.filter((element) => {
      const from = imported.get((element.propertyName ?? element.name).text);
      if (from === undefined || element.isTypeOnly) return true;
      const specifier = factory.createExportSpecifier(false, from.name, element.name);
      const clause = factory.createNamedExports([specifier]);
      passedOn.push(factory.createExportDeclaration(undefined, false, clause, from.module));
      return false;
    });
    if (passedOn.length === 0) return [statement];
    const clause = factory.updateNamedExports(exportClause, own);
    const { modifiers, attributes } = statement;
    return [factory.updateExportDeclaration(statement, modifiers, false, clause, undefined, attributes), ...passedOn];
  });
  return factory.updateSourceFile(file, statements);
};

interface ImportedName {
  /** By which the module exports it. */
  readonly name: ts.ModuleExportName;
  readonly module: ts.Expression;
}

/** What a file imports by name, by its own name for it. */
function importedNames(file: ts.SourceFile): Map<string, ImportedName> {
  const found = new Map<string, ImportedName>();
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || statement.attributes !== undefined) continue;
    const { importClause: clause, moduleSpecifier: module } = statement;
    if (clause === undefined || clause.phaseModifier !== undefined) continue;
    if (clause.name !== undefined)
      found.set(clause.name.text, { name: ts.factory.createIdentifier("default"), module });
    if (clause.namedBindings === undefined || !ts.isNamedImports(clause.namedBindings)) continue;
    for (const { isTypeOnly, name, propertyName } of clause.namedBindings.elements) {
      if (!isTypeOnly) found.set(name.text, { name: propertyName ?? name, module });
    }
  }
  return found;
}
