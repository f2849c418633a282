/** The library against PyTorch, on tfjs's own `cpu` backend. */
import * as ms from "metastate";

import { parityTests } from "./parity.js";

parityTests("cpu", async () => {
  await ms.startEngine({ backend: "cpu", log: () => {} });
});
