/** How the GPU computes matrix products: chosen for the process, since kernels are registered for it. */
import type { Precision } from "../engine-controls.js";

/** In the order of `Precision` in `cuda/products/product.h`. */
const precisions: readonly Precision[] = ["float32", "tf32", "bfloat16"];

let current: Precision = "float32";

/** The choice as the engine tells and takes it. Sums are float32 in all of them. */
export const cudaPrecision = {
  choices: precisions,
  get: (): Precision => current,
  /** @throws RangeError for a precision that there is none of */
  set(precision: Precision): void {
    if (!precisions.includes(precision)) {
      throw new RangeError(`precision "${String(precision)}" is unknown, wanted one of ${precisions.join(", ")}`);
    }
    current = precision;
  },
};

/** The number of the precision in use, as the addon takes it. */
export function precisionNumber(): number {
  return precisions.indexOf(current);
}
