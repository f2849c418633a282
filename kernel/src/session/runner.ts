/** Runs cells, one at a time, from script to outcome. */
import { writeSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { flushUpdates } from "../cell-api/update-limiter.js";
import { fence, PIPE, type Command, type Outcome } from "../session-protocol.js";
import type { CellHelpers } from "./cell-helpers.js";
import { cellUrl, rememberCell } from "./cells.js";
import { runAsCell } from "./current-cell.js";
import { abandonEvaluation, evaluate } from "./evaluate.js";
import { sendFrame } from "./frames.js";
import { allowInterrupts, interruptible, KeyboardInterrupt } from "./interrupts.js";
import { mimeBundle } from "./mime-bundle.js";
import { errorReport } from "./traceback.js";

/** Time for an interrupted cell's `finally` blocks, in milliseconds. */
const CLEAN_UP_MS = 80;

export class Runner {
  readonly #helpers: CellHelpers;
  readonly #nonce: string;
  readonly #afterInterrupt: () => void;

  constructor(helpers: CellHelpers, nonce: string, afterInterrupt: () => void) {
    this.#helpers = helpers;
    this.#nonce = nonce;
    this.#afterInterrupt = afterInterrupt;
  }

  /** Runs a cell and reports its outcome, after all that it has written. */
  async run({ cell, silent }: Command): Promise<void> {
    rememberCell(cell);
    const outcome = await runAsCell(cell.id, async () => {
      const result = await this.#untilInterrupted(cell.id, () => this.#evaluate(cell, silent));
      // Rejections that nobody handles, and immediates, belong before the cell's end.
      await nextTurn();
      flushUpdates(cell.id);
      return result;
    });
    for (const fd of [PIPE.stdout, PIPE.stderr]) this.#fence(fd, cell.id);
    sendFrame({ type: "done", cell: cell.id, outcome });
  }

  async #evaluate(cell: Command["cell"], silent: boolean): Promise<Outcome> {
    const evaluation = await evaluate(cell.javascript, cellUrl(cell));
    if (evaluation.status === "terminated") throw new KeyboardInterrupt();
    if (evaluation.status === "thrown") throw evaluation.error;
    const value = await interruptible(this.#helpers.takeResult());
    flushUpdates(cell.id);
    if (value !== undefined && !silent) {
      const data = await mimeBundle(value);
      if (Object.keys(data).length > 0) sendFrame({ type: "result", cell: cell.id, data });
    }
    return { status: "ok" };
  }

  async #untilInterrupted(cell: number, body: () => Promise<Outcome>): Promise<Outcome> {
    let interrupted = false;
    let evaluated = false;
    let disallow = (): unknown => undefined;
    const interruption = new Promise<never>((_, reject) => {
      disallow = allowInterrupts(cell, () => {
        interrupted = true;
        // A cell that was terminated, or that catches the interrupt and goes on, gives no outcome of its own.
        setTimeout(() => {
          if (!evaluated) abandonEvaluation();
          reject(new KeyboardInterrupt());
        }, CLEAN_UP_MS);
      });
    });
    // Whoever loses the race is not to be reported as an unhandled rejection.
    interruption.catch(() => undefined);
    const own = body();
    const noteEnd = (): void => {
      evaluated = true;
    };
    own.then(noteEnd, noteEnd);
    try {
      return await Promise.race([own, interruption]);
    } catch (error) {
      if (error instanceof KeyboardInterrupt) interrupted = true;
      return { status: "error", ...errorReport(error) };
    } finally {
      disallow();
      this.#helpers.takeResult();
      if (interrupted) this.#afterInterrupt();
    }
  }

  #fence(fd: number, cell: number): void {
    try {
      writeSync(fd, fence(this.#nonce, cell));
    } catch {
      // User code has closed the descriptor; the front does not wait for it for long.
    }
  }
}
