/**
 * Interrupts, as the session's main thread sees them.
 *
 * An interrupt is first asked for: pending awaits of the cell are rejected with a KeyboardInterrupt, so that `finally`
 * runs and libraries are left in order. A cell that does not let the event loop turn cannot hear that; the interrupt
 * thread (interrupt-thread.ts) then terminates what runs.
 */
import { Worker } from "node:worker_threads";
import { program } from "../program.js";
import { afterTermination } from "./async-context.js";
import { noteAwait } from "./awaited-at.js";
import { currentTask } from "./current-cell.js";
import { STAGE } from "./stage.js";
import { noteStops } from "./stopped-at.js";

/** What an interrupted cell ends with. */
export class KeyboardInterrupt extends Error {
  override name = "KeyboardInterrupt";
  readonly #own = true;
  constructor() {
    super("the cell was interrupted; variables are kept");
  }

  /** Whether what was thrown is one. `instanceof` would run the traps of a proxy, and those may throw. */
  static is(thrown: unknown): thrown is KeyboardInterrupt {
    return thrown !== null && typeof thrown === "object" && #own in thrown;
  }
}

/** What a task is told. */
export interface InterruptHooks {
  /** It is interrupted. */
  readonly interrupted: () => void;
  /** What ran was terminated, since the interrupt had not been heard: the task's own code, as a rule. */
  readonly terminated: () => void;
}

/** A cell that runs, or the handling of a client's message. */
interface RunningTask {
  /** Rejects each pending await of the task. */
  readonly pending: Set<(reason: unknown) => void>;
  readonly hooks: InterruptHooks;
  /** Set once the task is interrupted. */
  reason?: KeyboardInterrupt;
  /** Whether all of it has been told: a termination may come in the middle. */
  told?: boolean;
}

const running = new Map<number, RunningTask>();
/** Tasks that were interrupted before they began. */
const early = new Set<number>();
/** Tasks that are over because they were interrupted. */
const stopped = new Set<number>();

/** Gives up the preload module that is being loaded, if one is. */
let giveUpLoading: (() => void) | undefined;

/** How far the start of the session is: the interrupt thread terminates nothing that could not be made good. */
const stage = new Int32Array(new SharedArrayBuffer(4));

/** From here on cells run, and interrupts may terminate what runs. */
export function startIsDone(): void {
  Atomics.store(stage, 0, STAGE.ready);
}

/** What loads a preload module, before there is a cell to run: an interrupt that says so gives it up. */
export async function interruptibleLoad<T>(load: () => Promise<T>): Promise<T> {
  // A module whose body was terminated never settles, and a process that waits for nothing ends.
  const alive = setInterval(() => undefined, 2 ** 30);
  const interrupted = new Promise<never>((_, reject) => {
    giveUpLoading = () => {
      reject(
        new Error(
          "its loading was interrupted: what it brings is not there. %reset on the first line of a cell, or a restart, loads it again",
        ),
      );
    };
  });
  Atomics.store(stage, 0, STAGE.preloading);
  try {
    return await Promise.race([load(), interrupted]);
  } finally {
    Atomics.store(stage, 0, STAGE.starting);
    giveUpLoading = undefined;
    clearInterval(alive);
  }
}

/** Lets a task be interrupted until the function that is returned is called. */
export function allowInterrupts(task: number, hooks: InterruptHooks): () => void {
  running.set(task, { pending: new Set(), hooks });
  if (early.delete(task)) interrupt(task);
  return () => {
    if (running.get(task)?.reason !== undefined) stopped.add(task);
    running.delete(task);
  };
}

/** Whether a task was interrupted: what it had begun may have been dropped in its middle. */
export function wasInterrupted(task: number): boolean {
  return stopped.has(task) || running.get(task)?.reason !== undefined;
}

/**
 * `value`, to be awaited: rejects with a KeyboardInterrupt when the cell that awaits it is interrupted. The awaits of its
 * `finally` blocks then go on as ever, but once the cell is over what still runs of it stops at its next await.
 */
export function interruptible<T>(value: T): T | Promise<Awaited<T>> {
  if (!isThenable(value)) return value;
  const id = currentTask();
  const task = running.get(id);
  if (task !== undefined) return task.reason === undefined ? race(task, value as PromiseLike<Awaited<T>>) : value;
  return stopped.has(id) ? new Promise<never>(() => undefined) : value;
}

