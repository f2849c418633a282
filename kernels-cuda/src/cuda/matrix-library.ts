/**
 * The library of matrix products on the GPU: cuBLASLt, found and opened when the engine starts. Without it products run on a
 * kernel of the addon, which is right and much slower.
 */
import type { CudaBinding } from "./addon/binding.js";
import { findCublas } from "./addon/find-cublas.js";

/** What is in use: the library with its version; or why there is none, and what to do. */
export type MatrixLibrary =
  { readonly path: string; readonly version: string } | { readonly reason: string; readonly remedy: string };

const remedy =
  "install it into the Python environment (pip install nvidia-cublas), or let METASTATE_CUBLAS name the file libcublasLt.so.13 " +
  "or .12 of a CUDA toolkit or of PyTorch";

/** Opens the library that the environment says, or else that is found. Never throws. */
export function openMatrixLibrary(binding: CudaBinding, environment: NodeJS.ProcessEnv): MatrixLibrary {
  const asked = environment["METASTATE_CUBLAS"];
  if (asked === "0")
    return { reason: "cuBLASLt is switched off by METASTATE_CUBLAS=0", remedy: "unset METASTATE_CUBLAS" };
  const path = findCublas(environment);
  if (!path) return { reason: "no cuBLASLt was found", remedy };
  try {
    return { path, version: binding.useCublas(path) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { reason: `cuBLASLt at ${path} cannot be used: ${message}`, remedy };
  }
}

/** Says once what is lost without the library; nothing where it was switched off by intent. */
export function tellMatrixLibrary(
  library: MatrixLibrary,
  environment: NodeJS.ProcessEnv,
  warn: (message: string) => void = (message) => console.warn(message),
): void {
  if ("version" in library || environment["METASTATE_CUBLAS"] === "0") return;
  warn(
    `cuda: ${library.reason}: matrix products run on a slower kernel of the addon. To change this, ${library.remedy}.`,
  );
}
