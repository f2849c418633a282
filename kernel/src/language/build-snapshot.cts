/**
 * Makes the snapshot of a language process: `node --snapshot-blob <file> --build-snapshot-config build-snapshot.json <options>`, with
 * `LanguageOptions` as JSON.
 *
 * A snapshot is made of one script, without `import`. So the kernel's own modules are compiled to CommonJS here, by the
 * TypeScript that the snapshot holds anyway.
 */
import fs = require("node:fs");
import nodeModule = require("node:module");
import path = require("node:path");
import url = require("node:url");
import v8 = require("node:v8");
import vm = require("node:vm");
import type { complete } from "./completion.js" with { "resolution-mode": "import" };
import type { Language, LanguageOptions } from "./language.js" with { "resolution-mode": "import" };
import type { forgetDocumentation } from "./lazy-documentation.js" with { "resolution-mode": "import" };
import type { Library } from "./library.js" with { "resolution-mode": "import" };
import type { serve } from "./server.js" with { "resolution-mode": "import" };
import type ts = require("typescript");

interface Module {
  exports: unknown;
}

const TYPESCRIPT = nodeModule.createRequire(__filename).resolve("typescript");
const modules = new Map<string, Module>();

function load(file: string): unknown {
  const known = modules.get(file);
  if (known !== undefined) return known.exports;
  const module: Module = { exports: {} };
  modules.set(file, module);
  const text = fs.readFileSync(file, "utf8");
  const parameters = ["exports", "require", "module", "__filename", "__dirname", "__url"];
  const script = vm.compileFunction(file === TYPESCRIPT ? text : commonJs(text), parameters, { filename: file });
  const requireFrom = (name: string): unknown => {
    if (name === "typescript") return load(TYPESCRIPT);
    if (name.startsWith(".")) return load(path.resolve(path.dirname(file), name));
    // How `import ts = require("typescript")` looks in a module.
    if (name === "module") return { ...nodeModule, createRequire: () => requireFrom };
    return require(name);
  };
  const fileUrl = url.pathToFileURL(file).href;
  script(module.exports, requireFrom, module, file, path.dirname(file), fileUrl);
  return module.exports;
}

function commonJs(text: string): string {
  const { ModuleKind, ScriptTarget, transpileModule } = load(TYPESCRIPT) as typeof ts;
  const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2023, esModuleInterop: true };
  return transpileModule(text, { compilerOptions }).outputText.replaceAll("import.meta.url", "__url");
}

const own = <T,>(name: string): T => load(path.join(__dirname, name)) as T;
const { JSDocParsingMode, setUILocale } = load(TYPESCRIPT) as typeof ts & { setUILocale(locale?: string): void };
const { Library: NewLibrary } = own<{ Library: typeof Library }>("library.js");
const { Language: NewLanguage } = own<{ Language: typeof Language }>("language.js");
const { complete: completeText } = own<{ complete: typeof complete }>("completion.js");
const { forgetDocumentation: forget } = own<{ forgetDocumentation: typeof forgetDocumentation }>(
  "lazy-documentation.js",
);
const { serve: serveQuestions } = own<{ serve: typeof serve }>("server.js");

const options = JSON.parse(process.argv[2] ?? "") as LanguageOptions;
const library = new NewLibrary(JSDocParsingMode.ParseAll);
// No folder of a notebook, so that no `tsconfig.json` lies in it.
const folder = path.join(path.parse(__dirname).root, ".no-notebook");
const language = new NewLanguage({ ...options, folder }, library);
/** Reads the declarations and links them, and has V8 compile what a first cell and a first completion run through. */
function warmUp(): void {
  language.edit("0;", (service, file) => service.getSemanticDiagnostics(file));
  completeText(language, "glo", 3);
  completeText(language, "console.lo", 10);
  language.compile("const x = [1, 2].map((n) => n * 2);\nx", "In [1]");
  language.reset();
  // A program in which nothing of this is, and that has worked out what the preload's names are.
  language.edit("1;", (service, file) => service.getSemanticDiagnostics(file), { fresh: true });
  completeText(language, "glo", 3);
}
warmUp();
language.edit("1;", (_, __, program) => {
  for (const file of program.getSourceFiles()) if (file.isDeclarationFile) forget(file);
});
// TypeScript keeps an object of ICU for sorting, which no snapshot can hold; another locale makes it forget it.
setUILocale("en");
setUILocale(undefined);
v8.startupSnapshot.setDeserializeMainFunction(() => {
  serveQuestions(library, language);
});
