/**
 * Where errors were awaited. Of what Node rejects from callbacks of its inside (the end of a child, a name that is not found, the last
 * of `Promise.any`) the stack has no line of the user's; the `await` that it came through has one. The same goes for the interrupt of
 * what was terminated (`stopped-at.ts`).
 */
import { types } from "node:util";

/** By what was thrown, an error that was made at the innermost `await`, or where it was terminated. */
const awaits = new WeakMap<object, Error>();

/** Notes that an `await` of the function that runs throws this. */
export function noteAwait(thrown: unknown): void {
  if (types.isNativeError(thrown) && !awaits.has(thrown)) awaits.set(thrown, new Error());
}

/** Notes that an interrupt comes from where this error was made, whatever has awaited it. */
export function noteStop(interrupt: Error, stop: Error): void {
  awaits.set(interrupt, stop);
}

/** An error whose stack is that of the innermost `await` through which this one came. */
export function awaitedAt(error: Error): Error | undefined {
  return awaits.get(error);
}
