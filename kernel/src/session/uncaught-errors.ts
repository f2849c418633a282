/** Errors that nothing catches are shown on the cell that made them, and the session lives. */
import { currentCell } from "./current-cell.js";
import { sendFrame } from "./frames.js";
import { errorReport } from "./traceback.js";

const EVENTS: ReadonlySet<unknown> = new Set(["uncaughtException", "unhandledRejection"]);

/** Errors of one cell that are shown one by one; a timer that throws each time would fill the notebook. */
const MOST_SHOWN = 5;
/** Further ones are counted, and told of after this time; then after twice the time, and so on. In milliseconds. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;

/** The errors of a cell that were not shown by themselves. */
interface Repeated {
  shown: number;
  more: number;
  latest: unknown;
  wait: number;
}

const repeated = new Map<number, Repeated>();

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
    reportLateError(args[0]);
    for (const listener of process.rawListeners(event)) {
      try {
        listener.apply(process, args);
      } catch (error) {
        if (error !== args[0]) reportLateError(error);
      }
    }
    // True says that the error has been handled.
    return true;
  };
  process.emit = guarded as typeof process.emit;
}

/** Shows an error on the cell whose code runs, or on `cell`; where there are many, only how many. */
export function reportLateError(error: unknown, cell = currentCell()): void {
  let before = repeated.get(cell);
  if (before === undefined) {
    before = { shown: 0, more: 0, latest: undefined, wait: FIRST_WAIT_MS };
    repeated.set(cell, before);
    tellLater(cell, before);
  }
  if (before.shown < MOST_SHOWN) {
    before.shown++;
    sendFrame({ type: "late-error", cell, error: errorReport(error) });
  } else {
    before.more++;
    before.latest = error;
  }
}

function tellLater(cell: number, errors: Repeated): void {
  setTimeout(() => {
    if (errors.more === 0) {
      repeated.delete(cell);
      return;
    }
    const { ename, evalue, traceback } = errorReport(errors.latest);
    const count = `${errors.more.toLocaleString("en")} more errors in ${errors.wait / 1000} s, the latest:`;
    sendFrame({ type: "late-error", cell, error: { ename, evalue, traceback: [count, ...traceback] } });
    errors.more = 0;
    errors.wait = Math.min(2 * errors.wait, LONGEST_WAIT_MS);
    tellLater(cell, errors);
  }, errors.wait).unref();
}
