/** Text from a model, as it comes. */
import { setImmediate } from "node:timers/promises";

import * as tf from "@tensorflow/tfjs-core";

import type { Tokenizer } from "../tokenizers/tokenizer.js";
import { ConfigurationError } from "../errors.js";
import type { LanguageModel } from "../model/model.js";
import type { ModelState } from "../model/state.js";
import { Random } from "../random.js";
import { checkSampling, sampleToken, type SamplingOptions } from "./sampling.js";
import { StopFilter } from "./stop-filter.js";

/** What {@link generate} is asked for. */
export interface GenerateOptions extends SamplingOptions {
  /** the text to go on from; at least one token */
  prompt: string;
  tokenizer: Tokenizer;
  /** how many tokens to generate at most; default 256 */
  tokens?: number;
  /** decides every choice; default 0 */
  seed?: number;
  /** texts that end the output; they are not part of it */
  stop?: string | readonly string[];
  /** the state before the prompt; left out, the beginning of a text. It is not changed and stays the caller's */
  state?: ModelState;
  /** ends between tokens; the iterator then throws the signal's reason */
  signal?: AbortSignal;
}

/** A generated token and the text that became certain with it: whole characters, none of a stop sequence. */
export interface GeneratedPiece {
  readonly token: number;
  readonly text: string;
}

/**
 * Streams tokens. The prompt runs at once in parallel form, then one token at a time from the state: time and memory a
 * token do not grow. Leaving the loop early frees everything.
 *
 * @throws ConfigurationError when an option makes no sense, the prompt is empty, or the tokenizer's tokens exceed the model's
 */
export async function* generate(
  model: LanguageModel,
  options: GenerateOptions,
): AsyncGenerator<GeneratedPiece, void, undefined> {
  const { prompt, tokenizer, tokens = 256, seed = 0, stop = [], signal } = options;
  checkSampling(options);
  const { vocabSize } = model.configuration;
  if (tokenizer.vocabSize > vocabSize) {
    throw new ConfigurationError(
      `generate: the tokenizer has ${tokenizer.vocabSize} tokens, the model's vocabSize is ${vocabSize}`,
    );
  }
  const ids = tokenizer.encode(prompt);
  if (ids.length === 0) throw new ConfigurationError("generate: the prompt is empty, wanted at least one token");
  const random = new Random(seed);
  const decoder = tokenizer.decoder();
  const filter = new StopFilter(typeof stop === "string" ? [stop] : stop);

  let { logits, state } = advance(model, Int32Array.from(ids), options.state);
  try {
    for (let count = 1; count <= tokens; count++) {
      signal?.throwIfAborted();
      const token = sampleToken(logits, random, options);
      let text = filter.push(decoder.push(token));
      const last = filter.done || count === tokens;
      if (last) text += filter.end();
      yield { token, text };
      if (last) return;
      const before = state;
      ({ logits, state } = advance(model, Int32Array.of(token), before));
      before.dispose();
      await setImmediate();
    }
  } finally {
    state.dispose();
  }
}

/** The logits after the last of the tokens, and the state there. */
function advance(
  model: LanguageModel,
  ids: Int32Array,
  state?: ModelState,
): { logits: Float32Array; state: ModelState } {
  const result = model.forward({ data: ids, shape: [1, ids.length] }, state);
  const last = tf.tidy(() => {
    const [, time, vocabulary] = result.logits.shape;
    return tf.slice(result.logits, [0, time - 1, 0], [1, 1, vocabulary]);
  });
  const logits = last.dataSync<"float32">();
  tf.dispose([last, result.logits]);
  return { logits, state: result.state };
}
