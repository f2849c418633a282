/** Without the read of the WKV state: the token itself is written to the Meta-State. Cheaper by one read. */
import * as activations from "./activations.js";
import { gain } from "./gains.js";
import { SseVariant } from "./variant.js";

/**     o = M r, M written with x        z = x̂ + α_g ⊙ GN(o) */
export const meta = new SseVariant({
  name: "meta",
  description: "writes the token to a Meta-State and adds its read",
  parameters: { alpha_g: gain },
  metaState: true,
  neutralAtZero: true,
  activations: [activations.written, activations.memory, activations.remembered],
  apply({ x, parameters, normalise, toHeads, runMetaState, combine, tap }) {
    const { read, state } = runMetaState(tap("m", toHeads(x)));
    const o = tap("memory", read);
    return { z: combine(tap("remembered", normalise(o, parameters.alpha_g))), state };
  },
});
