/**
 * The engine `tensorflow`: tfjs-node's kernels on the TensorFlow that `npm run setup:tensorflow` found and built their
 * binding for. Of the package only its backend and kernels are loaded: its entrance would load a second tfjs.
 */
import * as tf from "@tensorflow/tfjs-core";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { explainLoadError } from "../addon/load.js";
import type { EngineCandidate } from "../engine-candidate.js";
import { tensorflowBackendName } from "./kernels.js";

const command = "npm run setup:tensorflow";
const setupFolder = join(import.meta.dirname, "..", "..", "..", ".metastate", "tensorflow");

/** What the set-up leaves. */
interface Setup {
  readonly package: string;
  readonly tensorflow: { readonly folder: string; readonly version: string };
  readonly platform: string;
  readonly arch: string;
}

interface Binding {
  readonly TF_Version: string;
  isUsingGpuDevice(): boolean;
}

type BackendClass = new (binding: Binding, packageName: string) => tf.KernelBackend;

/** TensorFlow, when it is asked for and set up; otherwise says what to do. */
export const tensorflowEngine: EngineCandidate = {
  name: tensorflowBackendName,
  priority: 200,
  onlyWhenAsked: true,
  start: () => Promise.resolve(startTensorflow()),
};

/**
 * Registers the backend.
 *
 * @param folder where the set-up put it; another only in tests
 */
export function startTensorflow(folder = setupFolder): Awaited<ReturnType<EngineCandidate["start"]>> {
  const setup = readSetup(folder);
  if (!setup) return { ready: false, reason: `TensorFlow is not set up (no ${folder}); run ${command}` };
  const { platform, arch } = process;
  if (setup.platform !== platform || setup.arch !== arch) {
    const built = `${setup.platform}-${setup.arch}`;
    return {
      ready: false,
      reason: `its binding was built for ${built}, and this is ${platform}-${arch}; run ${command}`,
    };
  }
  if (!existsSync(setup.tensorflow.folder)) {
    return { ready: false, reason: `TensorFlow is no longer in ${setup.tensorflow.folder}; run ${command}` };
  }
  // Its log of what the CPU can do is not for here.
  process.env["TF_CPP_MIN_LOG_LEVEL"] ??= "2";
  const require = createRequire(join(folder, "package.json"));
  try {
    if ((require("@tensorflow/tfjs") as typeof tf).engine() !== tf.engine()) {
      return { ready: false, reason: `its tfjs is not the one that runs here; run ${command}` };
    }
    const binding = require(join(folder, "tfjs_binding.node")) as Binding;
    useBinding(binding, setup, require);
    const version = binding.TF_Version;
    return {
      ready: true,
      backend: tensorflowBackendName,
      device: `TensorFlow ${version} on ${binding.isUsingGpuDevice() ? "a GPU" : "the CPU"}`,
      controls: { versions: () => ({ TensorFlow: version, "tfjs-node": packageVersion(setup, require) }) },
    };
  } catch (error) {
    return { ready: false, reason: `${explain(error)}; run ${command}` };
  }
}

function useBinding(binding: Binding, setup: Setup, require: NodeJS.Require): void {
  if (tf.findBackend(tensorflowBackendName)) return;
  addTensorMethods();
  require(`${setup.package}/dist/register_all_kernels.js`);
  keepIntegersInRound();
  const module = require(`${setup.package}/dist/nodejs_kernel_backend.js`) as { NodeJSKernelBackend: BackendClass };
  tf.registerBackend(tensorflowBackendName, () => new module.NodeJSKernelBackend(binding, setup.package), 0);
}

/** TensorFlow 2.21 rounds every int32 to 0. */
function keepIntegersInRound(): void {
  const round = tf.getKernel(tf.Round, tensorflowBackendName);
  const identity = tf.getKernel(tf.Identity, tensorflowBackendName);
  tf.unregisterKernel(tf.Round, tensorflowBackendName);
  tf.registerKernel({
    ...round,
    kernelFunc: (call) => (call.inputs["x"]!.dtype === "int32" ? identity : round).kernelFunc(call),
  });
}

/** Methods that some kernels of tfjs-node call; in Node.js tfjs-core does not give them to tensors. */
function addTensorMethods(): void {
  const methods: Readonly<Record<string, (this: tf.Tensor, other: tf.Tensor) => tf.Tensor>> = {
    add(other) {
      return tf.add(this, other);
    },
    sub(other) {
      return tf.sub(this, other);
    },
    mul(other) {
      return tf.mul(this, other);
    },
    toFloat() {
      return tf.cast(this, "float32");
    },
    toInt() {
      return tf.cast(this, "int32");
    },
  };
  for (const [name, value] of Object.entries(methods)) {
    if (name in tf.Tensor.prototype) continue;
    Object.defineProperty(tf.Tensor.prototype, name, { value, configurable: true, writable: true });
  }
}

function packageVersion(setup: Setup, require: NodeJS.Require): string {
  return (require(`${setup.package}/package.json`) as { version: string }).version;
}

function readSetup(folder: string): Setup | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "setup.json"), "utf8")) as Setup;
  } catch {
    return undefined; // not set up, or not to its end
  }
}

function explain(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return explainLoadError(message).reason.replace(/the native addon/, "TensorFlow's binding");
}
