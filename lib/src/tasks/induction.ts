/** Induction heads (Olsson et al. 2022, arXiv 2209.11895; the synthetic task of Fu et al. 2022, arXiv 2212.14052). */
import { expectOptions } from "../arguments.js";
import { checkIntegers } from "../data/batch.js";
import { ConfigurationError } from "../errors.js";
import { defineTask, nextTokenExample, type Task } from "./task.js";

/** The sizes of `ms.tasks.induction`. */
export interface InductionOptions {
  /** different symbols; default 16 */
  symbols?: number;
  /** T: tokens a sequence; default 32 */
  length?: number;
}

/**
 * `s3 s1 ! s7 s2 … ! s7`: symbols at random, among them a sign once; at the end the sign again, and the answer is what
 * followed it. Tokens: the sign, then symbols.
 *
 * @throws ConfigurationError naming a size that makes no sense
 */
export function induction(options: InductionOptions = {}): Task {
  expectOptions("induction", options, { symbols: true, length: true });
  const { symbols = 16, length = 32 } = options;
  checkIntegers("induction", { symbols, length }, {});
  if (length < 3) throw new ConfigurationError(`induction: length is ${length}, wanted 3 or more`);
  return defineTask({
    name: "induction",
    vocabSize: 1 + symbols,
    length,
    chance: 1 / symbols,
    word: (token) => (token === 0 ? "!" : `s${token - 1}`),
    example(random) {
      const tokens = Array.from({ length: length - 1 }, () => 1 + random.integer(symbols));
      const place = random.integer(length - 2);
      tokens[place] = 0;
      tokens.push(0, tokens[place + 1]!);
      return nextTokenExample(tokens, (position) => position === length);
    },
  });
}
