/** The tasks as `ms.tasks` names them. */
import { associativeRecall } from "./associative-recall.js";
import { copying, selectiveCopying } from "./copying.js";
import { induction } from "./induction.js";
import { permutations } from "./permutations.js";
import { regression } from "./regression.js";

/**
 * Procedural tasks: endless data by a seed, with answers that are exactly right.
 *
 * @namespace
 */
export const tasks = {
  /** Which value came with this key? */
  associativeRecall,
  /** In which order are the things now? Permutation state tracking, S3 and S5. */
  permutations,
  /** Say again what was shown. */
  copying,
  /** Say again what was shown among blanks. */
  selectiveCopying,
  /** What followed this sign before? */
  induction,
  /** Which y belongs to this x, by the examples so far? */
  regression,
};
