/**
 * Native kernels for TensorFlow.js: the engine of metastate.
 *
 * `nativeKernels.register(backend)` adds them to a tfjs backend; nothing here changes tfjs before that is called.
 */
export { addonStatus, loadAddon, type AddonStatus } from "./addon/load.js";
export type { NativeBinding, NativeInfo } from "./addon/binding.js";
export { createNativeKernels, nativeKernels, type KernelProvider, type NativeKernelsOptions } from "./provider.js";
