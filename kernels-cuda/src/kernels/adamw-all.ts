/**
 * The library's optional kernel of a whole step of AdamW, whose inputs and attributes stand with its `adamWAllName`: one call
 * of tfjs for all parameters, and new values where the old ones lie when nobody else holds those. A step then needs no memory
 * for a second copy of the model, and writes to what it has just read.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type NativeBody } from "./native-kernel.js";
import { sizeOf } from "./shapes.js";

export const adamWAll: NativeBody = (binding, backend, inputs, attributes) => {
  const numbers = attributes as Record<"beta1" | "beta2" | "epsilon" | "step" | "clip", number>;
  const { learningRates, weightDecays } = attributes as Record<"learningRates" | "weightDecays", number[]>;
  const norm = backend.floats(inputs["norm"]!);
  const results: TensorInfo[] = [];
  /** Tensors whose own place is that of their successors, which hold them too. */
  const held: TensorInfo[] = [];
  const successor = (tensor: TensorInfo): Float32Array => {
    const { info, floats } = backend.successor(tensor);
    if (info.dataId === tensor.dataId) held.push(tensor);
    results.push(info);
    return floats;
  };
  try {
    learningRates.forEach((learningRate, i) => {
      const [parameter, gradient, moment1, moment2] = ["parameter", "gradient", "moment1_", "moment2_"].map(
        (name) => inputs[`${name}${i}`]!,
      ) as [TensorInfo, TensorInfo, TensorInfo, TensorInfo];
      // Read before the successors are asked for: each then holds its tensor too.
      const before = [parameter, gradient, moment1, moment2].map((tensor) => backend.floats(tensor)) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      binding.adamW(
        sizeOf(parameter.shape),
        learningRate,
        numbers.beta1,
        numbers.beta2,
        numbers.epsilon,
        weightDecays[i]!,
        numbers.step,
        numbers.clip,
        norm,
        ...before,
        successor(parameter),
        successor(moment1),
        successor(moment2),
      );
    });
  } catch (error) {
    for (const { dataId } of held) backend.decRef(dataId);
    throw error;
  }
  return results;
};
