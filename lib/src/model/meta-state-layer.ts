/** The Meta-State layer, which takes the place of RWKV-7's channel mixing. */
import type { Tensor2D, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core";

import { tokenShift } from "../ops/token-shift/token-shift.js";
import { runSse, type SseInputs } from "../sse/layer-context.js";
import type { ModelConfiguration } from "./configuration.js";
import { parameterTokens } from "./parameter-tokens.js";
import type { LayerRun } from "./tap.js";

/** What the layer needs besides the token: the states before the first token and time mixing's coefficients. */
export interface MetaStateInputs extends Omit<SseInputs, "shifted"> {
  /** the row before the first, `[B, C]` */
  readonly shift: Tensor2D;
}

/** The second half of a block: the residual stream after the layer. */
export interface ChangedStream {
  /** `[B, T, C]` */
  readonly stream: Tensor3D;
  /** the last row of what went in, layer-normalised, `[B, C]`: what the next token is shifted with */
  readonly shift: Tensor2D;
  /** M after the last token, where the variant carries one, `[B, Hs, N, N]` */
  readonly meta?: Tensor4D;
}

/**
 * Token shift, the SSE, and the token–parameter interaction.
 *
 * @returns the output `[B, T, C]`, to be added to the residual stream, and M after the last token
 */
export function metaStateLayer(
  configuration: ModelConfiguration,
  run: LayerRun,
  { shift, ...inputs }: MetaStateInputs,
): { output: Tensor3D; meta?: Tensor4D } {
  const [rawShifted] = tokenShift(inputs.x, shift, [run.parameter("ffn.x_k")]) as [Tensor3D];
  const shifted = run.tap("meta.shifted", rawShifted);
  const { z: rawZ, state } = runSse(configuration, run, { ...inputs, shifted });
  const z = run.tap("meta.z", rawZ);
  return { output: parameterTokens(configuration, run, shifted, z), ...(state && { meta: state }) };
}
