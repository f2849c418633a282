/** What a state answers to a key: its read, and what that comes near to. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import { logProbabilities, type TokenLogProbability } from "../generation/log-probabilities.js";
import type { LanguageModel, SequenceState } from "../model/language-model.js";
import { ActivationValues } from "./activation-values.js";
import { hostMatrix, type MatrixInput } from "./matrix.js";
import { atPositions, cosine } from "./similarity.js";
import { lengthOf } from "./spectrum.js";

/** What `ms.statistics.probe` found. */
export interface ProbeResult {
  /** S k: what is retrieved, N value channels */
  readonly value: Float64Array;
  /** ‖S k‖ / ‖k‖: how strongly the state answers to this direction */
  readonly gain: number;
  /** the candidates, the most alike first */
  readonly nearest: readonly { readonly position: number; readonly cosine: number }[];
}

/**
 * Reads a head's state with a key: S k, what the head would retrieve for it. With `candidates`, the values that were
 * written at some positions (`trace.get("blocks.0.att.v").select({ row: 0, head: 1 })`), it tells which of them came back.
 *
 * @param state one head's matrix: rows are value channels, columns key channels
 * @param key N numbers, e.g. `trace.get("blocks.0.att.k").select({ row: 0, head: 1, position: 3 }).data`
 * @throws RangeError when sizes do not fit
 */
export function probe(
  state: MatrixInput,
  key: ArrayLike<number>,
  { candidates }: { candidates?: ActivationValues } = {},
): ProbeResult {
  const { rows, columns, values } = hostMatrix(state);
  if (key.length !== columns) throw new RangeError(`probe: the key has ${key.length} channels, the state ${columns}`);
  const value = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) value[i]! += values[i * columns + j]! * key[j]!;
  }
  const length = lengthOf(key);
  const nearest = candidates
    ? atPositions(candidates)
        .map((candidate, i) => ({ position: candidates.positions[i]!, cosine: cosine(value, candidate) }))
        .sort((a, b) => b.cosine - a.cosine)
    : [];
  return { value, gain: length === 0 ? 0 : lengthOf(value) / length, nearest };
}

/** Options of `ms.statistics.retrievedTokens`. */
export interface RetrievedTokensOptions {
  layer: number;
  head: number;
  /** how many tokens; default 10 */
  count?: number;
}

/**
 * The tokens that a value retrieved by a head speaks for, were it all there is: through its columns of the output
 * projection, the last layer normalisation and the head of the model. A lens, not a prediction: the norm, bonus and gate of
 * time mixing and all later layers are left out.
 *
 * @param value N value channels of the head, e.g. of `ms.statistics.probe`
 * @throws ConfigurationError when the model has no such projection, or layer or head are out of range
 */
export async function retrievedTokens<S extends SequenceState>(
  model: LanguageModel<S>,
  value: ArrayLike<number>,
  { layer, head, count = 10 }: RetrievedTokensOptions,
): Promise<TokenLogProbability[]> {
  const named = (name: string): Tensor => {
    const found = model.parameters.get(name);
    if (found) return found;
    throw new ConfigurationError(`retrievedTokens: the model has no parameter "${name}": is layer ${layer} there?`);
  };
  const projection = named(`blocks.${layer}.att.output.weight`);
  const [weight, bias, vocabulary] = ["ln_out.weight", "ln_out.bias", "head.weight"].map(named) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const size = value.length;
  const heads = projection.shape[1]! / size;
  if (!(Number.isInteger(head) && head >= 0 && head < heads)) {
    throw new ConfigurationError(
      `retrievedTokens: head is ${head}, wanted 0 to ${heads - 1} (heads of ${size} channels)`,
    );
  }
  const logits = tf.tidy(() => {
    const columns = tf.slice(projection, [0, head * size], [-1, size]);
    const written = tf.matMul(columns, tf.tensor2d(Float32Array.from(value), [size, 1]));
    const { mean, variance } = tf.moments(written);
    const normalised = tf.div(tf.sub(written, mean), tf.sqrt(tf.add(variance, 1e-5)));
    const column = (x: Tensor): Tensor => tf.reshape(x, written.shape);
    const seen = tf.add(tf.mul(normalised, column(weight)), column(bias));
    return tf.reshape(tf.matMul(vocabulary as tf.Tensor2D, seen as tf.Tensor2D), [-1]);
  });
  const values = await logits.data<"float32">();
  logits.dispose();
  return logProbabilities(new Float32Array(values), 0, count).mostLikely;
}
