/** What code leaves open that was terminated in its middle, without its `finally` blocks; and how it is closed. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import * as tf from "@tensorflow/tfjs-core";

const open = new Set<() => void>();

/** Has a termination call `close`, until the function that is returned is called. */
export function closeAfterTermination(close: () => void): () => void {
  open.add(close);
  return () => void open.delete(close);
}

/**
 * Puts TensorFlow.js and the library in order after code was terminated in its middle, as a notebook's kernel does with a
 * cell that hears no interrupt: closes scopes and frees what they hold, forgets the gradient that was being recorded, ends a
 * profile that was being made, and soon frees trainings that nobody can reach any more. For what hosts the library; call it
 * when nothing else of the session runs.
 */
export function afterTermination(): void {
  const engine = tf.engine();
  const { state } = engine;
  while (state.scopeStack.length > 0) engine.endScope();
  state.gradientDepth = 0;
  state.kernelDepth = 0;
  state.numDataMovesStack = [];
  // What the tape holds for the way back is in no scope.
  for (const { saved } of state.activeTape ?? []) if (saved) tf.dispose(saved);
  state.activeTape = [];
  for (const close of open) close();
  // When what was terminated is out of reach.
  setImmediate(collectGarbage);
}

/** Trainings are freed with the garbage, and V8, which sees nothing of a GPU's memory, may not look for any for long. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
}
