/** The session process: holds the variables and runs the cells. Started by the front, see front/session-process.ts. */
import { Socket } from "node:net";
import { pathToFileURL } from "node:url";
import * as cellApi from "../cell-api/index.js";
import type { SessionHooks } from "../index.js";
import { PacketReader, PIPE, type Command } from "../session-protocol.js";
import { tolerateTermination } from "./async-context.js";
import { CellHelpers } from "./cell-helpers.js";
import { handleComm } from "./comms.js";
import { captureConsole } from "./console.js";
import { runAsCell } from "./current-cell.js";
import { sendFrame } from "./frames.js";
import { takeImport } from "./computed-imports.js";
import { Inbox } from "./inbox.js";
import { takeAnswer } from "./input.js";
import { interruptibleLoad, listenForInterrupts, startIsDone } from "./interrupts.js";
import { look } from "./look.js";
import { Runner } from "./runner.js";
import { askForStdin } from "./stdin.js";
import { Tasks } from "./tasks.js";
import { errorReport, mapStackTraces } from "./traceback.js";
import { reportLateError, reportUncaughtErrors } from "./uncaught-errors.js";
import { showWarnings } from "./warnings.js";

const preloads = process.argv.slice(2);

// Whatever the preload writes belongs to no cell yet; this is also the first use of AsyncLocalStorage.
runAsCell(0, tolerateTermination);
let endInterrupted = (_ids: readonly number[]): void => undefined;
const noteEnd = listenForInterrupts((ids) => {
  endInterrupted(ids);
});
captureConsole();
askForStdin();
showWarnings();
mapStackTraces();
// Ctrl-C in the terminal in which Jupyter runs is for Jupyter; it interrupts cells by messages.
process.on("SIGINT", () => undefined);
reportUncaughtErrors();
process.on("exit", () => {
  sendFrame({ type: "exit" });
});

// The name is for cells alone, see cell-api/deno.ts.
const { Deno, ...globals } = cellApi;
Object.assign(globalThis, globals);
const helpers = CellHelpers.install(process.cwd(), preloads, Deno);
const hooks: SessionHooks[] = [];
for (const path of preloads) {
  try {
    const loaded = await interruptibleLoad(() => import(pathToFileURL(path).href) as Promise<Record<string, unknown>>);
    const { sessionHooks, ...exports } = loaded;
    if (sessionHooks !== undefined) {
      hooks.push(sessionHooks as SessionHooks);
      helpers.use(sessionHooks as SessionHooks);
    }
    Object.assign(globalThis, exports);
  } catch (error) {
    sendFrame({ type: "preload-failed", error: errorReport(error) });
  }
}

const tasks = new Tasks(() => {
  helpers.afterInterrupt();
  for (const hook of hooks) {
    try {
      hook.afterInterrupt?.();
    } catch (error) {
      reportLateError(error);
    }
  }
});
const runner = new Runner(helpers, tasks);
const inbox = new Inbox({
  run: (command) => runner.run(command),
  comm: (command) => handleComm(command, tasks),
  answer: takeAnswer,
  imported: takeImport,
  look: (command) => {
    sendFrame({ type: "looked", serial: command.serial, ...look(command) });
  },
  hasEnded: (id) => tasks.hasEnded(id),
  failed: (id, error) => {
    const { ename, evalue } = errorReport(error);
    const told = `The session cannot go on (${ename}: ${evalue}): a cell may have replaced a global that it needs. %reset starts a fresh one`;
    tasks.end(id, { status: "error", ename: "SessionError", evalue: told, traceback: [told] });
  },
});
tasks.onEnd = (id) => {
  inbox.ended(id);
  noteEnd(id);
};
endInterrupted = (ids) => {
  for (const id of ids) if (tasks.hasEnded(id)) noteEnd(id);
  tasks.endInterrupted(ids);
  setImmediate(() => {
    inbox.wake();
  });
};
const reader = new PacketReader<Command>();
const commands = new Socket({ fd: PIPE.commands, readable: true, writable: false });
commands.on("data", (chunk) => {
  inbox.push(reader.push(chunk));
});
commands.on("close", () => process.exit(0));
startIsDone();
sendFrame({ type: "ready" });
