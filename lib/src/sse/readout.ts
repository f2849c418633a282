/** Only the read of the WKV state: no Meta-State, no extra state. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor3D } from "@tensorflow/tfjs-core";

import type { SseVariant } from "./context.js";
import { alphaG } from "./gains.js";

/**     z = x̂ + α_g ⊙ GN(S x̂) */
export const readout: SseVariant = {
  name: "readout",
  description: "adds the WKV state's read of the token",
  parameters: [alphaG],
  metaState: false,
  apply(context) {
    const u = context.readState(context.toHeads(context.shifted));
    const seen = context.normalise(u, context.parameter("alpha_g"));
    const z: Tensor3D = tf.add(context.shifted, context.toChannels(seen));
    return { z };
  },
};
