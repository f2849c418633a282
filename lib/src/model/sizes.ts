/** Sizes that follow from a configuration. */
import type { ModelConfiguration } from "./configuration.js";

/** A: the width inside time mixing, heads × headSize. */
export function attentionWidth({ heads, headSize }: ModelConfiguration): number {
  return heads * headSize;
}

/** The number of heads that carry the SSE: round(ρ H), at least one. */
export function sseHeads({ heads, rho }: ModelConfiguration): number {
  return Math.max(1, Math.round(rho * heads));
}

/** Whether it is RWKV-7 as published: no SSE, and none of the options that change what it computes. */
export function isPublishedRwkv7({ sse, aScale, activation, learnedState }: ModelConfiguration): boolean {
  return sse === "none" && aScale === 1 && activation === "squaredRelu" && !learnedState;
}
