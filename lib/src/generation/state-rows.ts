/** States of several texts in one batch, of the type that the model has: rows taken out, and put together. */
import type { SequenceState } from "../model/language-model.js";

/** A new state of the rows, in this order; a row may come more than once. */
export function selectRows<S extends SequenceState>(state: S, rows: readonly number[]): S {
  return state.selectRows(rows) as S;
}

/** A new state of the rows of all, one after the other. */
export function joinRows<S extends SequenceState>([first, ...others]: readonly S[]): S {
  return first!.joinRows(others) as S;
}
