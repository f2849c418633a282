/** Tokens at the door of a model: several forms in, one checked int32 tensor out. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D } from "@tensorflow/tfjs-core";

import { ShapeError, TokenError } from "../errors.js";
import { describeTensor } from "../ops/shape.js";

/** Tokens `[B, T]` as plain data: what batches hold, so that nothing needs disposing. */
export interface TokenMatrix {
  /** row-major */
  readonly data: Int32Array;
  readonly shape: readonly [batch: number, time: number];
}

/** Texts side by side, a row each, all of one length: lists of numbers, or what a tokenizer's `encode` gives. */
export type TokenRows = readonly ArrayLike<number>[];

/** What {@link Model.forward} takes: rows of numbers, plain data, or an int32 tensor `[B, T]`. */
export type Tokens = TokenRows | TokenMatrix | Tensor;

/**
 * A new int32 tensor `[B, T]` of the tokens.
 *
 * @throws ShapeError when they are not a matrix with at least one token; TokenError when one is not in 0 … vocabSize − 1
 */
export function tokenTensor(op: string, tokens: Tokens, vocabSize: number): Tensor2D {
  if (tokens instanceof tf.Tensor) {
    if (tokens.dtype !== "int32" || tokens.rank !== 2 || tokens.size === 0) {
      throw new ShapeError(op, "tokens", describeTensor(tokens), "[B, T] int32, not empty");
    }
    // On a GPU this read waits for the device; plain tokens are checked before they go there.
    const shape = tokens.shape as [number, number];
    checkTokens(op, tokens.dataSync<"int32">(), shape[1], vocabSize);
    return tf.clone(tokens) as Tensor2D;
  }
  const { data, shape } = isTokenMatrix(tokens) ? tokens : tokenMatrix(op, tokens);
  if (data.length === 0 || data.length !== shape[0] * shape[1]) {
    throw new ShapeError(op, "tokens", `[${shape.join(", ")}] with ${data.length} values`, "[B, T], not empty");
  }
  checkTokens(op, data, shape[1], vocabSize);
  return tf.tensor2d(data, [shape[0], shape[1]], "int32");
}

/** Whether they are plain data of a batch. */
export function isTokenMatrix(tokens: readonly unknown[] | TokenMatrix): tokens is TokenMatrix {
  return typeof tokens === "object" && "data" in tokens && "shape" in tokens;
}

/**
 * Rows of numbers as plain data.
 *
 * @throws ShapeError when the rows differ in length; TokenError when a token is no integer
 */
export function tokenMatrix(op: string, rows: TokenRows): TokenMatrix {
  const wrong = Array.isArray(rows) ? rows.findIndex((row: unknown) => typeof row !== "object") : 0;
  if (wrong >= 0) {
    const given = Array.isArray(rows) ? "a list of single tokens" : typeof rows;
    throw new ShapeError(op, "tokens", given, "rows of numbers, [[1, 2, 3]] for one text");
  }
  const time = rows[0]?.length ?? 0;
  const ragged = rows.findIndex((row) => row.length !== time);
  if (ragged >= 0) {
    throw new ShapeError(op, `tokens[${ragged}]`, `${rows[ragged]!.length} tokens long`, `${time}, as the first row`);
  }
  const data = new Int32Array(rows.length * time);
  rows.forEach((row, b) => {
    for (let t = 0; t < time; t++) {
      const token = row[t]!;
      // Beyond 32 bits an Int32Array would hold another token.
      if (token !== (token | 0)) throw new TokenError(`${op}: tokens[${b}][${t}] is ${token}, wanted an integer`);
      data[b * time + t] = token;
    }
  });
  return { data, shape: [rows.length, time] };
}

function checkTokens(op: string, data: ArrayLike<number>, time: number, vocabSize: number): void {
  for (let i = 0; i < data.length; i++) {
    const token = data[i]!;
    if (token < 0 || token >= vocabSize) {
      throw new TokenError(
        `${op}: tokens[${Math.floor(i / time)}][${i % time}] is ${token}, wanted 0 to ${vocabSize - 1} ` +
          `(the model's vocabSize is ${vocabSize})`,
      );
    }
  }
}
