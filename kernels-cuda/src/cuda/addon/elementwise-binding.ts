import type { Address } from "./core-binding.js";

/** The declaration of `cuda/node/elementwise_binding.cpp`. */
export interface ElementwiseBinding {
  /** y[i] = function(x[i]), both float32 `[count]`. */
  unary(functionIndex: number, count: number, x: Address, y: Address): void;
}
