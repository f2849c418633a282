/** Which cell a piece of code belongs to: the one that started it, also when it runs long after. */
import { AsyncLocalStorage } from "node:async_hooks";

interface Belonging {
  /** The cell on which output appears. */
  readonly cell: number;
  /** What is running: the cell itself, or the handling of a client's message by a handler of the cell's. */
  readonly task: number;
}

const storage = new AsyncLocalStorage<Belonging>();
let latest = 0;

/** Runs `body` as part of a cell; what it starts (timers, promises, listeners) stays part of it. */
export function runAsCell<T>(cell: number, body: () => T): T {
  latest = cell;
  return storage.run({ cell, task: cell }, body);
}

/** Runs a handler of a cell's for a client's message of this id. */
export function runAsHandler<T>(cell: number, message: number, body: () => T): T {
  return storage.run({ cell, task: message }, body);
}

/** Id of the cell that the running code belongs to, or of the latest one where that is not known. */
export function currentCell(): number {
  return storage.getStore()?.cell ?? latest;
}

/** Id of what an interrupt of the running code would stop: a cell, or the handling of a client's message. */
export function currentTask(): number {
  return storage.getStore()?.task ?? latest;
}
