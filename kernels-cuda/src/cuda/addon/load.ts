/**
 * Finds and loads the CUDA addon and opens the GPU, once; says plainly why when it cannot.
 *
 * Environment: `METASTATE_CUDA=0` leaves it alone; `METASTATE_CUDA_ADDON` names another file to load;
 * `METASTATE_CUDA_DEVICE` is the number of the GPU; `METASTATE_CUDA_SYNC=1` waits after each launch, so that an error is
 * told with the kernel that made it.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { explainLoadError } from "../../addon/load.js";
import { cudaInterfaceVersion, type CudaBinding } from "./binding.js";
import type { CudaDevice } from "./core-binding.js";

/** The addon with the device it opened; or why not, and what to do. */
export type LoadedCuda =
  | { readonly binding: CudaBinding; readonly device: CudaDevice; readonly path: string }
  | { readonly reason: string; readonly remedy: string };

const buildFolder = join(import.meta.dirname, "..", "..", "..", "build");
const outcomes = new Map<boolean, LoadedCuda>();

/** Whether this machine has an NVIDIA driver: without one, nobody expects the GPU to be used. */
export function hasNvidiaDriver(): boolean {
  return ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"].some((path) => existsSync(path));
}

/**
 * The addon, or why it is not there. Never throws; the same answer each time.
 * @param emulated the one that runs CUDA code on the CPU, for tests
 */
export function loadCudaAddon({ emulated = false } = {}): LoadedCuda {
  let outcome = outcomes.get(emulated);
  if (!outcome) {
    outcome = load(process.env, { emulated });
    outcomes.set(emulated, outcome);
  }
  return outcome;
}

/** Loads it as the environment says, without remembering. @param options.folder where builds are; another only in tests */
export function load(
  environment: NodeJS.ProcessEnv,
  { emulated = false, folder = buildFolder }: { emulated?: boolean; folder?: string } = {},
): LoadedCuda {
  if (!emulated && environment["METASTATE_CUDA"] === "0") {
    return { reason: "CUDA is switched off by METASTATE_CUDA=0", remedy: "unset METASTATE_CUDA" };
  }
  const path =
    (environment["METASTATE_CUDA_ADDON"] ?? "") ||
    join(folder, ...(emulated ? ["CudaEmulated", "metastate_cuda_emulated.node"] : ["Cuda", "metastate_cuda.node"]));
  if (!existsSync(path)) return notBuilt(folder, emulated);
  let binding: CudaBinding;
  try {
    binding = createRequire(import.meta.url)(path) as CudaBinding;
  } catch (error) {
    return explainLoadError(error instanceof Error ? error.message : String(error));
  }
  if (binding.interfaceVersion !== cudaInterfaceVersion || binding.emulated !== emulated) {
    const reason = "the CUDA addon was built from another version of its sources";
    return { reason, remedy: `run ${buildCommand(emulated)}` };
  }
  try {
    const device = binding.open();
    return "reason" in device ? device : { binding, device, path };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error), remedy: "see nvidia-smi" };
  }
}

function buildCommand(emulated: boolean): string {
  return `npm run build:native${emulated ? "" : " -- --cuda"}`;
}

function notBuilt(folder: string, emulated: boolean): LoadedCuda {
  const note = join(folder, `last-attempt-cuda${emulated ? "-emulated" : ""}.json`);
  try {
    const { reason, remedy } = JSON.parse(readFileSync(note, "utf8")) as { reason: string; remedy: string };
    return { reason: `the CUDA addon is not built: ${reason}`, remedy };
  } catch {
    const remedy = `run ${buildCommand(emulated)}${emulated ? "" : " on a machine with an NVIDIA GPU"}`;
    return { reason: "the CUDA addon is not built", remedy };
  }
}
