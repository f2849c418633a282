/** Tasks: what a client asks the session to run, and may interrupt: a cell, or the handling of a comm message. */
import type { Outcome } from "../session-protocol.js";
import { noteStop } from "./awaited-at.js";
import { abandonEvaluation } from "./evaluate.js";
import { sendFrame } from "./frames.js";
import { allowInterrupts, KeyboardInterrupt } from "./interrupts.js";
import { flushNativeOutput } from "./native-output.js";
import { takeStop } from "./stopped-at.js";
import { errorReport } from "./traceback.js";

/** Time for the `finally` blocks of what was interrupted, in milliseconds. */
const CLEAN_UP_MS = 80;

/** Time for a task that was interrupted to end by itself, in milliseconds, of an event loop that turns. */
const END_MS = 1000;
/** Ids of tasks that have ended are remembered, so that none begins or ends again. */
const MOST_ENDED = 10_000;

export class Tasks {
  readonly #afterInterrupt: () => void;
  /** Tasks that are over, and those of them that the front has been told of: a termination may come in between. */
  readonly #ended = new Set<number>();
  readonly #told = new Set<number>();
  /** Told of each task that has ended. */
  onEnd: (id: number) => void = () => undefined;

  /** @param afterInterrupt Called after an interrupted task. */
  constructor(afterInterrupt: () => void) {
    this.#afterInterrupt = afterInterrupt;
  }

  /**
   * The outcome of `body`; at the latest some time after an interrupt, since what was terminated gives none of its own.
   * @param evaluates whether it evaluates a script, which a termination leaves unsettled
   */
  async untilInterrupted(id: number, evaluates: boolean, body: () => Promise<void>): Promise<Outcome> {
    let interrupted = false;
    let ended = false;
    let disallow = (): unknown => undefined;
    const abandon = (): void => {
      if (evaluates && !ended) abandonEvaluation();
      ended = true;
    };
    const interruption = new Promise<never>((_, reject) => {
      disallow = allowInterrupts(id, {
        interrupted: () => {
          interrupted = true;
          // A cell that was terminated, or that catches the interrupt and goes on, gives no outcome of its own.
          setTimeout(() => {
            abandon();
            reject(new KeyboardInterrupt());
          }, CLEAN_UP_MS);
        },
        // At once: what it was evaluated as may be collected as garbage at any time now.
        terminated: abandon,
      });
    });
    // Whoever loses the race is not to be reported as an unhandled rejection.
    interruption.catch(() => undefined);
    // An interrupt may come before what it is for: while it is compiled, or while a preload module loads.
    const own = interrupted ? Promise.reject(new KeyboardInterrupt()) : body();
    const noteEnd = (): void => {
      ended = true;
    };
    own.then(noteEnd, noteEnd);
    try {
      await Promise.race([own, interruption]);
      return { status: "ok" };
    } catch (error) {
      if (KeyboardInterrupt.is(error)) {
        interrupted = true;
        tellStop(id, error);
      }
      return { status: "error", ...errorReport(error) };
    } finally {
      disallow();
      if (interrupted) this.#afterInterrupt();
    }
  }

  hasEnded(id: number): boolean {
    return this.#ended.has(id);
  }

  /**
   * Ends what an interrupt has not: a termination strikes whatever runs, on a busy machine also the session's own code that
   * would have begun or ended a task.
   */
  endInterrupted(ids: readonly number[]): void {
    setTimeout(() => {
      for (const id of ids) {
        if (this.#told.has(id)) continue;
        const interrupt = new KeyboardInterrupt();
        tellStop(id, interrupt);
        this.end(id, { status: "error", ...errorReport(interrupt) });
      }
    }, END_MS);
  }

  /** Tells the front that a task has ended, after all that it has written; once. */
  end(id: number, outcome: Outcome): void {
    if (this.#told.has(id)) return;
    remember(id, this.#ended);
    this.onEnd(id);
    flushNativeOutput();
    sendFrame({ type: "done", cell: id, outcome });
    remember(id, this.#told);
  }
}

/** Has an interrupt tell where the task was terminated, if it was. */
function tellStop(id: number, interrupt: KeyboardInterrupt): void {
  const stop = takeStop(id);
  if (stop !== undefined) noteStop(interrupt, stop);
}

function remember(id: number, ids: Set<number>): void {
  ids.add(id);
  const [oldest] = ids;
  if (oldest !== undefined && ids.size > MOST_ENDED) ids.delete(oldest);
}
