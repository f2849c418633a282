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
import type { HearInterrupt, InterruptThreadData, TaskEnded } from "./interrupts.js";

/**
 * Time for the main thread to hear an interrupt between two turns of its event loop, in milliseconds: long enough for a step
 * of a small training, which then ends in order.
 */
const GRACE_MS = 100;
/**
 * What is sent to the child that the main thread waits for, and when: a termination stops JavaScript, but not native code such
 * as the wait of `execSync`. The first is what Ctrl-C sends; the last comes before the front ends the session.
 */
const SIGNALS: readonly (readonly [at: number, NodeJS.Signals])[] = [
  [500, "SIGINT"],
  [1500, "SIGTERM"],
  [3000, "SIGKILL"],
];
/** Time for what was heard to take effect: `finally` blocks may save something, but not for ever. */
const EFFECT_MS = 3000;

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

/** Tasks that are interrupted and have not ended. */
const unfinished = new Set<number>();
parentPort?.on("message", (ended: TaskEnded) => {
  unfinished.delete(ended);
});

function interrupt(ids: readonly number[]): void {
  const mine = ++serial;
  const say = (): void => {
    parentPort?.postMessage({ serial: mine, ids } satisfies HearInterrupt);
  };
  const terminate = (): void => {
    inspector.post("Runtime.terminateExecution");
    // What is terminated may be the main thread as it hears, at last, what was said.
    say();
    void relay?.then((debugged) => {
      debugged.terminate();
    });
  };
  const ignored = (): boolean => Atomics.load(heard, 0) < mine;
  for (const id of ids) unfinished.add(id);
  say();
  setTimeout(() => {
    if (ignored()) terminate();
  }, GRACE_MS);
  setTimeout(() => {
    if (ids.some((id) => unfinished.has(id))) terminate();
  }, EFFECT_MS);
  for (const [at, signal] of SIGNALS) {
    setTimeout(() => {
      if (ignored()) signalAwaitedChild(signal);
    }, at);
  }
}

/**
 * Ends what the main thread waits for. One that hears nothing is most likely in `execSync` or its like; it then waits for the
 * child that it has started last, and that for its own.
 */
function signalAwaitedChild(signal: NodeJS.Signals): void {
  const last = childrenOf(process.pid).at(-1);
  if (last !== undefined) for (const pid of [last, ...descendantsOf(last)]) send(signal, pid);
}

function send(signal: NodeJS.Signals, pid: number): void {
  try {
    process.kill(pid, signal);
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
