/**
 * Makes the tfjs backend `native` known, complete from the start: every kernel of tfjs's `cpu` backend under the new name,
 * for the native ones to replace.
 */
import "@tensorflow/tfjs-backend-cpu";
import { copyRegisteredKernels, findBackend, registerBackend } from "@tensorflow/tfjs-core";
import type { LargeArrays } from "./buffer-pool.js";
import { nativeBackendName } from "./name.js";
import { NativeBackend } from "./native-backend.js";

/**
 * Registers the backend, once. Nothing is chosen by it.
 *
 * @param large where its large arrays come from
 */
export function registerNativeBackend(large: LargeArrays): void {
  if (findBackend(nativeBackendName)) return;
  if (registered) return;
  registered = true;
  copyRegisteredKernels("cpu", nativeBackendName);
  registerBackend(nativeBackendName, () => new NativeBackend(large), 0);
}

let registered = false;
