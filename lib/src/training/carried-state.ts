/**
 * Batches whose rows go on from the batch before: the forward pass from a state that is carried over, with a fresh state
 * for a row wherever one of its documents begins.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Scalar, Tensor, Tensor3D } from "@tensorflow/tfjs-core";

import type { Batch, PositionMask } from "../data/batch.js";
import { ConfigurationError, ShapeError } from "../errors.js";
import type { ForwardOptions, ForwardResult, LanguageModel, SequenceState } from "../model/language-model.js";
import type { TokenMatrix } from "../model/tokens.js";

/**
 * Logits of a batch and the state after it. The sequences are cut at each position where any row begins a document; there
 * those rows go on from the model's initial state, the others from where they were. As a model gives the same for a text
 * cut anywhere, this is exact: every document is read as if it stood alone. Each position at which documents begin costs
 * another, shorter pass.
 *
 * Differentiable in the parameters, through the cuts; `state` is a constant.
 *
 * @param state of as many rows as the batch; left out, all rows begin a text
 * @param addLoss takes what the model adds to the loss; of a piece, as much as the piece is of the whole
 * @throws ShapeError when `batch.starts` has another shape than the inputs
 * @throws ConfigurationError when the state is of another number of rows
 */
export function forwardStreams(
  model: LanguageModel,
  batch: Batch,
  state?: SequenceState,
  addLoss?: ForwardOptions["addLoss"],
): ForwardResult {
  const { inputs, starts } = batch;
  const [rows, time] = inputs.shape;
  if (state && state.batchSize !== rows) {
    throw new ConfigurationError(
      `train: carryState wants batches of the same number of rows, which go on; the batch before had ` +
        `${state.batchSize}, this one has ${rows}`,
    );
  }
  const cuts = cutsOf(starts, inputs.shape);
  const parts: Tensor3D[] = [];
  let at = state;
  cuts.forEach((from, i) => {
    const beginning = rowsThatBegin(starts, from, rows, time);
    if (at && beginning.length > 0) at = withFreshRows(model, at, beginning);
    const to = cuts[i + 1] ?? time;
    const share = (loss: Scalar): void => addLoss?.(tf.mul(loss, (to - from) / time));
    const result = model.forward(columns(inputs, from, to), at, { addLoss: share });
    parts.push(result.logits);
    at = result.state;
  });
  return { logits: parts.length === 1 ? parts[0]! : tf.concat(parts, 1), state: at! };
}

/** Where the sequences are cut: at 0, and wherever a row begins a document. */
function cutsOf(starts: PositionMask | undefined, [rows, time]: readonly [number, number]): number[] {
  if (!starts) return [0];
  const { data, shape } = starts;
  if (shape[0] !== rows || shape[1] !== time || data.length !== rows * time) {
    const given = `[${shape.join(", ")}] with ${data.length} values`;
    throw new ShapeError("batch", "starts", given, `[${rows}, ${time}], as the inputs`);
  }
  const cuts = new Set([0]);
  data.forEach((begins, i) => begins !== 0 && cuts.add(i % time));
  return [...cuts].sort((a, b) => a - b);
}

function rowsThatBegin(starts: PositionMask | undefined, at: number, rows: number, time: number): number[] {
  if (!starts) return [];
  return Array.from({ length: rows }, (_, row) => row).filter((row) => starts.data[row * time + at] !== 0);
}

/** The state with these rows as before any token. */
function withFreshRows(model: LanguageModel, state: SequenceState, fresh: readonly number[]): SequenceState {
  const rows = state.batchSize;
  if (fresh.length === rows) return model.initialState(rows);
  const both = state.joinRows([model.initialState(1)]);
  return both.selectRows(Array.from({ length: rows }, (_, row) => (fresh.includes(row) ? rows : row)));
}

/** The tokens of some positions, all rows. */
function columns(inputs: TokenMatrix, from: number, to: number): TokenMatrix {
  const [rows, time] = inputs.shape;
  if (from === 0 && to === time) return inputs;
  const data = new Int32Array(rows * (to - from));
  for (let row = 0; row < rows; row++) {
    data.set(inputs.data.subarray(row * time + from, row * time + to), row * (to - from));
  }
  return { data, shape: [rows, to - from] };
}

/**
 * A state that was carried over, out of a checkpoint's tensors, which stay the caller's.
 *
 * @throws ConfigurationError when they are not of the model's kind of state
 */
export function restoredState(
  model: LanguageModel,
  tensors: readonly Tensor[],
  positions: readonly number[],
): SequenceState {
  const fresh = model.initialState(positions.length);
  try {
    // Of a part with an entry a token, only the number of axes and of rows is known beforehand.
    const wanted = fresh.tensors();
    const fits = tensors.every(({ shape }, i) => shape.length === wanted[i]?.rank && shape[0] === positions.length);
    if (!fresh.withTensors || !fits || tensors.length !== wanted.length) {
      throw new ConfigurationError(
        "train: the state that the checkpoint carries is not of this kind of model: give the model that it was trained with",
      );
    }
    return fresh.withTensors(
      tensors.map((tensor) => tf.keep(tf.clone(tensor))),
      positions,
    );
  } finally {
    fresh.dispose();
  }
}
