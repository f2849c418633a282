/** Questions of cells to whoever sits before the notebook. */
import { readSync } from "node:fs";
import { flushUpdates } from "../cell-api/update-limiter.js";
import { PIPE, type InputAnswer, type InputReply } from "../session-protocol.js";
import { currentCell, currentTask } from "./current-cell.js";
import { sendFrame } from "./frames.js";
import { KeyboardInterrupt } from "./interrupts.js";

/** Thrown where there is nobody to ask. The name is that of IPython, which people know. */
export class StdinNotImplementedError extends Error {
  override name = "StdinNotImplementedError";
  constructor() {
    super(
      "there is nobody to ask: this cell was run by a program that takes no input (allow_stdin is false, as in nbconvert " +
        "and papermill). Run it in JupyterLab or a console, or write the value into the cell",
    );
  }
}

export interface Question {
  readonly prompt: string;
  readonly password: boolean;
}

let questions = 0;
const waiting = new Map<number, (answer: InputAnswer) => void>();

/** Asks, and lets the event loop turn until there is an answer. */
export function ask(question: Question): Promise<string> {
  const serial = send(question, false);
  const answered = new Promise<string>((resolve, reject) => {
    waiting.set(serial, (answer) => {
      if (answer.status === "ok") resolve(answer.value);
      else reject(refusal(answer));
    });
  });
  // An interrupted question that nobody awaits any more is no error of its own.
  answered.catch(() => undefined);
  return answered;
}

/** Takes the answer to a question of {@link ask}. */
export function takeAnswer({ serial, answer }: InputReply): void {
  const take = waiting.get(serial);
  waiting.delete(serial);
  take?.(answer);
}

/** Asks, and blocks until there is an answer. */
export function askSync(question: Question): string {
  flushUpdates(currentCell());
  const serial = send(question, true);
  for (;;) {
    const reply = readReply();
    // What was terminated while it waited has left its answer in the pipe.
    if (reply?.serial !== serial) continue;
    if (reply.answer.status === "ok") return reply.answer.value;
    throw refusal(reply.answer);
  }
}

function send({ prompt, password }: Question, sync: boolean): number {
  const serial = ++questions;
  sendFrame({ type: "input", cell: currentCell(), task: currentTask(), serial, prompt, password, sync });
  return serial;
}

function refusal({ status }: InputAnswer): Error {
  return status === "interrupted" ? new KeyboardInterrupt() : new StdinNotImplementedError();
}

/** Read from the pipe, and not yet taken. */
let read: Buffer[] = [];

/** The next line of the pipe, undefined where the beginning of the line was lost by a termination. */
function readReply(): InputReply | undefined {
  for (;;) {
    const all = read.length === 1 ? (read[0] ?? Buffer.alloc(0)) : Buffer.concat(read);
    const end = all.indexOf("\n");
    if (end >= 0) {
      read = [all.subarray(end + 1)];
      try {
        return JSON.parse(all.toString("utf8", 0, end)) as InputReply;
      } catch {
        return undefined;
      }
    }
    read = [all, readSome()];
  }
}

const CHUNK_BYTES = 65_536;

function readSome(): Buffer {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  for (;;) {
    try {
      const size = readSync(PIPE.input, chunk, 0, CHUNK_BYTES, null);
      if (size === 0) throw new Error("the kernel has ended");
      return chunk.subarray(0, size);
    } catch (error) {
      // A pipe that something has made non-blocking says "again" when it is empty.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