/**
 * An async function around a promise that takes the value's own resolution: through these, and no others, V8 follows an
 * error's path back to the await in the cell.
 */
async function race<T>(task: RunningTask, value: PromiseLike<T>): Promise<T> {
  let fail: (reason: unknown) => void = () => undefined;
  const settled = new Promise<T>((resolve, reject) => {
    value.then(resolve, reject);
    fail = reject;
  });
  task.pending.add(fail);
  try {
    return await settled;
  } catch (error) {
    noteAwait(error);
    throw error;
  } finally {
    task.pending.delete(fail);
  }
}

/** Ends the pending awaits of a task by an error: what they wait for will never come. */
export function failAwaits(id: number, error: unknown): void {
  const task = running.get(id);
  for (const reject of task?.pending ?? []) reject(error);
  task?.pending.clear();
}

/** An iterable for `for await`: an interrupt ends the loop and closes the iterator. */
export function interruptibleIterable<T>(iterable: AsyncIterable<T> | Iterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const isAsync = Symbol.asyncIterator in iterable;
      const iterator = isAsync ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]();
      return {
        next: async () => {
          try {
            const result = await interruptible(iterator.next());
            // `for await` over a plain iterable awaits its values.
            return isAsync || result.done === true ? result : { ...result, value: await interruptible(result.value) };
          } catch (error) {
            // An iterator that failed by itself is closed already; one that was interrupted is to clean up.
            if (KeyboardInterrupt.is(error)) void closeQuietly(iterator);
            throw error;
          }
        },
        return: async (value?: unknown) => {
          await iterator.return?.(value);
          return { done: true, value: undefined };
        },
      };
    },
  };
}

async function closeQuietly(iterator: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // The interrupt is what the user is told of.
  }
}

/** Whether a value is a promise, or can be awaited like one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return value !== null && typeof value === "object" && typeof (value as { then?: unknown }).then === "function";
}

/** What the interrupt thread and the main thread share. */
export interface InterruptThreadData {
  /** The number of the last interrupt that was heard. */
  readonly heard: Int32Array<SharedArrayBuffer>;
  /** A value of {@link STAGE}. */
  readonly stage: Int32Array<SharedArrayBuffer>;
}

export interface HearInterrupt {
  readonly serial: number;
  readonly ids: readonly number[];
  readonly givesUpPreload: boolean;
  /** Whether the thread has terminated what ran. */
  readonly terminated: boolean;
}

/** Says to the interrupt thread that the task of this id, which it has interrupted, is over. */
export type TaskEnded = number;

/**
 * Starts the interrupt thread.
 *
 * @param afterwards is given the ids of each interrupt when all of them have been told, and may get them again
 * @returns what is to be told of the end of each task, so that nothing of a later one is taken for one that was interrupted
 */
export function listenForInterrupts(afterwards: (ids: readonly number[]) => void): (ended: TaskEnded) => void {
  noteStops((task) => running.has(task));
  const heard = new Int32Array(new SharedArrayBuffer(4));
  /** What the thread has interrupted, and does not know the end of. */
  const asked = new Set<TaskEnded>();
  const thread = new Worker(program("session/interrupt-thread"), {
    workerData: { heard, stage } satisfies InterruptThreadData,
    // Nothing of the session's own flags (heap size, say) is for this thread.
    execArgv: [],
  });
  thread.on("message", ({ serial, ids, givesUpPreload, terminated }: HearInterrupt) => {
    afterTermination();
    if (givesUpPreload) giveUpLoading?.();
    for (const id of ids) {
      asked.add(id);
      interrupt(id);
      if (terminated) running.get(id)?.hooks.terminated();
    }
    afterwards(ids);
    // Not before: a termination that strikes here, on a busy machine, has the thread say it again.
    Atomics.store(heard, 0, serial);
  });
  thread.unref();
  return (ended) => {
    early.delete(ended);
    if (asked.delete(ended)) thread.postMessage(ended);
  };
}

/** Interrupts a task, or goes on with that. */
function interrupt(id: number): void {
  const task = running.get(id);
  if (task === undefined) early.add(id);
  if (task === undefined || task.told === true) return;
  task.reason ??= new KeyboardInterrupt();
  for (const reject of task.pending) reject(task.reason);
  task.pending.clear();
  task.hooks.interrupted();
  task.told = true;
}
