/** Cutting data into what is learned from and what is held out. */
import { expectOptions } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import type { TokenIds } from "../tokenizers/tokenizer.js";
import { Corpus, tokensOf } from "./corpus.js";

/**
 * The last part is held out: neighbouring passages resemble each other, so a random choice would leak.
 *
 * @param source tokens, whose parts are views and not copies; or a corpus, of which whole documents are held out, so
 *   many that the portion is met or passed
 * @param options `validation`: the held-out portion, in (0, 1); default a tenth
 * @throws ConfigurationError when the portion is not in (0, 1), there are fewer than two tokens, or a corpus has a single
 *   document
 */
export function split<T extends TokenIds | Corpus>(
  source: T,
  options: { validation?: number } = {},
): { train: T; validation: T } {
  expectOptions("split", options, { validation: true });
  const { validation = 0.1 } = options;
  if (!(validation > 0 && validation < 1)) {
    throw new ConfigurationError(`split: validation is ${validation}, wanted a portion between 0 and 1`);
  }
  if (source instanceof Corpus) return splitCorpus(source, validation) as { train: T; validation: T };
  const tokens = tokensOf(source);
  if (tokens.length < 2) {
    throw new ConfigurationError(`split: ${tokens.length} tokens are too few to be two parts: is the text empty?`);
  }
  // At least one token on each side.
  const at = Math.min(tokens.length - 1, Math.max(1, Math.round(tokens.length * (1 - validation))));
  return { train: tokens.subarray(0, at) as T, validation: tokens.subarray(at) as T };
}

function splitCorpus(corpus: Corpus, validation: number): { train: Corpus; validation: Corpus } {
  if (corpus.documents < 2) {
    throw new ConfigurationError("split: the corpus is a single document: split its tokens, or cut the text before");
  }
  const documents = [...corpus.starts.keys()];
  const limit = corpus.tokens.length * (1 - validation);
  // At least one document stays on each side.
  const at = Math.max(
    1,
    corpus.starts.findLastIndex((start) => start <= limit),
  );
  return { train: corpus.select(documents.slice(0, at)), validation: corpus.select(documents.slice(at)) };
}
