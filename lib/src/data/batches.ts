/** Batches of passages from one long token sequence. */
import { ConfigurationError } from "../errors.js";
import type { TokenMatrix } from "../model/tokens.js";
import { Random } from "../random.js";
import type { TokenIds } from "../tokenizers/tokenizer.js";

/** Inputs, and at each position the token that follows: both int32 `[B, T]`, plain data. */
export interface Batch {
  readonly inputs: TokenMatrix;
  readonly targets: TokenMatrix;
}

/** The size and the order of batches. */
export interface BatchesOptions {
  /** B: passages a batch */
  batchSize: number;
  /** T: tokens a passage */
  length: number;
  /** the same seed gives the same batches; default 0 */
  seed?: number;
}

/**
 * An endless iterator of batches whose passages start anywhere, drawn uniformly by the seed. Each call starts anew.
 *
 * @throws ConfigurationError when the data are shorter than one passage and its next token
 */
export function batches(
  tokens: TokenIds,
  { batchSize, length, seed = 0 }: BatchesOptions,
): IterableIterator<Batch, never> {
  if (!(batchSize >= 1 && length >= 1) || !Number.isInteger(batchSize) || !Number.isInteger(length)) {
    throw new ConfigurationError(`batches: batchSize is ${batchSize}, length ${length}, wanted positive integers`);
  }
  if (tokens.length <= length) {
    throw new ConfigurationError(
      `batches: ${tokens.length} tokens are too few for passages of ${length} and the token after; lower length`,
    );
  }
  return passages(tokens, batchSize, length, new Random(seed));
}

function* passages(tokens: TokenIds, batchSize: number, length: number, random: Random): Generator<Batch, never> {
  const shape = [batchSize, length] as const;
  for (;;) {
    const inputs = new Int32Array(batchSize * length);
    const targets = new Int32Array(batchSize * length);
    for (let row = 0; row < batchSize; row++) {
      const start = random.integer(tokens.length - length);
      inputs.set(tokens.subarray(start, start + length), row * length);
      targets.set(tokens.subarray(start + 1, start + length + 1), row * length);
    }
    yield { inputs: { data: inputs, shape }, targets: { data: targets, shape } };
  }
}
