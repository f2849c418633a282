/**
 * Declares an op's kernels under a name in tfjs's kernel registry, and runs them. An op of this library is a name with
 *
 * - `composed`: tfjs ops, right on every backend;
 * - `host`, optional: plain loops for backends whose tensors lie in this process's memory;
 * - and whatever a kernel package registered under the name for a backend, which wins over both.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NamedAttrMap, Tensor, TensorInfo } from "@tensorflow/tfjs-core";

import { hostMemory, type HostMemory } from "./host.js";
// Whoever runs an op of the library may ask for its gradient, which passes through tfjs's own ops.
import "./tfjs-gradients/tfjs-gradients.js";

type Inputs = Readonly<Record<string, TensorInfo>>;

/** The forms in which a kernel exists. */
export interface KernelDeclaration<I extends string, A extends NamedAttrMap> {
  /** its name in the kernel registry, e.g. `Wkv7` */
  readonly name: string;
  /** the kernel in tfjs ops; runs inside a tidy, must not keep tensors */
  composed(inputs: Readonly<Record<I, Tensor>>, attributes: A): Tensor[];
  /** the kernel over typed arrays */
  host?(inputs: Readonly<Record<I, TensorInfo>>, memory: HostMemory, attributes: A): TensorInfo[];
}

/** A declared kernel: runs for the backend in use. */
export interface Kernel<I extends string, A extends NamedAttrMap> {
  readonly name: string;
  /** The kernel in tfjs ops, whatever is registered: what other forms are tested against. */
  composed(inputs: Readonly<Record<I, Tensor>>, attributes: A): Tensor[];
  /** Runs the kernel; recorded on the gradient tape when a gradient is registered under the name. */
  run(inputs: Readonly<Record<I, Tensor>>, attributes: A): Tensor[];
}

const declared: string[] = [];

/** The names of all kernels that the library declares, in order of declaration. */
export function kernelNames(): readonly string[] {
  return declared;
}

/** Declares a kernel. Registration happens at first use on a backend, so that faster kernels may come before. */
export function declareKernel<I extends string, A extends NamedAttrMap>(
  declaration: KernelDeclaration<I, A>,
): Kernel<I, A> {
  const { name } = declaration;
  declared.push(name);
  return {
    name,
    composed: (inputs, attributes) => declaration.composed(inputs, attributes),
    run(inputs, attributes) {
      const engine = tf.engine();
      // Reading the backend starts it when nothing did before; its name is known only then.
      void engine.backend;
      if (!tf.getKernel(name, engine.backendName)) register(declaration, engine.backendName);
      return engine.runKernel<Tensor[]>(name, inputs, attributes);
    },
  };
}

function register<I extends string, A extends NamedAttrMap>(
  declaration: KernelDeclaration<I, A>,
  backendName: string,
): void {
  tf.registerKernel({
    kernelName: declaration.name,
    backendName,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const memory = declaration.host && hostMemory(backend);
      if (memory) return declaration.host!(inputs as Inputs, memory, attrs as A);
      return tf.tidy(() => declaration.composed(inputs as unknown as Record<I, Tensor>, attrs as A));
    },
  });
}

/**
 * The first outputs of a kernel, which may be differentiated. The others, which it made for its gradient alone, are freed (the
 * tape has handles of its own) and leave the tape's node: for each output that nothing depends on tfjs makes zeros on the way back.
 *
 * @param outputs as {@link Kernel.run} gave them: the very array that the tape holds
 */
export function differentiable(outputs: Tensor[], count: number): Tensor[] {
  tf.dispose(outputs.splice(count));
  return outputs;
}

/**
 * Registers the gradient of a kernel.
 *
 * @param kernel the kernel whose gradient it is
 * @param save inputs needed again, in the order in which `gradient` gets them
 * @param saveOutputs which outputs are needed again; they follow the inputs
 * @param gradient the gradients by input name, of those of its {@link differentiable} outputs; all are computed at once
 */
export function declareGradient<I extends string, A extends NamedAttrMap>(
  kernel: Kernel<I, A>,
  save: readonly I[],
  gradient: (dy: readonly Tensor[], saved: readonly Tensor[], attributes: A) => Partial<Record<I, Tensor>>,
  saveOutputs: readonly boolean[] = [],
): void {
  tf.registerGradient({
    kernelName: kernel.name,
    inputsToSave: [...save],
    outputsToSave: [...saveOutputs],
    gradFunc: (dy, saved, attributes) => {
      const gradients = gradient(Array.isArray(dy) ? dy : [dy], saved, attributes as A);
      // tfjs wants one thunk an input and calls each in a tidy of its own: a shared result must be made out here.
      return Object.fromEntries(
        Object.entries<Tensor | undefined>(gradients).map(([name, value]) => [name, () => value!]),
      );
    },
  });
}
