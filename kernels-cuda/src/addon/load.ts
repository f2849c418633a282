/**
 * Finds and loads the native addon, once, and says plainly why when it cannot.
 *
 * Environment, read at the first load:
 * - `METASTATE_NATIVE=0` leaves the addon alone;
 * - `METASTATE_THREADS` sets the number of threads (all cores otherwise);
 * - `METASTATE_SIMD` forces an instruction set (`sse2`, `avx2`, `avx512`; `neon`);
 * - `METASTATE_BLAS` names a BLAS library for large matrix products, `0` none (found in the Python environment otherwise);
 * - `METASTATE_NATIVE_ADDON` names another file to load, such as a build with sanitizers.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { findBlas } from "./find-blas.js";
import { interfaceVersion, type NativeBinding, type NativeInfo } from "./binding.js";

/** Whether the addon is loaded, and if not, why, and what to do. */
export type AddonStatus =
  | ({ readonly loaded: true; readonly path: string } & Readonly<NativeInfo>)
  | { readonly loaded: false; readonly reason: string; readonly remedy: string };

type Loaded =
  | { readonly binding: NativeBinding; readonly path: string; readonly blas?: string }
  | { readonly reason: string; readonly remedy: string };

/** What the build leaves beside the addon. */
interface BuildInfo {
  platform: string;
  arch: string;
}

const buildCommand = "npm run build:native";
/** Installed from npm, the package has no build script beside it. */
const isInCheckout = existsSync(join(import.meta.dirname, "..", "..", "..", "scripts", "build-native.mjs"));
const buildFolder = join(import.meta.dirname, "..", "..", "build");

let outcome: Loaded | undefined;

/** The addon, or why it is not there. Never throws; the same answer each time. */
export function loadAddon(): Loaded {
  outcome ??= load(process.env);
  return outcome;
}

/** Whether the addon is loaded (loading it if need be), with instruction set and threads; if not, why, and the remedy. */
export function addonStatus(): AddonStatus {
  const addon = loadAddon();
  return "binding" in addon ? { loaded: true, path: addon.path, ...addon.binding.info() } : { loaded: false, ...addon };
}

/**
 * Loads the addon as the environment says, without remembering: what `loadAddon` does the first time.
 * @param folder where the build put it; another only in tests
 */
export function load(environment: NodeJS.ProcessEnv, folder = buildFolder): Loaded {
  if (environment["METASTATE_NATIVE"] === "0") {
    return { reason: "native kernels are switched off by METASTATE_NATIVE=0", remedy: "unset METASTATE_NATIVE" };
  }
  const path = environment["METASTATE_NATIVE_ADDON"] || join(folder, "Release", "metastate_native.node");
  const refused = !existsSync(path) ? notBuilt(path, folder) : builtForAnother(join(path, "..", "build-info.json"));
  if (refused) return refused;
  let binding: NativeBinding;
  try {
    binding = createRequire(import.meta.url)(path) as NativeBinding;
  } catch (error) {
    return explainLoadError(error instanceof Error ? error.message : String(error));
  }
  if (binding.interfaceVersion !== interfaceVersion) {
    return { reason: "the native addon was built from another version of its sources", remedy: `run ${buildCommand}` };
  }
  const refusal = configure(binding, environment);
  return refusal ?? { binding, path, ...(binding.info().blas && { blas: findBlas(environment) }) };
}

function notBuilt(path: string, folder: string): Loaded {
  // The build leaves a note when it could not: its reason is better than "no such file".
  const attempt = readJson<{ reason: string; remedy: string }>(join(folder, "last-attempt.json"));
  if (attempt) return { reason: `the native addon is not built: ${attempt.reason}`, remedy: attempt.remedy };
  const elsewhere = `build it in a checkout of metastate (${buildCommand} there), and name its file by METASTATE_NATIVE_ADDON`;
  return {
    reason: `the native addon is not built (no ${path})`,
    remedy: isInCheckout ? `run ${buildCommand}` : elsewhere,
  };
}

function builtForAnother(infoPath: string): Loaded | undefined {
  const info = readJson<BuildInfo>(infoPath);
  if (!info || (info.platform === process.platform && info.arch === process.arch)) return undefined;
  return {
    reason:
      `the native addon was built for ${info.platform}-${info.arch}, ` +
      `and this Node is ${process.platform}-${process.arch}`,
    remedy: `run ${buildCommand} on this machine`,
  };
}

/** The dynamic linker's message in words. Known ones have a remedy of their own. */
export function explainLoadError(message: string): { reason: string; remedy: string } {
  const rebuild = `run ${buildCommand} on this machine`;
  const line = message.split("\n", 1)[0] ?? message;
  if (/wrong ELF class|invalid ELF header|incompatible architecture|not a mach-o file|file too short/i.test(message)) {
    return { reason: `the native addon is not for this machine, or is damaged (${line})`, remedy: rebuild };
  }
  if (/GLIBC(XX)?_[\d.]+['’]? not found|CXXABI_[\d.]+['’]? not found/.test(message)) {
    return { reason: `the native addon was built against newer system libraries (${line})`, remedy: rebuild };
  }
  if (/cannot open shared object file/.test(message)) {
    return { reason: `a library the native addon needs is missing (${line})`, remedy: rebuild };
  }
  if (/different Node\.js version|NODE_MODULE_VERSION|undefined symbol: napi_|did not self-register/.test(message)) {
    return { reason: `the native addon was built for another Node (${line})`, remedy: rebuild };
  }
  return { reason: `the native addon does not load: ${line}`, remedy: rebuild };
}

function configure(binding: NativeBinding, environment: NodeJS.ProcessEnv): Loaded | undefined {
  const asked = environment["METASTATE_THREADS"];
  const threads = asked ? Number(asked) : availableParallelism();
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    return {
      reason: `METASTATE_THREADS is "${asked}", which is no number of threads`,
      remedy: "give an integer from 1 to 1024, or unset it for all cores",
    };
  }
  binding.configure({ threads });
  const simd = environment["METASTATE_SIMD"];
  const { simdAvailable } = binding.info();
  if (simd && !simdAvailable.includes(simd)) {
    return {
      reason: `METASTATE_SIMD is "${simd}", which this CPU cannot run`,
      remedy: `give one of ${simdAvailable.join(", ")}, or unset it for the fastest`,
    };
  }
  if (simd) binding.configure({ simd });
  return useBlas(binding, environment);
}

/** Only a library that was asked for by name is a reason to refuse: without one, the addon's own products run. */
function useBlas(binding: NativeBinding, environment: NodeJS.ProcessEnv): Loaded | undefined {
  const path = findBlas(environment);
  try {
    binding.loadBlas(path ?? "");
  } catch (error) {
    if (!environment["METASTATE_BLAS"]) return undefined;
    return {
      reason: `METASTATE_BLAS is "${path}", which cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      remedy: "name a BLAS library, or unset it for the one of the Python environment",
    };
  }
  return undefined;
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch {
    return undefined; // not there, or half written: the reader does without
  }
}
