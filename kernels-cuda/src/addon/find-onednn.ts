/**
 * Finds oneDNN, as the Python wheel `onednn-cpu-gomp` or the conda package `onednn` brings it, in the Python environments in
 * which OpenBLAS is looked for. Products of bfloat16 operands go there on CPUs with AMX.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pythonEnvironments } from "./find-blas.js";

/** The library's path, or undefined. `METASTATE_ONEDNN` names another file. */
export function findOneDnn(environment: NodeJS.ProcessEnv): string | undefined {
  const asked = environment["METASTATE_ONEDNN"];
  if (asked) return asked;
  for (const prefix of pythonEnvironments(environment)) {
    for (const name of ["libdnnl.so.3", "libdnnl.3.dylib"]) {
      const path = join(prefix, "lib", name);
      if (existsSync(path)) return path;
    }
  }
  return undefined;
}
