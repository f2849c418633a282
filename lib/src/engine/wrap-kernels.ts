/**
 * Puts something around every kernel that tfjs runs, on any backend, for as long as it is wanted. Nothing of it is there
 * before and after: kernels are then called as tfjs calls them.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";

/** A kernel that is about to run. */
export interface KernelCall {
  readonly name: string;
  /** by name; lists (of `Concat`, `AddN`) have their numbers as names. One that is optional may be missing */
  readonly inputs: Readonly<Record<string, TensorInfo | undefined>>;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly backend: KernelBackend;
}

/** What a kernel gives. */
export type KernelOutput = TensorInfo | TensorInfo[];

/** Runs in a kernel's place; `run` is the kernel. */
export type KernelWrapper = (call: KernelCall, run: () => KernelOutput) => KernelOutput;

/** The latest is the outermost. */
let wrappers: readonly KernelWrapper[] = [];
let uninstall: (() => void) | undefined;

/**
 * Puts `wrapper` around every kernel until the function that it returns is called.
 *
 * @returns takes the wrapper away; a second call does nothing
 */
export function wrapKernels(wrapper: KernelWrapper): () => void {
  wrappers = [...wrappers, wrapper];
  uninstall ??= install();
  let there = true;
  return () => {
    if (!there) return;
    there = false;
    const at = wrappers.indexOf(wrapper);
    wrappers = wrappers.filter((_, i) => i !== at);
    if (wrappers.length > 0) return;
    uninstall?.();
    uninstall = undefined;
  };
}

/**
 * Kernels are wrapped in tfjs's registry, each when it first runs: ops of this library are registered as late as that.
 */
function install(): () => void {
  const engine = tf.engine();
  const originals = new Map<tf.KernelConfig, tf.KernelConfig["kernelFunc"]>();
  const own = Object.getOwnPropertyDescriptor(engine, "runKernel");
  const runKernel = engine.runKernel.bind(engine);
  engine.runKernel = <T extends tf.Tensor | tf.Tensor[]>(
    name: string,
    inputs: tf.NamedTensorMap,
    attributes?: tf.NamedAttrMap,
  ): T => {
    // Reading the backend starts it when nothing did before; its name is known only then.
    void engine.backend;
    const config = tf.getKernel(name, engine.backendName);
    if (config && !originals.has(config)) {
      originals.set(config, config.kernelFunc);
      config.kernelFunc = wrapped(name, config.kernelFunc);
    }
    return runKernel<T>(name, inputs, attributes);
  };
  return () => {
    for (const [config, kernelFunc] of originals) config.kernelFunc = kernelFunc;
    if (own) Object.defineProperty(engine, "runKernel", own);
    else Reflect.deleteProperty(engine, "runKernel");
  };
}

function wrapped(name: string, kernelFunc: tf.KernelConfig["kernelFunc"]): tf.KernelConfig["kernelFunc"] {
  return (parameters) => {
    const { inputs, attrs = {}, backend } = parameters;
    const call = { name, inputs, attributes: attrs, backend: backend as KernelBackend };
    let run = (): KernelOutput => kernelFunc(parameters);
    for (const wrapper of wrappers) {
      const inner = run;
      run = () => wrapper(call, inner);
    }
    return run();
  };
}
