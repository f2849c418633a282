/** Without the read of the WKV state: the token itself is written to the Meta-State. Cheaper by one read. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor3D } from "@tensorflow/tfjs-core";

import * as activations from "./activations.js";
import type { SseVariant } from "./context.js";
import { alphaG } from "./gains.js";

/**     o = M r, M written with x        z = x̂ + α_g ⊙ GN(o) */
export const meta: SseVariant = {
  name: "meta",
  description: "writes the token to a Meta-State and adds its read",
  parameters: [alphaG],
  metaState: true,
  activations: [activations.written, activations.memory, activations.remembered],
  apply(context) {
    const { read, state } = context.runMetaState(context.tap("m", context.toHeads(context.x)));
    const o = context.tap("memory", read);
    const remembered = context.tap("remembered", context.normalise(o, context.parameter("alpha_g")));
    const z: Tensor3D = tf.add(context.shifted, context.toChannels(remembered));
    return { z, state };
  },
};
