/**
 * Finds OpenBLAS, as the Python wheel `scipy-openblas32` or the conda package `openblas` brings it: in the active Python
 * environment, or in the one that set-up made in the checkout. Large matrix products go there; without it the addon's own do.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const checkout = join(import.meta.dirname, "..", "..", "..");

/** The library's path, or undefined. `METASTATE_BLAS` names another file; `METASTATE_BLAS=0` says to use none. */
export function findBlas(environment: NodeJS.ProcessEnv): string | undefined {
  const asked = environment["METASTATE_BLAS"];
  if (asked) return asked === "0" ? undefined : asked;
  for (const prefix of pythonEnvironments(environment)) {
    const found = inEnvironment(prefix);
    if (found) return found;
  }
  return undefined;
}

/** Where libraries are looked for: the active Python environments, then the one that set-up made in the checkout. */
export function pythonEnvironments(environment: NodeJS.ProcessEnv): string[] {
  const prefixes = [environment["VIRTUAL_ENV"], environment["CONDA_PREFIX"], join(checkout, ".venv")];
  return prefixes.filter((prefix) => prefix !== undefined && prefix !== "") as string[];
}

function inEnvironment(prefix: string): string | undefined {
  const lib = join(prefix, "lib");
  const versions = existsSync(lib) ? readdirSync(lib).filter((name) => name.startsWith("python3.")) : [];
  for (const version of versions) {
    const folder = join(lib, version, "site-packages", "scipy_openblas32", "lib");
    for (const name of ["libscipy_openblas.so", "libscipy_openblas.dylib"]) {
      if (existsSync(join(folder, name))) return join(folder, name);
    }
  }
  const ofConda = ["libopenblas.so", "libopenblas.dylib"].map((name) => join(lib, name));
  return ofConda.find((path) => existsSync(path));
}
