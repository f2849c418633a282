/**
 * The interrupt thread: hears interrupts while a cell blocks the main thread, and terminates what runs there when the
 * main thread does not hear them itself. It also ends the process when the front is gone.
 */
import { Session } from "node:inspector";
import { Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { PacketReader, PIPE, type InterruptRequest } from "../session-protocol.js";
import type { HearInterrupt, InterruptThreadData } from "./interrupts.js";

/**
 * Time for the main thread to hear an interrupt between two turns of its event loop, in milliseconds: long enough for a step
 * of a small training, which then ends in order.
 */
const GRACE_MS = 100;

const { heard } = workerData as InterruptThreadData;
const reader = new PacketReader<InterruptRequest>();
let serial = 0;

const inspector = new Session();
inspector.connectToMainThread();

// A socket, not a file: a read of a file would block a thread that the process waits for when it exits.
const pipe = new Socket({ fd: PIPE.interrupts, readable: true, writable: false });
pipe.on("data", (chunk) => {
  for (const request of reader.push(chunk)) interrupt(request.ids);
});
// The front has ended, or crashed: there is nobody left to work for, and the main thread may be in an endless loop.
pipe.on("close", () => process.kill(process.pid, "SIGKILL"));

function interrupt(ids: readonly number[]): void {
  const mine = ++serial;
  parentPort?.postMessage({ serial: mine, ids } satisfies HearInterrupt);
  setTimeout(() => {
    if (Atomics.load(heard, 0) < mine) inspector.post("Runtime.terminateExecution");
  }, GRACE_MS);
}
