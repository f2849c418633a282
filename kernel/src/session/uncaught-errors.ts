/** Errors that nothing catches are shown on the cell that made them, and the session lives. */
import { currentCell } from "./current-cell.js";
import { sendFrame } from "./frames.js";
import { errorReport } from "./traceback.js";

const EVENTS: ReadonlySet<unknown> = new Set(["uncaughtException", "unhandledRejection"]);

/**
 * Reports exceptions and rejections that are not handled.
 *
 * Not by listeners of the process's events: any library may add one that throws the error again, and so end the process
 * (Emscripten puts such a pair into each of its modules). Listeners are called, but what they throw goes nowhere.
 */
export function reportUncaughtErrors(): void {
  const emit = process.emit.bind(process) as (event: string | symbol, ...args: unknown[]) => boolean;
  const guarded = (event: string | symbol, ...args: unknown[]): boolean => {
    if (!EVENTS.has(event)) return emit(event, ...args);
    report(args[0]);
    for (const listener of process.rawListeners(event)) {
      try {
        listener.apply(process, args);
      } catch (error) {
        if (error !== args[0]) report(error);
      }
    }
    // True says that the error has been handled.
    return true;
  };
  process.emit = guarded as typeof process.emit;
}

function report(error: unknown): void {
  sendFrame({ type: "late-error", cell: currentCell(), error: errorReport(error) });
}
