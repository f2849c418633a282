/** The search for NaN and infinity: after each kernel, so that the first one is found where it arises. */
import * as tf from "@tensorflow/tfjs-core";
import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";

import { NumericsError, type CheckedInput } from "../errors.js";
import { hostMemory } from "../ops/host.js";
import { keepNames, nameOf, nameTensor, stepNow, type TensorName } from "./numerics-context.js";
import { closeAfterTermination } from "./termination.js";
import { wrapKernels, type KernelCall, type KernelOutput } from "./wrap-kernels.js";

let stop: (() => void) | undefined;

/**
 * Looks, from here on, at what every kernel gives, and throws where it is not finite: the first NaN or infinity is found in
 * the op that made it, not where a loss shows it. `METASTATE_CHECK_NUMERICS=1` has it from the start. Every result is read,
 * which costs several times the time of small ops, and more on a GPU; switched off, it costs nothing.
 *
 * The error, a {@link NumericsError}, names the op, its inputs and which of them were bad already, the parameters and
 * activations of a model by their names, and the step of training. What fills a tensor with an infinity on purpose
 * (`tf.fill`) is let through.
 *
 * @param on `false` ends it
 */
export function checkNumerics(on = true): void {
  if (on === (stop !== undefined)) return;
  keepNames(on);
  if (on) {
    stop = wrapKernels(checked);
  } else {
    stop?.();
    stop = undefined;
  }
}

/** Kernels that run now, the outermost first. */
const running: string[] = [];
closeAfterTermination(() => (running.length = 0));

function checked(call: KernelCall, run: () => KernelOutput): KernelOutput {
  running.push(call.name);
  let output: KernelOutput;
  try {
    output = run();
  } finally {
    running.pop();
  }
  const outputs = [output].flat();
  const origin = originOf(call);
  for (const [i, result] of outputs.entries()) {
    const bad = call.name === "Fill" ? undefined : firstBad(call.backend, result);
    if (bad) {
      const error = explain(call, bad, outputs.length > 1 ? i : undefined);
      // Nobody gets them any more.
      for (const { dataId } of outputs) call.backend.disposeData(dataId);
      disposeSaved();
      throw error;
    }
    if (origin && !nameOf(result)) nameTensor(result, "from", "", origin.name);
  }
  return output;
}

/** tfjs frees what a gradient has saved when the gradient is done, and never when an exception ends it. */
function disposeSaved(): void {
  const { state } = tf.engine();
  for (const { saved } of (state.activeTape ?? []) as readonly { saved?: readonly tf.Tensor[] }[])
    tf.dispose([...(saved ?? [])]);
  state.activeTape = [];
}

interface Bad {
  readonly value: number;
  readonly index: number;
  readonly count: number;
  readonly size: number;
}

function firstBad(backend: KernelBackend, tensor: TensorInfo): Bad | undefined {
  if (tensor.dtype !== "float32") return undefined;
  const values = (hostMemory(backend)?.floats(tensor) ?? backend.readSync(tensor.dataId)) as Float32Array;
  let index = -1;
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    // Zero for every number, NaN for the others.
    if (values[i]! - values[i]! !== 0) {
      if (count++ === 0) index = i;
    }
  }
  return count > 0 ? { value: values[index]!, index, count, size: values.length } : undefined;
}

/** The name that says best where an op stands: its parameter's, else an activation's that goes in. */
function originOf({ inputs }: KernelCall): TensorName | undefined {
  let best: TensorName | undefined;
  for (const tensor of Object.values(inputs)) {
    const name = tensor && nameOf(tensor);
    if (name && (!best || order[name.kind] < order[best.kind])) best = name;
  }
  return best;
}

const order: Readonly<Record<TensorName["kind"], number>> = { parameter: 0, activation: 1, from: 2 };

function explain(call: KernelCall, bad: Bad, output: number | undefined): NumericsError {
  const inputs = Object.entries(call.inputs).flatMap(([argument, tensor]): CheckedInput[] => {
    if (!tensor) return [];
    const { dtype, shape } = tensor;
    const name = nameOf(tensor);
    return [{ argument, dtype, shape, bad: firstBad(call.backend, tensor)?.value ?? null, ...(name && { name }) }];
  });
  const culprit = inputs.find((input) => input.bad !== null && input.name);
  const place = culprit?.name ?? originOf(call);
  return new NumericsError({
    op: call.name,
    within: running.at(-1) ?? null,
    inputs,
    path: place?.name ?? null,
    step: stepNow() ?? null,
    ...bad,
    ...(output !== undefined && { output }),
  });
}
