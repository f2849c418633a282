/** What is wrong with a text by its syntax alone. */
import ts = require("typescript");

/** Internal to TypeScript, which shows the errors of its parser only through a program; and that takes a hundred times as long. */
export function parseErrors(file: ts.SourceFile): readonly ts.Diagnostic[] {
  return (file as unknown as { parseDiagnostics: readonly ts.Diagnostic[] }).parseDiagnostics;
}
