/** Which cell a piece of code belongs to: the one that started it, also when it runs long after. */
import { AsyncLocalStorage } from "node:async_hooks";

const storage = new AsyncLocalStorage<number>();
let latest = 0;

/** Runs `body` as part of a cell; what it starts (timers, promises, listeners) stays part of it. */
export function runAsCell<T>(cell: number, body: () => T): T {
  latest = cell;
  return storage.run(cell, body);
}

/** Id of the cell that the running code belongs to, or of the latest one where that is not known. */
export function currentCell(): number {
  return storage.getStore() ?? latest;
}
