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
import { LOOK_MS, MainThreadTime } from "./main-thread-time.js";
import { endWait, waitsForFront } from "./native-waits.js";
import { STAGE } from "./stage.js";
import { NOTE_STOP } from "./stopped-at.js";

/**
 * Time for the main thread to hear an interrupt between two turns of its event loop, in milliseconds: long enough for a step
 * of a small training, which then ends in order.
 */
const GRACE_MS = 100;
/**
 * When what runs is terminated that does not let the main thread hear. A wait in native code, which a termination does not stop,
 * is ended then; by a signal where it is for a child, of which the first is what Ctrl-C sends.
 */
const STEPS: readonly (readonly [at: number, signal?: NodeJS.Signals])[] = [
  [GRACE_MS],
  [500, "SIGINT"],
  [1500, "SIGTERM"],
  [3000, "SIGKILL"],
];
/** Time for what was heard to take effect: `finally` blocks may save something, but not for ever. */
const EFFECT_MS = 3000;
/** When the front is told that what was interrupted does not end, and the time that the main thread must have had by then. */
const DEAF_MS = 5000;
const DEAF_HAD_MS = 2000;

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

/** What has to take effect. */
interface Awaited {
  /** Since when, in the main thread's time, and in that of the wall. */
  readonly since: number;
  readonly sinceWall: number;
  toldDeaf: boolean;
}

/** A task that was interrupted, and has not ended. */
interface Interrupted extends Awaited {
  forced: boolean;
}

/** By id, the first that was interrupted first. An interrupt of one that is there is the same interrupt. */
const unfinished = new Map<number, Interrupted>();

/** What was said and not heard yet: one ladder for all of it, since each termination strikes what the main thread does to hear. */
interface Unheard extends Awaited {
  /** The serial of the first. */
  readonly first: number;
  steps: number;
}

let unheard: Unheard | undefined;
let givesUp = false;
const time = new MainThreadTime();
let watch: NodeJS.Timeout | undefined;

parentPort?.on("message", (ended: TaskEnded) => {
  unfinished.delete(ended);
});

function interrupt({ ids, givesUpPreload }: InterruptRequest): void {
  const fresh = ids.filter((id) => !unfinished.has(id));
  for (const id of fresh) unfinished.set(id, { ...fromNow(), forced: false });
  if (fresh.length > 0 || (givesUpPreload && !givesUp)) say(fresh, { givesUpPreload });
  if (watch !== undefined) return;
  time.resume();
  watch = setInterval(look, LOOK_MS);
}

function fromNow(): Awaited {
  return { since: time.now, sinceWall: performance.now(), toldDeaf: false };
}

function say(ids: readonly number[], { givesUpPreload = false, terminated = false }): void {
  givesUp ||= givesUpPreload;
  serial++;
  unheard ??= { ...fromNow(), first: serial, steps: 0 };
  parentPort?.postMessage({ serial, ids, givesUpPreload: givesUp, terminated } satisfies HearInterrupt);
}

/** Goes on with what was interrupted, by the time that the main thread has had. */
function look(): void {
  noteHeard();
  if (unheard === undefined && unfinished.size === 0) {
    clearInterval(watch);
    watch = undefined;
    return;
  }
  if (!mayForce()) {
    time.resume();
    return;
  }
  time.advance();
  if (unheard !== undefined) climb(unheard);
  const endless = [...unfinished.values()].filter((task) => !task.forced && time.now - task.since >= EFFECT_MS);
  for (const task of endless) task.forced = true;
  if (endless.length > 0) terminate();
  tellDeaf();
}

function mayForce(): boolean {
  const now = Atomics.load(stage, 0);
  return now === STAGE.ready || (now === STAGE.preloading && givesUp);
}

function noteHeard(): void {
  const last = Atomics.load(heard, 0);
  if (last >= serial) {
    unheard = undefined;
    givesUp = false;
  } else if (unheard !== undefined && last >= unheard.first) {
    unheard = { ...fromNow(), first: last + 1, steps: 0 };
  }
}

/** Takes the next step against a main thread that does not hear. */
function climb(ladder: Unheard): void {
  const [at, signal] = STEPS[ladder.steps] ?? [Infinity];
  if (time.now - ladder.since < at) return;
  ladder.steps++;
  terminate();
  if (signal !== undefined) tryToEndWait(signal);
}

function terminate(): void {
  inspector.post("Runtime.evaluate", { expression: NOTE_STOP, silent: true });
  inspector.post("Runtime.terminateExecution");
  // What is terminated may be the main thread as it hears, at last, what was said.
  say([...unfinished.keys()], { terminated: true });
  void relay?.then((debugged) => {
    debugged.terminate();
  });
}

/** Tells the front what still has not ended; it is for the user to say what is to become of it. */
function tellDeaf(): void {
  const isDeaf = ({ since, sinceWall, toldDeaf }: Awaited): boolean =>
    !toldDeaf && performance.now() - sinceWall >= DEAF_MS && time.now - since >= DEAF_HAD_MS;
  const deaf = [...unfinished].filter(([, task]) => isDeaf(task));
  const hearsNothing = unheard !== undefined && isDeaf(unheard);
  if ((deaf.length === 0 && !hearsNothing) || waitsForFront()) return;
  for (const [, task] of deaf) task.toldDeaf = true;
  if (unheard !== undefined) unheard.toldDeaf = true;
  pipe.write(encodePacket({ type: "deaf", ids: deaf.map(([id]) => id) }));
}

function tryToEndWait(signal: NodeJS.Signals): void {
  try {
    endWait(signal);
  } catch {
    // It has ended by itself, or /proc is not all there.
  }
}
