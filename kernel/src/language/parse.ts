/** Cells through TypeScript's parser alone, which takes a hundredth of the time of a program. */
import ts = require("typescript");

/** A cell's syntax tree. A cell is a module, also one without `import` and `export`: `await` in it is no name. */
export function parseCell(
  text: string,
  languageVersion = ts.ScriptTarget.ESNext,
  fileName = "cell.ts",
  kind?: ts.ScriptKind,
): ts.SourceFile {
  const setExternalModuleIndicator = (file: ts.SourceFile): void => {
    // Internal to TypeScript, as is what a program puts there.
    (file as { externalModuleIndicator?: ts.Node | true }).externalModuleIndicator = true;
  };
  return ts.createSourceFile(fileName, text, { languageVersion, setExternalModuleIndicator }, false, kind);
}

/** What is wrong with a text by its syntax. Internal to TypeScript, which shows it only through a program. */
export function parseErrors(file: ts.SourceFile): readonly ts.DiagnosticWithLocation[] {
  return (file as unknown as { parseDiagnostics: readonly ts.DiagnosticWithLocation[] }).parseDiagnostics;
}
