/**
 * Makes the tfjs backend `native` known, complete from the start: every kernel of tfjs's `cpu` backend under the new name,
 * for the native ones to replace.
 */
import "@tensorflow/tfjs-backend-cpu";
import { copyRegisteredKernels, findBackend, registerBackend } from "@tensorflow/tfjs-core";
import { nativeBackendName } from "./name.js";
import { NativeBackend } from "./native-backend.js";

/** Registers the backend, once. Nothing is chosen by it. */
export function registerNativeBackend(): void {
  if (findBackend(nativeBackendName)) return;
  if (registered) return;
  registered = true;
  copyRegisteredKernels("cpu", nativeBackendName);
  registerBackend(nativeBackendName, () => new NativeBackend(), 0);
}

let registered = false;
