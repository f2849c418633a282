/** What modules that work with the kernel need of it. The kernel itself is started by its kernelspec. */

export type { Displayable, DisplayHandle, MimeBundle } from "./cell-api/display.js";

/**
 * What a preload module may export under the name `sessionHooks`. Its other exports are globals in every cell.
 */
export interface SessionHooks {
  /**
   * Called after a cell was interrupted. A termination runs no `finally`: this is where a library puts its own state in
   * order again.
   */
  afterInterrupt?(): void;
  /** Makes one of the many calls of `%timeit`: where a library frees what a call leaves behind. @returns what the call gives */
  timedCall?(call: () => unknown): unknown;
}
