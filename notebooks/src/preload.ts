/** What every cell of a metastate notebook has: the library as `ms`, TensorFlow.js as `tf`, on the fastest engine. */
import {
  cudaEmulatedEngine,
  cudaEngine,
  hasNvidiaDriver,
  nativeEngine,
  nativeKernels,
  tensorflowEngine,
} from "@metastate/kernels-cuda";
import type { SessionHooks } from "@metastate/kernel";
import * as tf from "@tensorflow/tfjs-core";
import * as ms from "metastate";
import { addTensorMethods } from "./tensor-methods.js";

// Not `export { ms, tf }`: TypeScript would look at every member of both for each completion.
export * as tf from "@tensorflow/tfjs-core";
export * as ms from "metastate";

addTensorMethods();
for (const engine of [cudaEngine, nativeEngine, tensorflowEngine, cudaEmulatedEngine]) ms.registerEngine(engine);
ms.registerKernels(nativeKernels);
// A cell that makes a model is run again and again.
ms.freeUnreachableModels();
// The first cell shows it: one line, and further ones only where something is amiss.
const { unavailable } = await ms.startEngine({
  log: (line) => {
    if (!line.startsWith("not in use")) console.log(line);
  },
});
for (const { name, reason } of unavailable) {
  // A machine without an NVIDIA driver is no news; ms.engine() tells it all the same.
  if (name !== cudaEngine.name || hasNvidiaDriver()) console.error(`${name}: not in use, ${reason}`);
}

/** What the kernel asks of the library. */
export const sessionHooks: SessionHooks = {
  afterInterrupt: ms.afterTermination,
  // Thousands of results would fill the memory.
  timedCall(call) {
    const engine = tf.engine();
    engine.startScope();
    let value: unknown;
    try {
      value = call();
      return value;
    } finally {
      if (value instanceof Promise) {
        // It still works with what it has made.
        const made = engine.state.activeScope.track.map((tensor) => tf.keep(tensor));
        const free = (): void => void tf.dispose(made);
        value.then(free, free);
      }
      engine.endScope();
    }
  },
};
