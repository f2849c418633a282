/**
 * What the CUDA addon offers to TypeScript, area by area: an interface for each `cuda/node/<area>_binding.cpp`. Not for
 * users. Tensors are addresses; the addon checks that each is one and holds as many values as the sizes want, and throws.
 */
import type { CoreBinding } from "./core-binding.js";
import type { OpsBinding } from "./ops-binding.js";
import type { PlatformTestsBinding } from "./platform-tests-binding.js";
import type { ProductsBinding } from "./products-binding.js";
import type { TfjsBinding } from "./tfjs-binding.js";

/** Raised with every change of these interfaces, here and in `cuda/node/core_binding.cpp`. */
export const cudaInterfaceVersion = 7;

/** The addon. */
export interface CudaBinding extends CoreBinding, OpsBinding, PlatformTestsBinding, ProductsBinding, TfjsBinding {}
