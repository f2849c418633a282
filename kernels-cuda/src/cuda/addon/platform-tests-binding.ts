import type { Address } from "./core-binding.js";

/** The declaration of `cuda/node/platform_tests_binding.cpp`. */
export interface PlatformTestsBinding {
  /** x and y float32 `[64 * blocks]`; the tests are those of `cuda/platform_tests/platform_tests.h`. */
  platformTest(test: number, blocks: number, x: Address, y: Address): void;
}
