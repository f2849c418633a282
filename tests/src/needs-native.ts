/** Whether the native addon is there for the tests to use; in CI one that is missing is a failure. */
import test from "node:test";

import { loadAddon } from "@metastate/kernels-cuda";

/** Defines the tests, or where the addon is not built a skipped one in their place. */
export function whereNative(define: () => void): void {
  const addon = loadAddon();
  if ("binding" in addon || process.env["CI"] || process.env["METASTATE_REQUIRE_NATIVE"]) define();
  else void test("the native addon", { skip: `${addon.reason}; ${addon.remedy}` }, () => {});
}
