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
  return learningRates.flatMap((learningRate, i): TensorInfo[] => {
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
    const after = [parameter, moment1, moment2].map((tensor) => backend.successor(tensor));
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
      after[0]!.floats,
      after[1]!.floats,
      after[2]!.floats,
    );
    return after.map(({ info }) => info);
  });
};
