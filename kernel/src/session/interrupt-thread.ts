/**
 * The interrupt thread: hears interrupts while a cell blocks the main thread, and terminates what runs there when the
 * main thread does not hear them itself. It also ends the process when the front is gone.
 */
import { readFileSync } from "node:fs";
import { Session } from "node:inspector";
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { encodePacket, PacketReader, PIPE, type DebugRequest, type InterruptRequest } from "../session-protocol.js";
import type { DebugRelay } from "./debug-relay.js";
import type { HearInterrupt, InterruptThreadData } from "./interrupts.js";

/**
 * Time for the main thread to hear an interrupt between two turns of its event loop, in milliseconds: long enough for a step
 * of a small training, which then ends in order.
 */
const GRACE_MS = 100;
/** Time for a termination to take effect: it stops JavaScript, but not native code such as the wait of `execSync`. */
const TERMINATION_MS = 400;

const { heard } = workerData as InterruptThreadData;
const reader = new PacketReader<InterruptRequest | DebugRequest>();
let serial = 0;

const inspector = new Session();
inspector.connectToMainThread();

// A socket, not a file: a read of a file would block a thread that the process waits for when it exits.
const pipe = new Socket({ fd: PIPE.interrupts, readable: true, writable: true });
pipe.on("data", (chunk) => {
  for (const request of reader.push(chunk)) {
    if (request.type === "interrupt") interrupt(request.ids);
    else void debug(request);
  }
});
// The front has just ended; `close` follows.
pipe.on("error", () => undefined);
// The front has ended, or crashed: there is nobody left to work for, and the main thread may be in an endless loop. What
// cells have started goes too: on all but Windows the session leads a process group.
pipe.on("close", () => process.kill(process.platform === "win32" ? process.pid : -process.pid, "SIGKILL"));

let relay: Promise<DebugRelay> | undefined;

/** A session that is not debugged loads nothing for it. */
async function debug(request: DebugRequest): Promise<void> {
  relay ??= import("./debug-relay.js").then(
    ({ DebugRelay }) => new DebugRelay((message) => pipe.write(encodePacket(message))),
  );
  (await relay).handle(request);
}

function interrupt(ids: readonly number[]): void {
  const mine = ++serial;
  const say = (): void => {
    parentPort?.postMessage({ serial: mine, ids } satisfies HearInterrupt);
  };
  say();
  const ignored = (): boolean => Atomics.load(heard, 0) < mine;
  setTimeout(() => {
    if (!ignored()) return;
    inspector.post("Runtime.terminateExecution");
    // What is terminated may be the main thread as it hears, at last, what was said.
    say();
    void relay?.then((debugged) => {
      debugged.terminate();
    });
    setTimeout(() => {
      if (ignored()) interruptAwaitedChild();
    }, TERMINATION_MS);
  }, GRACE_MS);
}

/**
 * Does what Ctrl-C in a terminal does to a program that is waited for. A main thread that hears nothing is most likely in
 * `execSync` or its like; it then waits for the child that it has started last, and that for its own.
 */
function interruptAwaitedChild(): void {
  const last = childrenOf(process.pid).at(-1);
  if (last !== undefined) for (const pid of [last, ...descendantsOf(last)]) interruptProcess(pid);
}

function interruptProcess(pid: number): void {
  try {
    process.kill(pid, "SIGINT");
  } catch {
    // It has just ended.
  }
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** What the main thread of a process has started and still runs, the youngest last. */
function childrenOf(pid: number): number[] {
  try {
    // Linux has this list; elsewhere such a wait ends with the session.
    const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
    return pids === "" ? [] : pids.split(" ").map(Number);
  } catch {
    return [];
  }
}
