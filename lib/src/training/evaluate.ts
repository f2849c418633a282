/** How well a model does on data it does not learn from. */
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar, Tensor } from "@tensorflow/tfjs-core";

import { expectModel, expectOptions, type OptionNames } from "../arguments.js";
import { batchOf, checkIntegers, expectBatch, expectBatches, type Batch, type BatchLike } from "../data/batch.js";
import { bytesPerToken, Corpus, passageOf, tokensOf } from "../data/corpus.js";
import { ConfigurationError } from "../errors.js";
import type { LanguageModel } from "../model/language-model.js";
import { tokenTensor } from "../model/tokens.js";
import type { TokenIds, Tokenizer } from "../tokenizers/tokenizer.js";
import { batchLoss, countedPositions } from "./loss.js";

/** Tokens or a corpus, which are cut into sequences; or batches as they are, of a task for instance. */
export type EvaluationData = TokenIds | Corpus | Iterable<BatchLike> | AsyncIterable<BatchLike>;

/** How {@link evaluate} goes through the data. */
export interface EvaluateOptions {
  /** T: tokens a sequence; each starts from an empty state. Default 128 */
  length?: number;
  /** B: sequences at once; default 8 */
  batchSize?: number;
  /** at most so many tokens, in sequences spread evenly over the data; all when left out */
  tokens?: number;
  /** of batches: how many are taken at most; default 8. The iterator is left where it is */
  batches?: number;
  /** of tokens: what they came from, for bits per byte; a corpus knows */
  tokenizer?: Tokenizer;
  /** stops between batches */
  signal?: AbortSignal;
}

const optionNames: OptionNames<EvaluateOptions> = {
  ...{ length: true, batchSize: true, tokens: true, batches: true, tokenizer: true, signal: true },
};

/** Means over all positions that count. */
export interface Evaluation {
  /** mean cross-entropy, nats a token */
  readonly loss: number;
  /** bits a token */
  readonly bits: number;
  /** e^loss */
  readonly perplexity: number;
  /** the portion of positions whose most likely token is the target */
  readonly accuracy: number;
  /** bits a token / bytes a token, which tokenizers can be compared by; of a corpus, or when the tokenizer was given */
  readonly bitsPerByte?: number;
  /** tokens predicted that count */
  readonly tokens: number;
}

/**
 * Measures a model. Tokens and a corpus are cut into sequences without overlap. Masks say what counts. Yields to the event
 * loop after each batch.
 *
 * @throws RangeError when the data are too short for one sequence, or hold no batch; ConfigurationError when a count makes
 *   no sense
 */
export async function evaluate(
  model: LanguageModel,
  data: EvaluationData,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  expectModel("evaluate", model);
  expectOptions("evaluate", options, optionNames);
  const { length = 128, batchSize = 8, tokens = Infinity, batches = 8, tokenizer, signal } = options;
  // A string is iterable too; the error says what makes tokens of it.
  if (typeof data === "string") tokensOf(data);
  const bytes =
    data instanceof Corpus
      ? data.bytesPerToken
      : isTokens(data) && tokenizer
        ? bytesPerToken(data, tokenizer)
        : undefined;
  const isText = data instanceof Corpus || isTokens(data);
  if (!isText) expectBatches("evaluate", data);
  const source = isText ? sequences(data, length, batchSize, tokens) : first(data, batches);
  let loss = 0;
  let correct = 0;
  let count = 0;
  for await (const batch of source) {
    signal?.throwIfAborted();
    const measured = await measure(model, batch);
    loss += measured.loss * measured.count;
    correct += measured.correct;
    count += measured.count;
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (count === 0) throw new RangeError("evaluate: there was no batch; the iterator has ended: make a new one");
  const mean = loss / count;
  const bits = mean / Math.LN2;
  return {
    loss: mean,
    bits,
    perplexity: Math.exp(mean),
    accuracy: correct / count,
    ...(bytes !== undefined && { bitsPerByte: bits / bytes }),
    tokens: count,
  };
}

function isTokens(data: EvaluationData): data is TokenIds {
  return ArrayBuffer.isView(data);
}

function* sequences(
  data: TokenIds | Corpus,
  length: number,
  batchSize: number,
  tokens: number,
): Generator<Batch, void> {
  checkIntegers("evaluate", { length, batchSize }, {});
  if (!(tokens >= 1)) throw new ConfigurationError(`evaluate: tokens is ${tokens}, wanted 1 or more`);
  const available = sequencesIn(data, length);
  const count = Math.max(1, Math.min(available, Math.floor(tokens / length)));
  for (let from = 0; from < count; from += batchSize) {
    const numbers = Array.from({ length: Math.min(batchSize, count - from) }, (_, i) => from + i);
    const rows = numbers.map((number) => passageOf(data, Math.floor((number * available) / count) * length, length));
    yield batchOf(rows);
  }
}

/**
 * How many sequences there are in tokens or a corpus, without overlap.
 *
 * @throws RangeError when they are too short for one
 */
function sequencesIn(data: TokenIds | Corpus, length: number): number {
  const { length: all } = tokensOf(data);
  const available = Math.floor((all - 1) / length);
  if (available >= 1) return available;
  throw new RangeError(`evaluate: ${all} tokens, wanted at least ${length + 1}: pass more, or a smaller length`);
}

/**
 * Throws unless there is something to evaluate, as far as that can be told without taking any of it.
 *
 * @throws RangeError as {@link evaluate}
 */
export function expectSequence(data: EvaluationData, length: number): void {
  if (data instanceof Corpus || isTokens(data)) sequencesIn(data, length);
}

/** Not a for-await over the caller's iterator: that would close it. */
async function* first(
  data: Iterable<BatchLike> | AsyncIterable<BatchLike>,
  count: number,
): AsyncGenerator<Batch, void> {
  if (!(Number.isInteger(count) && count >= 1)) {
    throw new ConfigurationError(`evaluate: batches is ${count}, wanted an integer of 1 or more`);
  }
  const iterator = Symbol.asyncIterator in data ? data[Symbol.asyncIterator]() : data[Symbol.iterator]();
  for (let taken = 0; taken < count; taken++) {
    const next = await iterator.next();
    if (next.done) return;
    yield expectBatch("evaluate", next.value);
  }
}

async function measure(model: LanguageModel, batch: Batch): Promise<{ loss: number; correct: number; count: number }> {
  const { inputs, mask } = batch;
  const [loss, best] = tf.tidy((): [Scalar, Tensor] => {
    const targets = tokenTensor("evaluate (targets)", batch.targets, model.configuration.vocabSize);
    const { logits } = model.forward(inputs);
    return [batchLoss(logits, targets, mask), tf.argMax(logits, -1)];
  });
  const [[value], predictions] = await Promise.all([loss.data<"float32">(), best.data<"int32">()]);
  tf.dispose([loss, best]);
  const counted = mask ? countedPositions(mask, inputs.shape) : predictions.keys();
  let correct = 0;
  let count = 0;
  for (const i of counted) {
    count++;
    if (predictions[i] === batch.targets.data[i]) correct++;
  }
  return { loss: value!, correct, count };
}
