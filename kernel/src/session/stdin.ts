/**
 * `process.stdin` of a session: whoever sits before the notebook is asked for its lines, while a cell reads them. The cell ends when
 * it reads no more, as a program would.
 */
import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { currentTask } from "./current-cell.js";
import { ask } from "./input.js";
import { failAwaits, interruptible, KeyboardInterrupt } from "./interrupts.js";

/** Puts a stream of asked lines in the place of the real one, in which there is nothing. */
export function askForStdin(): void {
  let stdin: Stdin | undefined;
  Object.defineProperty(process, "stdin", {
    configurable: true,
    enumerable: true,
    get: () => (stdin = stdin === undefined || stdin.destroyed ? new Stdin() : stdin),
  });
}

/** Asks for lines as long as they are wanted. */
export class LineReader {
  readonly #isWanted: () => boolean;
  readonly #take: (line: string) => void;
  #reads = false;
  #giveUp: () => void = () => undefined;

  /**
   * @param isWanted whether somebody waits for a line
   * @param take is given each, with its end
   */
  constructor(isWanted: () => boolean, take: (line: string) => void) {
    this.#isWanted = isWanted;
    this.#take = take;
  }

  /** Begins to ask, as a part of what runs now. */
  start(): void {
    if (this.#reads) return;
    this.#reads = true;
    const task = currentTask();
    const read = this.#read().finally(() => (this.#reads = false));
    keepRunning(task, read);
    read.catch((error: unknown) => {
      // Who was interrupted says so itself. Where nobody can be asked, what waits for a line would wait for ever.
      if (!KeyboardInterrupt.is(error)) failAwaits(task, error);
    });
  }

  /** Nobody wants the answer to the question any more. */
  stop(): void {
    this.#giveUp();
  }

  async #read(): Promise<void> {
    const givenUp = new Promise<undefined>((resolve) => {
      this.#giveUp = () => {
        resolve(undefined);
      };
    });
    for (;;) {
      // Who asks may print a question after it has begun to listen, and who has got a line may want no other.
      await nextTurn();
      if (!this.#isWanted()) return;
      const line = await Promise.race([ask({ prompt: "", password: false }), givenUp]);
      if (line === undefined) return;
      this.#take(`${line}\n`);
    }
  }
}

/** What reads lines, by the cell, or the client's message, that it is a part of. */
const reading = new Map<number, Set<Promise<void>>>();

function keepRunning(task: number, read: Promise<void>): void {
  const all = reading.get(task) ?? new Set();
  reading.set(task, all.add(read));
  const forget = (): void => {
    all.delete(read);
    if (all.size === 0) reading.delete(task);
  };
  read.then(forget, forget);
}

/** Settles when nothing of a cell reads lines any more; undefined where nothing does. */
export function untilRead(cell: number): Promise<void> | undefined {
  return reading.has(cell) ? waitUntilRead(cell) : undefined;
}

async function waitUntilRead(cell: number): Promise<void> {
  for (;;) {
    const [read] = reading.get(cell) ?? [];
    if (read === undefined) return;
    await interruptible(read);
  }
}

/** The stream. Nothing is asked before somebody listens to it. */
export class Stdin extends Readable {
  readonly fd = 0;

  constructor() {
    super({ highWaterMark: 0, read: () => undefined });
    const isWanted = (): boolean =>
      !this.destroyed && ((this.listenerCount("data") > 0 && !this.isPaused()) || this.listenerCount("readable") > 0);
    const reader = new LineReader(isWanted, (line) => this.push(line));
    this.on("newListener", (event) => {
      if (event === "data" || event === "readable") reader.start();
    });
    this.on("resume", () => {
      reader.start();
    });
    for (const event of ["pause", "close"])
      this.on(event, () => {
        reader.stop();
      });
  }
}
