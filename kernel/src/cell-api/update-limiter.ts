/** Bounds how often something on the screen is updated, without losing its last state. */

/** Least time between two updates where nothing else is said, in milliseconds. */
const INTERVAL_MS = 100;

/** Limiters with an update that waits, by cell. */
const waiting = new Map<number, Set<UpdateLimiter>>();

export class UpdateLimiter {
  /** Least time between two updates, in milliseconds. */
  interval = INTERVAL_MS;
  readonly #cell: number;
  #last = -Infinity;
  #next: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(cell: number) {
    this.#cell = cell;
  }

  /** Runs `update` now, or, when the one before was a moment ago, a little later unless a newer one replaces it. */
  run(update: () => void): void {
    const wait = this.#last + this.interval - performance.now();
    if (wait <= 0) {
      this.#run(update);
      return;
    }
    this.#next = update;
    let limiters = waiting.get(this.#cell);
    if (limiters === undefined) waiting.set(this.#cell, (limiters = new Set()));
    limiters.add(this);
    this.#timer ??= setTimeout(() => {
      this.flush();
    }, wait);
  }

  /** Runs the update that waits. */
  flush(): void {
    if (this.#next !== undefined) this.#run(this.#next);
  }

  #run(update: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#next = undefined;
    waiting.get(this.#cell)?.delete(this);
    this.#last = performance.now();
    update();
  }
}

/** Runs the updates of a cell that wait: what it shows when it ends is its last state. */
export function flushUpdates(cell: number): void {
  for (const limiter of [...(waiting.get(cell) ?? [])]) limiter.flush();
  waiting.delete(cell);
}
