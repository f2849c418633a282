/**
 * `Linear` and `LinearGrad`, products with a parameter: y = x Wᵀ for layout `outIn`, W `[out, in]`; y = x W for `inOut`,
 * W `[in, out]`; x `[…, in]`.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { type NativeBodies } from "./native-kernel.js";
import { sizeOf } from "./shapes.js";

/** Rows of x as a matrix, and both widths; throws on a weight that does not fit. */
export function linearSizes(
  x: TensorInfo,
  weight: TensorInfo,
  layout: unknown,
): { rows: number; from: number; to: number } {
  const outIn = layout === "outIn";
  const [to, from] = outIn ? weight.shape : [weight.shape[1], weight.shape[0]];
  if (weight.shape.length !== 2 || from === undefined || to === undefined || x.shape.at(-1) !== from) {
    throw new RangeError(
      `Linear: x [${x.shape.join(", ")}] has no product with weight [${weight.shape.join(", ")}], layout ${String(layout)}`,
    );
  }
  return { rows: sizeOf(x.shape) / from, from, to };
}

export const linearKernels: NativeBodies = {
  Linear(binding, backend, { x, weight }, { layout }) {
    const { rows, from, to } = linearSizes(x!, weight!, layout);
    const y = backend.makeFloats([...x!.shape.slice(0, -1), to]);
    binding.matMul(1, rows, to, from, false, layout === "outIn", backend.floats(x!), backend.floats(weight!), y.floats);
    return [y.info];
  },

  LinearGrad(binding, backend, { x, weight, dy }, { layout }) {
    const { rows, from, to } = linearSizes(x!, weight!, layout);
    const outIn = layout === "outIn";
    const dx = backend.makeFloats(x!.shape);
    const dweight = backend.makeFloats(weight!.shape);
    const values = backend.floats(x!);
    const gradient = backend.floats(dy!);
    binding.matMul(1, rows, from, to, false, !outIn, gradient, backend.floats(weight!), dx.floats);
    const [left, right] = outIn ? [gradient, values] : [values, gradient];
    const [high, wide] = outIn ? [to, from] : [from, to];
    binding.matMul(1, high, wide, rows, true, false, left, right, dweight.floats);
    return [dx.info, dweight.info];
  },
};
