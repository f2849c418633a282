/**
 * Finds cuBLASLt, which computes matrix products on the GPU: of a CUDA toolkit, or as Python packages bring it (the wheels
 * `nvidia-cublas` and `nvidia-cublas-cu12`, PyTorch). Without it the addon's own product runs.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const checkout = join(import.meta.dirname, "..", "..", "..", "..");

/** The library under its versions, the newest first. The addon knows the interface of both. */
const names = ["libcublasLt.so.13", "libcublasLt.so.12"];

/** Folders of a Python environment's packages that may have it. */
const packages = [
  ["nvidia", "cu13", "lib"],
  ["nvidia", "cublas", "lib"],
  ["torch", "lib"],
];

/** The library's path, or undefined. `METASTATE_CUBLAS` names another file; `METASTATE_CUBLAS=0` says to use none. */
export function findCublas(environment: NodeJS.ProcessEnv): string | undefined {
  const asked = environment["METASTATE_CUBLAS"];
  if (asked) return asked === "0" ? undefined : asked;
  for (const folder of folders(environment)) {
    const name = names.find((name) => existsSync(join(folder, name)));
    if (name) return join(folder, name);
  }
  return undefined;
}

function folders(environment: NodeJS.ProcessEnv): string[] {
  const toolkits = [environment["CUDA_HOME"], environment["CUDA_PATH"], environment["CONDA_PREFIX"], "/usr/local/cuda"];
  const pythons = [environment["VIRTUAL_ENV"], environment["CONDA_PREFIX"], join(checkout, ".venv")];
  const isThere = (folder: string | undefined): folder is string => Boolean(folder);
  return [
    ...toolkits
      .filter(isThere)
      .flatMap((root) => [
        join(root, "lib64"),
        join(root, "lib"),
        join(root, "targets", "x86_64-linux", "lib"),
        join(root, "targets", "sbsa-linux", "lib"),
      ]),
    ...pythons.filter(isThere).flatMap(packageFolders),
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
  ];
}

function packageFolders(prefix: string): string[] {
  const lib = join(prefix, "lib");
  const versions = existsSync(lib) ? readdirSync(lib).filter((name) => name.startsWith("python3.")) : [];
  return versions.flatMap((version) => packages.map((parts) => join(lib, version, "site-packages", ...parts)));
}
