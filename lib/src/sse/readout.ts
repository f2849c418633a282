/** Only the read of the WKV state: no Meta-State, no extra state. */
import * as activations from "./activations.js";
import { gain } from "./gains.js";
import { SseVariant } from "./variant.js";

/**     z = x̂ + α_g ⊙ GN(S x̂) */
export const readout = new SseVariant({
  name: "readout",
  description: "adds the WKV state's read of the token",
  parameters: { alpha_g: gain },
  neutralAtZero: true,
  activations: [activations.read, activations.seen],
  apply({ queries, parameters, readState, normalise, combine, tap }) {
    const u = tap("read", readState(queries));
    return combine(tap("seen", normalise(u, parameters.alpha_g)));
  },
});
