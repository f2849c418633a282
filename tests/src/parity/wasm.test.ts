/** The library against PyTorch, on tfjs's own `wasm` backend. */
import * as ms from "metastate";

import { parityTests } from "./parity.js";

parityTests("wasm", async () => {
  await ms.startEngine({ backend: "wasm", log: () => {} });
});
