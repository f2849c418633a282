/**
 * The interrupt thread: hears interrupts while a cell blocks the main thread, and terminates what runs there when the
 * main thread does not hear them itself. It also ends the process when the front is gone.
 */
import { Session } from "node:inspector";
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { encodePacket, PacketReader, PIPE, type DebugRequest, type InterruptRequest } from "../session-protocol.js";
import type { DebugRelay } from "./debug-relay.js";
import type { HearInterrupt, InterruptThreadData, TaskEnded } from "./interrupts.js";
import { endWait } from "./native-waits.js";
import { STAGE } from "./stage.js";

/**
 * Time for the main thread to hear an interrupt between two turns of its event loop, in milliseconds: long enough for a step
 * of a small training, which then ends in order.
 */
const GRACE_MS = 100;
/**
 * When a wait in native code, which a termination does not stop, is ended, and by what where it is for a child: the first is
 * what Ctrl-C sends.
 */
const SIGNALS: readonly (readonly [at: number, NodeJS.Signals])[] = [
  [500, "SIGINT"],
  [1500, "SIGTERM"],
  [3000, "SIGKILL"],
];
/** Time for what was heard to take effect: `finally` blocks may save something, but not for ever. */
const EFFECT_MS = 3000;

const { heard, stage } = workerData as InterruptThreadData;
const reader = new PacketReader<InterruptRequest | DebugRequest>();
let serial = 0;

const inspector = new Session();
inspector.connectToMainThread();

// A socket, not a file: a read of a file would block a thread that the process waits for when it exits.
const pipe = new Socket({ fd: PIPE.interrupts, readable: true, writable: true });
pipe.on("data", (chunk) => {
  for (const request of reader.push(chunk)) {
    if (request.type === "interrupt") interrupt(request);
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

function interrupt({ ids, givesUpPreload }: InterruptRequest): void {
  const mine = ++serial;
  const say = (): void => {
    parentPort?.postMessage({ serial: mine, ids, givesUpPreload } satisfies HearInterrupt);
  };
  const terminate = (): void => {
    inspector.post("Runtime.terminateExecution");
    // What is terminated may be the main thread as it hears, at last, what was said.
    say();
    void relay?.then((debugged) => {
      debugged.terminate();
    });
  };
  const mayForce = (): boolean => {
    const now = Atomics.load(stage, 0);
    return now === STAGE.ready || (now === STAGE.preloading && givesUpPreload);
  };
  const ignored = (): boolean => Atomics.load(heard, 0) < mine && mayForce();
  for (const id of ids) unfinished.add(id);
  say();
  setTimeout(() => {
    if (ignored()) terminate();
  }, GRACE_MS);
  setTimeout(() => {
    if (ids.some((id) => unfinished.has(id)) && mayForce()) terminate();
  }, EFFECT_MS);
  for (const [at, signal] of SIGNALS) {
    setTimeout(() => {
      if (!ignored()) return;
      terminate();
      tryToEndWait(signal);
    }, at);
  }
}

function tryToEndWait(signal: NodeJS.Signals): void {
  try {
    endWait(signal);
  } catch {
    // It has ended by itself, or /proc is not all there.
  }
}
