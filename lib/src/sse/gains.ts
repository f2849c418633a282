/** The vectors α_g and β_g: how much of the Meta-State and of the state's read reaches the token. */
import { sseHeads, type ModelConfiguration } from "../model/configuration.js";
import type { SseParameter } from "./context.js";

const shape = (configuration: ModelConfiguration): readonly number[] => [
  sseHeads(configuration) * configuration.headSize,
];

/** With 0 the layer would start as RWKV-7 and learn to use the state late: measured worse than 0.5. */
const initial = 0.5;

/** α_g, on the read of the Meta-State (in `readout`, of the WKV state). */
export const alphaG: SseParameter = { name: "alpha_g", shape, initial };

/** β_g, on the read of the WKV state. */
export const betaG: SseParameter = { name: "beta_g", shape, initial };
