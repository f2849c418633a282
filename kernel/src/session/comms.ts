/** Handles the comm messages of clients: calls the handlers of cells, and reports when they are done. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { receive, type HandlerCall } from "../cell-api/comm.js";
import { flushUpdates } from "../cell-api/update-limiter.js";
import type { CommCommand } from "../session-protocol.js";
import { runAsHandler } from "./current-cell.js";
import { sendFrame } from "./frames.js";
import { KeyboardInterrupt } from "./interrupts.js";
import type { Tasks } from "./tasks.js";
import { errorReport } from "./traceback.js";

/**
 * Handles a message. An `async` handler keeps no later message waiting, so that a button can stop what another has begun.
 */
export async function handleComm(command: CommCommand, tasks: Tasks): Promise<void> {
  const { id } = command;
  // A comm that is closed at once, for want of a handler, is closed on behalf of the message.
  const calls = runAsHandler(0, id, () => receive(command));
  const outcome = await tasks.untilInterrupted(id, false, async () => {
    // A handler that is terminated takes its callers with it: they must have got as far as to wait.
    await Promise.resolve();
    await Promise.all(calls.map((call) => runHandler(call, id)));
  });
  // Rejections that nobody handles belong before the end.
  await nextTurn();
  for (const { cell } of calls) flushUpdates(cell);
  if (outcome.status === "error") {
    const { ename, evalue, traceback } = outcome;
    sendFrame({ type: "late-error", cell: calls[0]?.cell ?? 0, error: { ename, evalue, traceback } });
  }
  tasks.end(id, { status: "ok" });
}

/** Runs a handler; its error is shown on its cell. An interrupt is of the message as a whole. */
function runHandler({ cell, call }: HandlerCall, message: number): Promise<void> {
  return runAsHandler(cell, message, async () => {
    try {
      await call();
    } catch (error) {
      if (KeyboardInterrupt.is(error)) throw error;
      sendFrame({ type: "late-error", cell, error: errorReport(error) });
    }
  });
}
