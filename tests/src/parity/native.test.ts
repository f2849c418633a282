/** The library against PyTorch, on the `native` engine. Skipped where it is not built. */
import { nativeEngine, nativeKernels } from "@metastate/kernels-cuda";
import * as ms from "metastate";

import { whereNative } from "../needs-native.js";
import { parityTests } from "./parity.js";

whereNative(() =>
  parityTests("native", async () => {
    ms.registerEngine(nativeEngine);
    ms.registerKernels(nativeKernels);
    await ms.startEngine({ backend: "native", log: () => {} });
  }),
);
