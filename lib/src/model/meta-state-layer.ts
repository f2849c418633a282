/** The Meta-State layer, which takes the place of RWKV-7's channel mixing. */
import type { Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";

import { tokenShift } from "../ops/token-shift/token-shift.js";
import { runSse, type SseInputs } from "../sse/layer-context.js";
import type { SseStates } from "../sse/variant.js";
import type { ModelConfiguration } from "./configuration.js";
import { parameterTokens } from "./parameter-tokens.js";
import type { LayerRun } from "./tap.js";

/** What the layer needs besides the token: the states before the first token and time mixing's coefficients. */
export type MetaStateInputs = Omit<SseInputs, "shifted">;

/** The second half of a block: the residual stream after the layer. */
export interface ChangedStream {
  /** `[B, T, C]` */
  readonly stream: Tensor3D;
  /** the last row of what went in, layer-normalised, `[B, C]`: what the next token is shifted with */
  readonly shift: Tensor2D;
  /** what the variant carries, after the last token */
  readonly after: SseStates;
}

/**
 * Token shift, the SSE, and the token–parameter interaction.
 *
 * @returns the output `[B, T, C]`, to be added to the residual stream, and what the variant carries, after the last token
 */
export function metaStateLayer(
  configuration: ModelConfiguration,
  run: LayerRun,
  inputs: MetaStateInputs,
): { output: Tensor3D; after: SseStates } {
  const [rawShifted] = tokenShift(inputs.x, inputs.before.ffnShift, [run.parameter("ffn.x_k")]) as [Tensor3D];
  const shifted = run.tap("meta.shifted", rawShifted);
  const { z: rawZ, after } = runSse(configuration, run, { ...inputs, shifted });
  const z = run.tap("meta.z", rawZ);
  return { output: parameterTokens(configuration, run, shifted, z), after };
}
