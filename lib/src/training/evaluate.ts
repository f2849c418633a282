/** The loss of a model on data it does not learn from. */
import * as tf from "@tensorflow/tfjs-core";

import type { TokenIds } from "../tokenizers/tokenizer.js";
import type { LanguageModel } from "../model/model.js";
import { crossEntropy } from "../ops/cross-entropy/cross-entropy.js";

/** How {@link evaluate} cuts the data. */
export interface EvaluateOptions {
  /** T: tokens a sequence; each starts from an empty state */
  length?: number;
  /** B: sequences at once */
  batchSize?: number;
  /** at most so many tokens, in sequences spread evenly over the data; all when left out */
  tokens?: number;
  /** stops between batches */
  signal?: AbortSignal;
}

/** A loss and how much it was measured on. */
export interface Evaluation {
  /** mean cross-entropy, nats a token */
  readonly loss: number;
  /** bits a token: of a byte tokenizer, bits per byte */
  readonly bits: number;
  /** e^loss */
  readonly perplexity: number;
  /** tokens predicted */
  readonly tokens: number;
}

/**
 * Cuts the data into sequences without overlap and averages the loss over all their tokens. Yields to the event loop
 * after each batch.
 *
 * @throws RangeError when the data are too short for one sequence
 */
export async function evaluate(
  model: LanguageModel,
  data: TokenIds,
  { length = 128, batchSize = 8, tokens = Infinity, signal }: EvaluateOptions = {},
): Promise<Evaluation> {
  const available = Math.floor((data.length - 1) / length);
  if (available < 1) {
    throw new RangeError(`evaluate: ${data.length} tokens, wanted at least ${length + 1}: pass a smaller length`);
  }
  const count = Math.max(1, Math.min(available, Math.floor(tokens / length)));
  let total = 0;
  for (let first = 0; first < count; first += batchSize) {
    signal?.throwIfAborted();
    const rows = Math.min(batchSize, count - first);
    const starts = Array.from({ length: rows }, (_, i) => Math.floor(((first + i) * available) / count) * length);
    total += rows * batchLoss(model, data, starts, length);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const loss = total / count;
  return { loss, bits: loss / Math.LN2, perplexity: Math.exp(loss), tokens: count * length };
}

function batchLoss(model: LanguageModel, data: TokenIds, starts: readonly number[], length: number): number {
  const inputs = new Int32Array(starts.length * length);
  const targets = new Int32Array(starts.length * length);
  starts.forEach((start, row) => {
    for (let t = 0; t < length; t++) {
      inputs[row * length + t] = data[start + t]!;
      targets[row * length + t] = data[start + t + 1]!;
    }
  });
  const shape = [starts.length, length] as const;
  const loss = tf.tidy(() => {
    const { logits } = model.forward({ data: inputs, shape });
    return crossEntropy(logits, tf.tensor2d(targets, [...shape], "int32"));
  });
  const [value] = loss.dataSync<"float32">();
  loss.dispose();
  return value!;
}
