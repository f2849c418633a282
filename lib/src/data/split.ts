/** Cutting a token sequence into what is learned from and what is held out. */
import { ConfigurationError } from "../errors.js";
import type { TokenIds } from "../tokenizers/tokenizer.js";

/**
 * The last part is held out: neighbouring passages resemble each other, so a random choice would leak.
 *
 * @param tokens of any typed array; the parts are views of it, not copies
 * @param options `validation`: the held-out portion, in (0, 1); default a tenth
 * @throws ConfigurationError when the portion is not in (0, 1)
 */
export function split<T extends TokenIds>(
  tokens: T,
  { validation = 0.1 }: { validation?: number } = {},
): { train: T; validation: T } {
  if (!(validation > 0 && validation < 1)) {
    throw new ConfigurationError(`split: validation is ${validation}, wanted a portion between 0 and 1`);
  }
  const at = Math.round(tokens.length * (1 - validation));
  return { train: tokens.subarray(0, at) as T, validation: tokens.subarray(at) as T };
}
