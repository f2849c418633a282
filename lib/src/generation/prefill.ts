/** Prompts, of any lengths, through a model in parallel form. */
import { setImmediate } from "node:timers/promises";

import * as tf from "@tensorflow/tfjs-core";

import type { LanguageModel } from "../model/model.js";
import type { ModelState } from "../model/state.js";
import type { TokenIds } from "../tokenizers/tokenizer.js";
import { joinRows, selectRows } from "./state-rows.js";

/** Where rows stand: the logits for their next tokens, and the state of all of them. */
export interface RowsAhead {
  /** one array of V a row */
  readonly logits: readonly Float32Array[];
  readonly state: ModelState;
}

/**
 * Runs prompts side by side, each from its row of the state, without padding: all rows run up to the end of the shortest,
 * then the others up to the end of the next, and so on. At most `chunk` tokens of each row run at once, so that the memory
 * that activations and logits take does not grow with the prompt.
 *
 * @param prompts at least one token each
 * @param state one row a prompt; it is not changed and stays the caller's
 */
export async function prefill(
  model: LanguageModel,
  prompts: readonly TokenIds[],
  state: ModelState | undefined,
  { chunk, signal }: { chunk: number; signal?: AbortSignal },
): Promise<RowsAhead> {
  const logits: Float32Array[] = [];
  const ended: { rows: readonly number[]; state: ModelState }[] = [];
  let rows = prompts.map((_, row) => row);
  let position = 0;
  let current = state;
  const replaceBy = (next: ModelState | undefined): void => {
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

function inOrder(groups: readonly { rows: readonly number[]; state: ModelState }[]): ModelState {
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
export async function forward(
  model: LanguageModel,
  tokens: readonly ArrayLike<number>[],
  state: ModelState | undefined,
  wantLogits = true,
): Promise<RowsAhead> {
  const time = tokens[0]!.length;
  const data = new Int32Array(tokens.length * time);
  tokens.forEach((row, i) => data.set(Array.from(row), i * time));
  const result = model.forward({ data, shape: [tokens.length, time] }, state);
  try {
    const logits = wantLogits ? await lastLogits(result.logits) : [];
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

async function lastLogits(logits: tf.Tensor3D): Promise<Float32Array[]> {
  const [batch, time, vocabulary] = logits.shape;
  const last = time === 1 ? logits : tf.slice(logits, [0, time - 1, 0], [batch, 1, vocabulary]);
  try {
    const values = await last.data<"float32">();
    return Array.from({ length: batch }, (_, row) => values.slice(row * vocabulary, (row + 1) * vocabulary));
  } finally {
    if (last !== logits) last.dispose();
  }
}
