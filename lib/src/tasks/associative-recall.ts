/** Multi-query associative recall (Arora et al. 2023, arXiv 2312.04927): which value came with this key? */
import { expectOptions } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { checkIntegers } from "../data/batch.js";
import { defineTask, nextTokenExample, type Task } from "./task.js";

/** The sizes of `ms.tasks.associativeRecall`. */
export interface AssociativeRecallOptions {
  /** pairs of a key and a value that are shown first; default 6 */
  pairs?: number;
  /** symbols that are keys; at least as many as pairs. Default 24 */
  keys?: number;
  /** symbols that are values; default 24 */
  values?: number;
  /** keys that are asked for; default each of them once. More than pairs ask again */
  queries?: number;
}

/**
 * `k3 v7 k1 v2 … k1 v2 k3 v7 …`: pairs with different keys, then keys in another order, each followed by its value, which
 * is the answer. Tokens: keys, then values.
 *
 * @throws ConfigurationError naming a size that makes no sense
 */
export function associativeRecall(options: AssociativeRecallOptions = {}): Task {
  expectOptions("associativeRecall", options, { pairs: true, keys: true, values: true, queries: true });
  const { pairs = 6, keys = 24, values = 24, queries = pairs } = options;
  checkIntegers("associativeRecall", { pairs, keys, values, queries }, {});
  if (keys < pairs) {
    throw new ConfigurationError(`associativeRecall: keys is ${keys}, wanted at least pairs, ${pairs}: keys differ`);
  }
  return defineTask({
    name: "associative recall",
    vocabSize: keys + values,
    length: 2 * (pairs + queries) - 1,
    chance: 1 / values,
    word: (token) => (token < keys ? `k${token}` : `v${token - keys}`),
    example(random) {
      const chosen = random.shuffle(Array.from({ length: keys }, (_, key) => key)).slice(0, pairs);
      const pair = chosen.map((key) => [key, keys + random.integer(values)]);
      const asked: number[][] = [];
      while (asked.length < queries) asked.push(...random.shuffle([...pair]));
      const tokens = [...pair, ...asked.slice(0, queries)].flat();
      return nextTokenExample(tokens, (position) => position > 2 * pairs && position % 2 === 1);
    },
  });
}
