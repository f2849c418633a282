/** What gives each axis of each parameter its size, so that growth knows which axes get longer, and where the old values go. */
import type { ModelConfiguration } from "../model/configuration.js";
import type { SseAxis } from "../sse/axes.js";

/**
 * A size of the model that an axis follows. `inner` is the width inside time mixing (heads × head size), `sseInner` the same of
 * the heads that carry the SSE; `decay` to `gate` are the ranks of the low-rank parts.
 */
export type Axis =
  | "vocabSize"
  | "width"
  | "parameterTokens"
  | "heads"
  | "headSize"
  | "inner"
  | "sseHeads"
  | "sseInner"
  | "groups"
  | "decay"
  | "rate"
  | "value"
  | "gate"
  | "fixed";

const vector = (axis: Axis): readonly Axis[] => ["fixed", "fixed", axis];

/** By the name's part after `blocks.0.`; the Meta-State layer's own are the variant's business. */
const axesInBlock: readonly (readonly [pattern: RegExp, axes: readonly Axis[]])[] = [
  [/^ln\d\.(weight|bias)$/, ["width"]],
  [/^(att\.x_.|ffn\.x_k)$/, vector("width")],
  [/^att\.([wav]0|k_k|k_a)$/, vector("inner")],
  [/^att\.w1$/, ["width", "decay"]],
  [/^att\.w2$/, ["decay", "inner"]],
  [/^att\.a1$/, ["width", "rate"]],
  [/^att\.a2$/, ["rate", "inner"]],
  [/^att\.v1$/, ["width", "value"]],
  [/^att\.v2$/, ["value", "inner"]],
  [/^att\.g1$/, ["width", "gate"]],
  [/^att\.g2$/, ["gate", "inner"]],
  [/^att\.r_k$/, ["heads", "headSize"]],
  [/^att\.(receptance|key|value)\.weight$/, ["inner", "width"]],
  [/^att\.output\.weight$/, ["width", "inner"]],
  [/^att\.ln_x\.(weight|bias)$/, ["inner"]],
  [/^att\.time_state$/, ["heads", "headSize", "headSize"]],
  [/^ffn\.key\.weight$/, ["parameterTokens", "width"]],
  [/^ffn\.value\.weight$/, ["width", "parameterTokens"]],
  [/^meta\.time_state$/, ["sseHeads", "headSize", "headSize"]],
];

/** The part of a parameter's name after `blocks.3.`; the whole name outside blocks. */
export function nameInBlock(name: string): string {
  return name.replace(/^blocks\.\d+\./, "");
}

/** The axes of a parameter that every variant has; undefined for one of the SSE's own. */
export function parameterAxes(name: string): readonly Axis[] | undefined {
  if (name === "emb.weight" || name === "head.weight") return ["vocabSize", "width"];
  if (name.startsWith("ln_out.")) return ["width"];
  const inBlock = nameInBlock(name);
  return axesInBlock.find(([pattern]) => pattern.test(inBlock))?.[1];
}

/** What an axis of a variant's own parameter follows, in the words of growth. */
export function variantAxis(axis: SseAxis): Axis {
  switch (axis) {
    case "headChannels":
      return "sseInner";
    case "heads":
      return "sseHeads";
    default:
      return typeof axis === "string" ? axis : "fixed";
  }
}

/**
 * Where an axis's old elements lie in the longer one: at its beginning, and, when heads get more channels, at the beginning
 * of each head.
 */
export function keptPlaces(axis: Axis, count: number, from: ModelConfiguration, to: ModelConfiguration): number[] {
  const byHead = axis === "inner" || axis === "sseInner";
  return Array.from({ length: count }, (_, i) =>
    byHead ? Math.floor(i / from.headSize) * to.headSize + (i % from.headSize) : i,
  );
}
