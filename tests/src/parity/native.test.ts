/** The library against PyTorch, with the native ops. Skipped where they are not built, which in CI is a failure. */
import assert from "node:assert/strict";
import test from "node:test";

import { loadAddon, nativeKernels } from "@metastate/kernels-cuda";
import * as ms from "metastate";

import { parityTests } from "./parity.js";

const addon = loadAddon();
const required = process.env["CI"] || process.env["METASTATE_REQUIRE_NATIVE"];

if ("binding" in addon || required) {
  parityTests("native ops", async () => {
    ms.registerKernels(nativeKernels);
    const { kernels } = await ms.startEngine({ log: () => {} });
    assert.ok(
      kernels.some(({ names }) => names.includes("Wkv7")),
      "the native ops are in use",
    );
  });
} else {
  test("the native ops", { skip: `${addon.reason}; ${addon.remedy}` }, () => {});
}
