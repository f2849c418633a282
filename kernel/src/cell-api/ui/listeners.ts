/** Functions of the user's that are called when something happens. */
import { captureOutput, currentSink } from "../../session/capture.js";
import { currentCell, currentTask, runAsHandler } from "../../session/current-cell.js";
import { sendFrame } from "../../session/frames.js";
import { KeyboardInterrupt } from "../../session/interrupts.js";
import { errorReport } from "../../session/traceback.js";

export class Listeners<A extends readonly unknown[]> {
  readonly #listeners = new Set<(...args: A) => Promise<void>>();

  /**
   * Calls `listener` from now on, until the function that is returned is called. What it prints, displays and throws appears
   * where this was called: on its cell, or in the output widget that captures it.
   */
  add(listener: (...args: A) => unknown): () => void {
    const cell = currentCell();
    const sink = currentSink();
    const guarded = async (...args: A): Promise<void> => {
      try {
        await listener(...args);
      } catch (error) {
        if (KeyboardInterrupt.is(error)) throw error;
        sendFrame({ type: "late-error", cell: currentCell(), error: errorReport(error) });
      }
    };
    // An interrupt is of what is running now, not of the cell that is long over.
    const inPlace = (...args: A): Promise<void> =>
      runAsHandler(cell, currentTask(), () => captureOutput(sink, () => guarded(...args)));
    this.#listeners.add(inPlace);
    return () => {
      this.#listeners.delete(inPlace);
    };
  }

  /** Calls them all; resolves when the asynchronous ones have ended as well. An error of one does not concern the others. */
  async call(...args: A): Promise<void> {
    const ends: Promise<void>[] = [];
    for (const listener of [...this.#listeners]) ends.push(listener(...args));
    await Promise.all(ends);
  }

  clear(): void {
    this.#listeners.clear();
  }
}
