/** RWKV-7's channel mixing, unchanged: the state is not used. */
import type { SseVariant } from "./context.js";

/**     z = x̂ */
export const none: SseVariant = {
  name: "none",
  description: "RWKV-7: channel mixing does not see the state",
  parameters: [],
  metaState: false,
  apply: (context) => ({ z: context.shifted }),
};
