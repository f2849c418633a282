/** The library against PyTorch, on tfjs's `wasm` backend with the native ops. Skipped where they are not built. */
import assert from "node:assert/strict";

import { nativeKernels } from "@metastate/kernels-cuda";
import * as ms from "metastate";

import { whereNative } from "../needs-native.js";
import { parityTests } from "./parity.js";

whereNative(() =>
  parityTests("wasm with native ops", async () => {
    ms.registerKernels(nativeKernels);
    const { kernels } = await ms.startEngine({ backend: "wasm", log: () => {} });
    assert.ok(
      kernels.some(({ names }) => names.includes("Wkv7")),
      "the native ops are in use",
    );
  }),
);
