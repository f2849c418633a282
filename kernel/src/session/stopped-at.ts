/**
 * Where tasks stood when they were terminated. What is terminated tells nothing of itself, so the interrupt thread has V8's inspector
 * call a function first, in the midst of whatever the main thread does.
 */
import { currentTask } from "./current-cell.js";

const NAME = "cell.note-stop";
/** The call; tracebacks hide frames of scripts with such a name. */
export const NOTE_STOP = `globalThis[Symbol.for("${NAME}")]()\n//# sourceURL=node:internal/note-stop`;

/** Errors that were made there: a stack is written only where somebody reads it. */
const stops = new Map<number, Error>();

/** Puts the function where the inspector finds it. It notes nothing of tasks that are over. */
export function noteStops(isRunning: (task: number) => boolean): void {
  const note = (): void => {
    const task = currentTask();
    if (isRunning(task) && !stops.has(task)) stops.set(task, new Error());
  };
  Object.defineProperty(globalThis, Symbol.for(NAME), { value: note });
}

/** An error whose stack is that of the task when it was terminated, if it was; once. */
export function takeStop(task: number): Error | undefined {
  const stop = stops.get(task);
  stops.delete(task);
  return stop;
}
