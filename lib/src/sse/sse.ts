/** The default: the token is read by the WKV state, then written to and read from the Meta-State. */
import * as tf from "@tensorflow/tfjs-core";

import * as activations from "./activations.js";
import { gain } from "./gains.js";
import { SseVariant } from "./variant.js";

/**
 *     u = S x̂        m = x + β_g ⊙ GN(u)        o = M r, M written with m
 *     z = x̂ + β_g ⊙ GN(u) + α_g ⊙ GN(o)
 */
export const sse = new SseVariant({
  name: "sse",
  description: "reads the WKV state with the token, writes the result to a Meta-State, adds both reads",
  parameters: { alpha_g: gain, beta_g: gain },
  metaState: true,
  neutralAtZero: true,
  activations: [activations.read, activations.seen, activations.written, activations.memory, activations.remembered],
  apply({
    x,
    queries,
    parameters,
    readState,
    normalise,
    toHeads,
    runMetaState,
    runBothStates,
    combine,
    tap,
    isTapped,
  }) {
    if (!isTapped) {
      // The same in one op, where nobody looks inside.
      const { added, state } = runBothStates(parameters.beta_g!, parameters.alpha_g!);
      return { z: combine(added), state };
    }
    const u = tap("read", readState(queries));
    const seen = tap("seen", normalise(u, parameters.beta_g));
    // What the token becomes under the state; heads take their slice of x, to which their own read is added.
    const m = tap("m", tf.add(toHeads(x), seen));
    const { read, state } = runMetaState(m);
    const o = tap("memory", read);
    const remembered = tap("remembered", normalise(o, parameters.alpha_g));
    return { z: combine(tf.add(seen, remembered)), state };
  },
});
