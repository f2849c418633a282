/**
 * The time that the session's main thread has had, as the interrupt thread measures it: a thread that waits for a processor, or
 * whose process is stopped, is not one that does not react.
 */
import { readFileSync } from "node:fs";

/** How often {@link MainThreadTime.advance} is to be called, in milliseconds. */
export const LOOK_MS = 20;
/** What a longer pause between two looks counts for: this thread had no processor either, or the whole process was stopped. */
const MOST_MS = 2 * LOOK_MS;
/** The unit in which Linux tells of processor time, in milliseconds. */
const TICK_MS = 10;

/** What the operating system says of a thread. */
export interface ThreadState {
  /** Whether it runs, or would if it had a processor. */
  readonly runs: boolean;
  /** Processor time that it has had, in milliseconds. */
  readonly processorMs: number;
}

/** What Linux says of the main thread; undefined where nothing does. */
function mainThread(): ThreadState | undefined {
  try {
    // The name before the bracket may hold anything. The 11th and 12th figures behind the state are user and system time.
    const stat = readFileSync(`/proc/self/task/${process.pid}/stat`, "utf8");
    const [state, ...figures] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { runs: state === "R", processorMs: TICK_MS * (Number(figures[10]) + Number(figures[11])) };
  } catch {
    return undefined;
  }
}

/** Counts, in milliseconds, while it is told to. */
export class MainThreadTime {
  readonly #look: () => ThreadState | undefined;
  readonly #clock: () => number;
  #now = 0;
  #at = 0;
  #processorMs = 0;
  /** Processor time that was told too late to count: it comes in whole ticks. */
  #uncounted = 0;

  /** @param look what the operating system says @param clock the time of the wall */
  constructor(look = mainThread, clock = () => performance.now()) {
    this.#look = look;
    this.#clock = clock;
  }

  get now(): number {
    return this.#now;
  }

  /** Begins to count, or goes on with it: what was since the last {@link advance} counts for nothing. */
  resume(): void {
    this.#at = this.#clock();
    this.#processorMs = this.#look()?.processorMs ?? 0;
    this.#uncounted = 0;
  }

  /** Counts what was since the last call: while the thread computes what it has had of a processor, while it sleeps all. */
  advance(): void {
    const state = this.#look();
    const at = this.#clock();
    const passed = Math.min(at - this.#at, MOST_MS);
    const processorMs = state?.processorMs ?? 0;
    const computed = this.#uncounted + processorMs - this.#processorMs;
    const counts = state?.runs === true ? Math.min(passed, computed) : passed;
    this.#now += counts;
    this.#at = at;
    this.#processorMs = processorMs;
    this.#uncounted = Math.min(TICK_MS, Math.max(0, computed - counts));
  }
}
