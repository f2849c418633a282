/** The start of a session, while which its preload modules are loaded, and the interrupts that come meanwhile. */
import type { ErrorReport } from "../session-protocol.js";
import { plainReport } from "./session-end.js";

/** Two interrupts within this time are a double click, and one wish; in milliseconds. */
const DOUBLE_CLICK_MS = 500;
/** A preload that is still being loaded after this time hangs, for all that a user can tell; in milliseconds. */
const HANGS_MS = 60_000;

export class Startup {
  /** Whether the session runs cells. */
  isDone = false;
  readonly #loadsModules: boolean;
  readonly #now: () => number;
  readonly #begin: number;
  /** When a cell was first told that it was interrupted before it could begin. */
  #told: number | undefined;
  #givenUp = false;

  /**
   * @param loadsModules whether there are preload modules
   * @param now the time, in milliseconds
   */
  constructor(loadsModules: boolean, now: () => number = () => performance.now()) {
    this.#loadsModules = loadsModules;
    this.#now = now;
    this.#begin = now();
  }

  /**
   * Notes an interrupt. The first is for the cell that waits, and the loading goes on: what a preload brings would be lost for
   * the whole session. Who interrupts again wants to do without it.
   *
   * @param waits whether a cell does
   * @returns whether the preload module that is being loaded is to be given up
   */
  interrupt(waits: boolean): boolean {
    const now = this.#now();
    const again = this.#told !== undefined && now - this.#told > DOUBLE_CLICK_MS;
    const hangs = now - this.#begin > HANGS_MS;
    if (this.#loadsModules && (again || (hangs && waits))) this.#givenUp = true;
    else if (waits) this.#told ??= now;
    return this.#givenUp;
  }

  /** What a cell ends with that was interrupted before it began. */
  report(): ErrorReport {
    const spared = this.#loadsModules && !this.isDone && !this.#givenUp;
    const evalue = spared
      ? "the cell was interrupted before it began. The preload modules are still being loaded, and that goes on: run the cell " +
        "again, or interrupt again to do without them"
      : "the cell was interrupted; variables are kept";
    return plainReport("KeyboardInterrupt", evalue);
  }
}
