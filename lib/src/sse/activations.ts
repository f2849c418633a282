/** What the shipped variants tap, by the names of META_STATE's equations. */
import type { ActivationDescription } from "../model/activation-names.js";

const shape = "[B, T, Hs, N]";

/** u: what the WKV state makes of the token. */
export const read: ActivationDescription = {
  name: "read",
  shape,
  description: "u = S x̂: the SSE's read of the WKV state",
};

/** The read as it is added. */
export const seen: ActivationDescription = {
  name: "seen",
  shape,
  description: "the read, normalised per head, times its gain",
};

/** What is written to the Meta-State. */
export const written: ActivationDescription = { name: "m", shape, description: "m: what is written to the Meta-State" };

/** o: the Meta-State's read. */
export const memory: ActivationDescription = {
  name: "memory",
  shape,
  description: "o = M r: the read of the Meta-State",
};

/** The Meta-State's read as it is added. */
export const remembered: ActivationDescription = {
  name: "remembered",
  shape,
  description: "the Meta-State's read, normalised per head, times its gain",
};
