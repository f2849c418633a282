/** The token–parameter interaction: a token meets the layer's parameter tokens, rows of K_P and V_P. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor3D } from "@tensorflow/tfjs-core";

import { geluL2 } from "../ops/gelu-l2/gelu-l2.js";
import { groupWeights } from "../ops/group-weights/group-weights.js";
import { linear } from "../ops/linear/linear.js";
import { squaredRelu } from "../ops/squared-relu/squared-relu.js";
import type { Mixture, ModelConfiguration } from "./configuration.js";
import type { LayerRun } from "./tap.js";

/** The length of `geluL2`'s result: TokenFormer's √n at the default n = 4C, and the same when n grows. */
function geluL2Scale({ width }: ModelConfiguration): number {
  return 2 * Math.sqrt(width);
}

/**
 *     V_Pᵀ (g ⊙ activation(K_P z)),   g_i = 2σ(R (z − x̂))_{i mod G} with a mixture, else 1
 *
 * @param shifted x̂, `[B, T, C]`
 * @param z the token as the SSE made it, `[B, T, C]`
 * @returns `[B, T, C]`
 */
export function parameterTokens(
  configuration: ModelConfiguration,
  run: LayerRun,
  shifted: Tensor3D,
  z: Tensor3D,
): Tensor3D {
  const { activation, mixture } = configuration;
  const product = linear(z, run.parameter("ffn.key.weight"));
  const activated = activation === "squaredRelu" ? squaredRelu(product) : geluL2(product, geluL2Scale(configuration));
  const weighted = mixture ? weigh(mixture, run, activated, tf.sub(z, shifted)) : activated;
  return run.tap("ffn.out", linear(run.tap("ffn.hidden", weighted), run.parameter("ffn.value.weight")));
}

/** Each group of parameter tokens times what the token's change under the state calls for. */
function weigh({ groups, topK }: Mixture, run: LayerRun, activated: Tensor3D, change: Tensor3D): Tensor3D {
  const [batch, time, tokens] = activated.shape;
  const logits = linear(change, run.parameter("meta.router.weight"));
  const weights = run.tap("meta.groups", groupWeights(logits, topK));
  const byGroup = tf.reshape(activated, [batch, time, tokens / groups, groups]);
  return tf.reshape(tf.mul(byGroup, tf.reshape(weights, [batch, time, 1, groups])), activated.shape);
}
