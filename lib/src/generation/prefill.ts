/** Prompts, of any lengths, through a model in parallel form. */
import { setImmediate } from "node:timers/promises";

import type { Tensor3D } from "@tensorflow/tfjs-core";

import type { LanguageModel, SequenceState } from "../model/language-model.js";
import type { TokenIds } from "../tokenizers/tokenizer.js";
import { joinRows, selectRows } from "./state-rows.js";

/** Where rows stand: the logits for their next tokens, and the state of all of them. */
export interface RowsAhead<S extends SequenceState> {
  /** one array of V a row */
  readonly logits: readonly Float32Array[];
  readonly state: S;
}

/**
 * Runs prompts side by side, each from its row of the state, without padding: all rows run up to the end of the shortest,
 * then the others up to the end of the next, and so on. At most `chunk` tokens of each row run at once, so that the memory
 * that activations and logits take does not grow with the prompt.
 *
 * @param prompts at least one token each
 * @param state one row a prompt; it is not changed and stays the caller's
 */
export async function prefill<S extends SequenceState>(
  model: LanguageModel<S>,
  prompts: readonly TokenIds[],
  state: S | undefined,
  { chunk, signal }: { chunk: number; signal?: AbortSignal },
): Promise<RowsAhead<S>> {
  const logits: Float32Array[] = [];
  const ended: { rows: readonly number[]; state: S }[] = [];
  let rows = prompts.map((_, row) => row);
  let position = 0;
  let current = state;
  const replaceBy = (next: S | undefined): void => {
    if (current !== state) current?.dispose();
    current = next;
  };
  try {
    while (rows.length > 0) {
      signal?.throwIfAborted();
      const end = rows.reduce((least, row) => Math.min(least, prompts[row]!.length), position + chunk);
      const isLast = rows.some((row) => prompts[row]!.length === end);
      const tokens = rows.map((row) => prompts[row]!.subarray(position, end));
      const result = await forward(model, tokens, current, isLast);
      replaceBy(result.state);
      position = end;
      if (!isLast) continue;
      rows.forEach((row, i) => {
        if (prompts[row]!.length === end) logits[row] = result.logits[i]!;
      });
      const going = rows.filter((row) => prompts[row]!.length > end);
      const places = (some: readonly number[]): number[] => some.map((row) => rows.indexOf(row));
      const gone = rows.filter((row) => prompts[row]!.length === end);
      if (going.length === 0) {
        ended.push({ rows, state: result.state });
        // It is among the ended ones now.
        current = undefined;
      } else {
        ended.push({ rows: gone, state: selectRows(result.state, places(gone)) });
        replaceBy(selectRows(result.state, places(going)));
      }
      rows = going;
    }
    return { logits, state: inOrder(ended) };
  } catch (error) {
    replaceBy(undefined);
    for (const group of ended) group.state.dispose();
    throw error;
  }
}

function inOrder<S extends SequenceState>(groups: readonly { rows: readonly number[]; state: S }[]): S {
  if (groups.length === 1) return groups[0]!.state;
  const joined = joinRows(groups.map(({ state }) => state));
  for (const { state } of groups) state.dispose();
  const order = groups.flatMap(({ rows }) => rows);
  const state = selectRows(
    joined,
    order.map((_, row) => order.indexOf(row)),
  );
  joined.dispose();
  return state;
}

/**
 * Runs tokens, as many a row, from a state.
 *
 * @param wantLogits whether the logits after each row's last token are read; else there are none
 */
export async function forward<S extends SequenceState>(
  model: LanguageModel<S>,
  tokens: readonly ArrayLike<number>[],
  state: S | undefined,
  wantLogits = true,
): Promise<RowsAhead<S>> {
  const time = tokens[0]!.length;
  const data = new Int32Array(tokens.length * time);
  tokens.forEach((row, i) => data.set(Array.from(row), i * time));
  const result = model.forward({ data, shape: [tokens.length, time] }, state, { logits: "last" });
  try {
    const logits = wantLogits ? await rowsOf(result.logits) : [];
    // Output, interrupts and other cells get their turn.
    await setImmediate();
    return { logits, state: result.state };
  } catch (error) {
    result.state.dispose();
    throw error;
  } finally {
    result.logits.dispose();
  }
}

/** @param logits `[B, 1, V]` */
async function rowsOf(logits: Tensor3D): Promise<Float32Array[]> {
  const [batch, , vocabulary] = logits.shape;
  const values = await logits.data<"float32">();
  return Array.from({ length: batch }, (_, row) => values.slice(row * vocabulary, (row + 1) * vocabulary));
}
