/**
 * Native kernels for TensorFlow.js: the engine of metastate.
 *
 * `nativeEngine.start()` makes the tfjs backend `native`; `nativeKernels.register(backend)` adds kernels to another tfjs
 * backend. `cudaEngine.start()` makes the tfjs backend `cuda`, on an NVIDIA GPU. Nothing here changes tfjs before one of them is
 * called.
 */
export { addonStatus, loadAddon, type AddonStatus } from "./addon/load.js";
export type { NativeBinding, NativeInfo } from "./addon/binding.js";
export { cudaEmulatedEngine, cudaEngine } from "./cuda/engine-candidate.js";
export { hasNvidiaDriver, loadCudaAddon, type LoadedCuda } from "./cuda/addon/load.js";
export type { CudaDevice, CudaMemory } from "./cuda/addon/core-binding.js";
export { hostFallbacks } from "./cuda/host-fallback.js";
export { nativeEngine, type EngineCandidate } from "./engine-candidate.js";
export { type EngineControls, type Precision } from "./engine-controls.js";
export { tensorflowEngine } from "./tensorflow/engine-candidate.js";
export { createNativeKernels, nativeKernels, type KernelProvider, type NativeKernelsOptions } from "./provider.js";
