import type { Address } from "./core-binding.js";

/** Matrix products: the declaration of `cuda/node/products_binding.cpp`. */
export interface ProductsBinding {
  /**
   * c `[batch, m, n]` = activation(op(a) op(b) + bias). Precisions and activations are numbered in
   * `cuda/products/product.h`; batch is axes with the strides of a and of b, in matrices.
   *
   * @returns once, at the first product that cuBLASLt could not compute: which and why
   */
  matMul(
    precision: number,
    m: number,
    n: number,
    k: number,
    transposeA: boolean,
    transposeB: boolean,
    batch: Int32Array,
    a: Address,
    b: Address,
    c: Address,
    bias: Address | null,
    activation: number,
    alpha: number,
  ): string | undefined;
  /** Takes the cuBLASLt at this path in use, or with "" none; its version. Throws why it cannot be. */
  useCublas(path: string): string;
}
