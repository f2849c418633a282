/** Runs cells from script to outcome; those of a shell one at a time, those of several side by side. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { types } from "node:util";
import { stopBars } from "../cell-api/progress/bar.js";
import { flushUpdates } from "../cell-api/update-limiter.js";
import { cellUrl, type RunCommand } from "../session-protocol.js";
import type { CellHelpers } from "./cell-helpers.js";
import { rememberSource } from "./cells.js";
import { runAsCell } from "./current-cell.js";
import { evaluate } from "./evaluate.js";
import { sendFrame } from "./frames.js";
import { interruptible, KeyboardInterrupt } from "./interrupts.js";
import { mimeBundle } from "./mime-bundle.js";
import { takePayload } from "./payload.js";
import { untilRead } from "./stdin.js";
import type { Tasks } from "./tasks.js";
import { keepStackTraces } from "./traceback.js";

export class Runner {
  readonly #helpers: CellHelpers;
  readonly #tasks: Tasks;

  constructor(helpers: CellHelpers, tasks: Tasks) {
    this.#helpers = helpers;
    this.#tasks = tasks;
  }

  /** Runs a cell and reports its outcome. */
  async run(command: RunCommand): Promise<void> {
    const { cell, silent } = command;
    rememberSource(cellUrl(cell.id), cell);
    this.#helpers.expect(command);
    const outcome = await runAsCell(cell.id, async () => {
      const result = await this.#tasks.untilInterrupted(cell.id, true, () => this.#evaluate(cell, silent));
      this.#helpers.takeResult();
      this.#helpers.cellTimer.clear();
      // Rejections that nobody handles, and immediates, belong before the cell's end.
      await nextTurn();
      if (result.status === "error") stopBars(cell.id);
      flushUpdates(cell.id);
      return result;
    });
    const payload = takePayload(cell.id);
    this.#tasks.end(cell.id, outcome.status === "ok" && payload !== undefined ? { ...outcome, payload } : outcome);
  }

  async #evaluate(cell: RunCommand["cell"], silent: boolean): Promise<void> {
    keepStackTraces();
    const evaluation = await evaluate(cell.javascript, cellUrl(cell.id));
    if (evaluation.status === "terminated") throw new KeyboardInterrupt();
    if (evaluation.status === "thrown") throw evaluation.error;
    const result = this.#helpers.takeResult();
    // To ask a proxy for its `then` is to run its traps; one that has an answer to everything would never settle.
    const value = types.isProxy(result) ? result : await interruptible(result);
    this.#helpers.cellTimer.stop();
    flushUpdates(cell.id);
    if (value !== undefined && !silent) {
      const data = await mimeBundle(value);
      if (Object.keys(data).length > 0) sendFrame({ type: "result", cell: cell.id, data });
    }
    const read = untilRead(cell.id);
    if (read !== undefined) await read;
  }
}
