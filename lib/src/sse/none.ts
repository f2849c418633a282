/** RWKV-7's channel mixing, unchanged: the state is not used. */
import { SseVariant } from "./variant.js";

/**     z = x̂ */
export const none = new SseVariant({
  name: "none",
  description: "RWKV-7: channel mixing does not see the state",
  neutralAtZero: true,
  apply: ({ shifted }) => shifted,
});
