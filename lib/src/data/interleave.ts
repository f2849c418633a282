/** Several sources of batches as one: lengths, texts and tasks mixed. */
import { expectOptions } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { Random } from "../random.js";
import { checkIntegers, type Batch } from "./batch.js";

/** How often each source has its turn. */
export interface InterleaveOptions {
  /** one a source, relative to each other; default equal */
  weights?: readonly number[];
  /** default 0 */
  seed?: number;
}

/** A batch of one of the sources at each step, drawn by the seed. Ends when the drawn one has ended. */
export function* interleave(
  sources: readonly Iterable<Batch>[],
  options: InterleaveOptions = {},
): Generator<Batch, void> {
  expectOptions("interleave", options, { weights: true, seed: true });
  const { weights = sources.map(() => 1), seed = 0 } = options;
  checkIntegers("interleave", { "number of sources": sources.length }, {});
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (weights.length !== sources.length || !weights.every((weight) => weight >= 0) || !(total > 0)) {
    throw new ConfigurationError(
      `interleave: weights are [${weights.join(", ")}], wanted ${sources.length} numbers of 0 or more, not all 0`,
    );
  }
  const random = new Random(seed);
  const iterators = sources.map((source) => source[Symbol.iterator]());
  for (;;) {
    let rest = random.uniform(0, total);
    let chosen = weights.findIndex((weight) => (rest -= weight) < 0);
    if (chosen < 0) chosen = weights.findLastIndex((weight) => weight > 0);
    const next = iterators[chosen]!.next();
    if (next.done) return;
    yield next.value;
  }
}
