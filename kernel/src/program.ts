/**
 * Where the code of the kernel's processes is. To load a module takes Node half a millisecond, and each process has dozens: the
 * build bundles them (`scripts/bundle.mjs` of the workspace). A bundle that is older than the modules, because these were
 * compiled without it, is not used.
 */
import { statSync } from "node:fs";

/** What is bundled: the modules with which a process, or a thread, begins. */
export type Program = "run" | "session/main" | "session/interrupt-thread";

/** The file that is to be loaded for a program; `modules` is the folder of the compiled modules. */
export function program(name: Program, modules = new URL("./", import.meta.url)): URL {
  const bundle = new URL(`bundle/${name}.js`, modules);
  const made = modified(bundle);
  // TypeScript writes this file whenever it writes modules. A published package has none.
  const compiled = modified(new URL("../tsconfig.tsbuildinfo", modules)) ?? 0;
  return made !== undefined && made >= compiled ? bundle : new URL(`${name}.js`, modules);
}

/** When a file was written last; undefined where there is none. */
export function modified(file: URL | string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs;
}
