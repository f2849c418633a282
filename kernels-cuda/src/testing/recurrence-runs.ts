/**
 * For tests: runs the recurrences of the CUDA addon on float64 cases. Memory given out is full of NaNs (`cuda()` sees to it), so
 * that what a kernel leaves unwritten is seen, and all of it is given back.
 */
import type { CudaBinding } from "../cuda/addon/binding.js";
import type { RecurrenceForm } from "../cuda/addon/ops-binding.js";
import { metaGradientNames, metaOperandNames, type MetaPassCase, type MetaPassShape } from "./meta-pass-reference.js";
import { gradientNames, stepNames, type Wkv7Case, type Wkv7Shape } from "./wkv7-reference.js";
import { checkpointLength, sizesOf } from "./wkv7-runs.js";

/** Tensors on the GPU until {@link DeviceTensors.end}. */
class DeviceTensors {
  readonly #addon: CudaBinding;
  readonly #given: number[] = [];

  constructor(addon: CudaBinding) {
    this.#addon = addon;
  }

  make(length: number): number {
    const address = this.#addon.allocate(4 * length);
    this.#given.push(address);
    return address;
  }

  of(values: ArrayLike<number>): number {
    const address = this.make(values.length);
    this.#addon.upload(address, Float32Array.from(values));
    return address;
  }

  read(address: number, length: number): Float32Array {
    const values = new Float32Array(length);
    this.#addon.download(address, values);
    return values;
  }

  end(): void {
    for (const address of this.#given) this.#addon.free(address);
  }
}

/** Calls `body` with tensors that end with it. */
function withTensors<T>(addon: CudaBinding, body: (tensors: DeviceTensors) => T): T {
  const tensors = new DeviceTensors(addon);
  try {
    return body(tensors);
  } finally {
    tensors.end();
  }
}

/** y, finalState and checkpoints (empty without an interval). */
export function cudaForward(addon: CudaBinding, shape: Wkv7Shape, c: Wkv7Case, form: RecurrenceForm) {
  return withTensors(addon, (tensors) => {
    const steps = stepNames.map((name) => tensors.of(c[name]));
    const kept = checkpointLength(shape);
    const [y, finalState] = [tensors.make(c.r.length), tensors.make(c.state.length)];
    const checkpoints = kept > 0 ? tensors.make(kept) : null;
    const state = tensors.of(c.state);
    addon.wkv7(...sizesOf(shape), ...steps, state, y, finalState, checkpoints, form);
    return {
      y: tensors.read(y, c.r.length),
      finalState: tensors.read(finalState, c.state.length),
      checkpoints: checkpoints === null ? new Float32Array(0) : tensors.read(checkpoints, kept),
    };
  });
}

/** The gradients by name. */
export function cudaBackward(
  addon: CudaBinding,
  shape: Wkv7Shape,
  c: Wkv7Case,
  checkpoints: Float32Array,
  form: RecurrenceForm,
) {
  return withTensors(addon, (tensors) => {
    const steps = stepNames.map((name) => tensors.of(c[name]));
    const lengths = gradientNames.map((name) => (name === "dState" ? c.state.length : c.r.length));
    const gradients = lengths.map((length) => tensors.make(length));
    const [kept, dy, dFinalState] = [tensors.of(checkpoints), tensors.of(c.dy), tensors.of(c.dFinalState)];
    addon.wkv7Grad(...sizesOf(shape), ...steps, kept, dy, dFinalState, ...gradients, form);
    return byName(gradientNames, (i) => tensors.read(gradients[i]!, lengths[i]!));
  });
}

/** The outputs of the Meta-State pass by name (what is only kept for the gradient is empty without an interval). */
export function cudaMetaForward(addon: CudaBinding, shape: MetaPassShape, c: MetaPassCase, channels?: number) {
  return withTensors(addon, (tensors) => {
    const kept = shape.checkpointInterval > 0 ? c.r.length : 0;
    const lengths = [c.r.length, c.meta.length, kept, kept, checkpointLength(shape), checkpointLength(shape)];
    const operands = metaOperandNames.map((name) => tensors.of(c[name]));
    const outputs = lengths.map((length) => (length > 0 ? tensors.make(length) : null));
    addon.metaPass(...sizesOf(shape), shape.epsilon, ...operands, ...outputs, channels);
    return byName(metaOutputNames, (i) => {
      const address = outputs[i] ?? null;
      return address === null ? new Float32Array(0) : tensors.read(address, lengths[i]!);
    });
  });
}

export const metaOutputNames = ["added", "metaAfter", "u", "o", "wkvCheckpoints", "metaCheckpoints"] as const;

/** The gradients of the Meta-State pass by name, from what its forward pass kept. */
export function cudaMetaBackward(
  addon: CudaBinding,
  shape: MetaPassShape,
  c: MetaPassCase,
  kept: Record<"u" | "o" | "wkvCheckpoints" | "metaCheckpoints", Float32Array>,
) {
  return withTensors(addon, (tensors) => {
    const operands = metaOperandNames.slice(0, 10).map((name) => tensors.of(c[name]));
    const saved = [kept.u, kept.o, kept.wkvCheckpoints, kept.metaCheckpoints, c.dAdded, c.dMetaAfter].map((values) =>
      tensors.of(values),
    );
    const lengths = metaOperandNames.map((name) => c[name].length);
    const gradients = lengths.map((length) => tensors.make(length));
    addon.metaPassGrad(...sizesOf(shape), shape.epsilon, ...operands, ...saved, ...gradients);
    return byName(metaGradientNames, (i) => tensors.read(gradients[i]!, lengths[i]!));
  });
}

function byName<Name extends string>(
  names: readonly Name[],
  value: (index: number) => Float32Array,
): Record<Name, Float32Array> {
  return Object.fromEntries(names.map((name, i) => [name, value(i)])) as Record<Name, Float32Array>;
}
