/** The engine `cuda`, for whoever chooses between engines at start; and the emulated one, for tests. */
import { shortenEngine } from "../backend/engine-shortcuts.js";
import { useNativeEngine, type EngineCandidate } from "../engine-candidate.js";
import type { EngineControls } from "../engine-controls.js";
import { loadCudaAddon } from "./addon/load.js";
import type { CudaBinding } from "./addon/binding.js";
import type { CudaDevice } from "./addon/core-binding.js";
import { openMatrixLibrary, tellMatrixLibrary, type MatrixLibrary } from "./matrix-library.js";
import { cudaBackendName } from "./name.js";
import { measurePeak } from "./peak.js";
import { cudaPrecision } from "./precision.js";
import { registerCudaBackend } from "./register.js";

/** The GPU. Needs the CUDA addon, an NVIDIA driver and a GPU; without them, says what is missing and what to do. */
export const cudaEngine: EngineCandidate = {
  name: cudaBackendName,
  priority: 400,
  start: () => Promise.resolve(useCudaEngine()),
};

/** The CUDA code on the CPU, thread by thread: exact and slow, for tests. Taken only when asked for by name. */
export const cudaEmulatedEngine: EngineCandidate = {
  name: "cuda-emulated",
  priority: 10,
  onlyWhenAsked: true,
  start: () => Promise.resolve(useCudaEngine({ emulated: true })),
};

/** Registers the backend and its kernels. */
export function useCudaEngine({ emulated = false } = {}): Awaited<ReturnType<EngineCandidate["start"]>> {
  const addon = loadCudaAddon({ emulated });
  if (!("binding" in addon)) return { ready: false, reason: `${addon.reason}; ${addon.remedy}` };
  // The kernels of the CPU, for what has no CUDA code; without the native addon tfjs's own do.
  useNativeEngine();
  shortenEngine();
  registerCudaBackend(addon.binding);
  const library = emulated ? undefined : matrixLibrary(addon.binding);
  return {
    ready: true,
    backend: cudaBackendName,
    device: deviceInWords(addon.device),
    controls: cudaControls(addon.binding, addon.device, library),
  };
}

let opened: MatrixLibrary | undefined;

/** cuBLASLt, opened once; what there is of it is told once. */
function matrixLibrary(binding: CudaBinding): MatrixLibrary {
  if (!opened) {
    opened = openMatrixLibrary(binding, process.env);
    tellMatrixLibrary(opened, process.env);
  }
  return opened;
}

function deviceInWords({ name, computeCapability, multiprocessors, totalBytes }: CudaDevice): string {
  const gibibytes = (totalBytes / 2 ** 30).toFixed(0);
  return `${name}, ${gibibytes} GiB, compute capability ${computeCapability}, ${multiprocessors} multiprocessors`;
}

function cudaControls(
  binding: CudaBinding,
  { driverVersion, runtimeVersion }: CudaDevice,
  library: MatrixLibrary | undefined,
): EngineControls {
  return {
    precision: cudaPrecision,
    memory() {
      const { used, waiting, free, total } = binding.memory();
      return { used, reserved: waiting, free, total };
    },
    versions: () => ({
      addon: String(binding.interfaceVersion),
      ...(runtimeVersion > 0 && { CUDA: inWords(runtimeVersion), "driver's CUDA": inWords(driverVersion) }),
      ...(library && { cuBLASLt: "version" in library ? library.version : library.reason }),
    }),
    // The emulator's speed says nothing of a GPU's.
    ...(!binding.emulated && { peak: () => measurePeak(binding) }),
    async synchronize() {
      await binding.startTimer()();
    },
  };
}

/** "13.5" for 13050. */
function inWords(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}
