/** The default: the token is read by the WKV state, then written to and read from the Meta-State. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import * as activations from "./activations.js";
import type { SseVariant } from "./context.js";
import { alphaG, betaG } from "./gains.js";

/**
 *     u = S x̂        m = x + β_g ⊙ GN(u)        o = M r, M written with m
 *     z = x̂ + β_g ⊙ GN(u) + α_g ⊙ GN(o)
 */
export const sse: SseVariant = {
  name: "sse",
  description: "reads the WKV state with the token, writes the result to a Meta-State, adds both reads",
  parameters: [alphaG, betaG],
  metaState: true,
  activations: [activations.read, activations.seen, activations.written, activations.memory, activations.remembered],
  apply(context) {
    const u = context.tap("read", context.readState(context.toHeads(context.shifted)));
    const seen = context.tap("seen", context.normalise(u, context.parameter("beta_g")));
    // What the token becomes under the state; heads take their slice of x, to which their own read is added.
    const m: Tensor4D = context.tap("m", tf.add(context.toHeads(context.x), seen));
    const { read, state } = context.runMetaState(m);
    const o = context.tap("memory", read);
    const remembered = context.tap("remembered", context.normalise(o, context.parameter("alpha_g")));
    const both: Tensor4D = tf.add(seen, remembered);
    const z: Tensor3D = tf.add(context.shifted, context.toChannels(both));
    return { z, state };
  },
};
