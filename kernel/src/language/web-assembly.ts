/**
 * The types of WebAssembly. Node has it, and Node's declarations say nothing of it: TypeScript knows it as a part of a page, and a
 * cell has no page.
 */
import { dirname, join } from "node:path";
import ts = require("typescript");

/** Libraries of TypeScript that declare it themselves. */
const DECLARED_BY = /^lib\.(dom|webworker)\./;
const START = "declare namespace WebAssembly {";
const END = "\n}\n";

/** Its declarations, as a part of a module; nothing where the options have a library that brings it. */
export function webAssembly({ lib = [] }: ts.CompilerOptions): string {
  if (lib.some((name) => DECLARED_BY.test(name))) return "";
  const page = ts.sys.readFile(join(dirname(ts.getDefaultLibFilePath({})), "lib.dom.d.ts")) ?? "";
  const start = page.indexOf(START);
  const end = page.indexOf(END, start);
  if (start < 0 || end < 0) return "";
  return `type BufferSource = ArrayBufferView | ArrayBuffer;\nexport ${page.slice(start, end)}${END}`;
}
