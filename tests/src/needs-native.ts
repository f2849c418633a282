/** Whether the native addon is there for the tests to use; in CI one that is missing is a failure. */
import test from "node:test";

import { loadAddon, loadCudaAddon } from "@metastate/kernels-cuda";

/** Defines the tests, or where the addon is not built a skipped one in their place. */
export function whereNative(define: () => void): void {
  const addon = loadAddon();
  if ("binding" in addon || process.env["CI"] || process.env["METASTATE_REQUIRE_NATIVE"]) define();
  else void test("the native addon", { skip: `${addon.reason}; ${addon.remedy}` }, () => {});
}

/** The same for CUDA code: on the GPU where METASTATE_TEST_GPU=1, under the emulator otherwise. */
export function whereCuda(define: (engine: "cuda" | "cuda-emulated") => void): void {
  const emulated = process.env["METASTATE_TEST_GPU"] !== "1";
  const addon = loadCudaAddon({ emulated });
  const isWanted = !emulated || process.env["CI"] || process.env["METASTATE_REQUIRE_NATIVE"];
  if ("binding" in addon || isWanted) define(emulated ? "cuda-emulated" : "cuda");
  else void test("the CUDA addon under the emulator", { skip: `${addon.reason}; ${addon.remedy}` }, () => {});
}
