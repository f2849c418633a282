/** Ending a training when the held-out loss falls no more. */
import { ConfigurationError } from "../errors.js";

/** When to stop, in evaluations on held-out data. */
export interface EarlyStopOptions {
  /** so many evaluations in a row without a better loss; default 5 */
  patience?: number;
  /** better is lower by more than this, in nats; default 0 */
  minDelta?: number;
  /** whether the model ends with the parameters of the best evaluation rather than the last step's; default false */
  restoreBest?: boolean;
}

/** The best evaluation so far, and how many came after it. */
export interface BestEvaluation {
  readonly step: number;
  readonly loss: number;
  /** evaluations since that were not better */
  readonly waited: number;
}

/** Follows the held-out loss. */
export class BestSoFar {
  private found: BestEvaluation | undefined;
  private readonly minDelta: number;
  /** without end where there is to be no early stop */
  private readonly patience: number;

  /** @throws ConfigurationError naming an option that makes no sense */
  constructor(options?: EarlyStopOptions) {
    const { patience = 5, minDelta = 0 } = options ?? {};
    if (!(Number.isSafeInteger(patience) && patience >= 1)) {
      throw new ConfigurationError(`train: earlyStop.patience is ${patience}, wanted an integer of 1 or more`);
    }
    if (!(minDelta >= 0)) throw new ConfigurationError(`train: earlyStop.minDelta is ${minDelta}, wanted 0 or more`);
    this.minDelta = minDelta;
    this.patience = options ? patience : Infinity;
  }

  /** The best up to now; none before the first evaluation. */
  get best(): BestEvaluation | undefined {
    return this.found;
  }

  /** Whether it is time to stop. */
  get isOver(): boolean {
    return (this.found?.waited ?? 0) >= this.patience;
  }

  /** Takes an evaluation in; says whether it is the best. */
  add(step: number, loss: number): boolean {
    const { found } = this;
    const better = !found || loss < found.loss - this.minDelta;
    this.found = better ? { step, loss, waited: 0 } : { ...found, waited: found.waited + 1 };
    return better;
  }

  /** Goes on from a checkpoint. */
  restore(best: BestEvaluation | undefined): void {
    this.found = best;
  }
}
