/** The vectors α_g and β_g: how much of the Meta-State and of the state's read reaches the token. */
import type { SseParameterDefinition } from "./variant.js";

/** With 0 the layer would start as RWKV-7 and learn to use the state late: measured worse than 0.5. */
export const gain = { shape: "headChannels", initial: 0.5 } satisfies SseParameterDefinition;
