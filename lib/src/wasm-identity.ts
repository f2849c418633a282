/**
 * tfjs's wasm backend copies a tensor's memory to clone it, and the gradient tape clones every tensor that it keeps:
 * some 250 copies a training step. Its memory is reference-counted (reshape shares it already), and tensors do not
 * change, so that a clone may share it too.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelBackend } from "@tensorflow/tfjs-core";

/** Lets clones on the wasm backend share memory. Call once the backend is registered. */
export function shareClonesOnWasm(): void {
  tf.unregisterKernel("Identity", "wasm");
  tf.registerKernel({
    kernelName: "Identity",
    backendName: "wasm",
    kernelFunc: ({ inputs, backend }) => {
      const x = inputs.x!;
      (backend as KernelBackend).incRef(x.dataId);
      return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
    },
  });
}
