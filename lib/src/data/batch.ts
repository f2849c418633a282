/** What training takes: tokens, what should come after them, and which of that counts. */
import type { OptionNames } from "../arguments.js";
import { ConfigurationError } from "../errors.js";
import { tokenMatrix, type TokenMatrix, type TokenRows } from "../model/tokens.js";

/** One byte a position, 0 or 1, row-major `[B, T]`. */
export interface PositionMask {
  readonly data: Uint8Array;
  readonly shape: readonly [batch: number, time: number];
}

/** Inputs, and at each position the token wanted there (in text: the one that follows): int32 `[B, T]`, plain data. */
export interface Batch {
  readonly inputs: TokenMatrix;
  readonly targets: TokenMatrix;
  /** 1 where the target counts in loss and accuracy; left out, all count */
  readonly mask?: PositionMask;
  /** 1 where an input is the first token of a document, or of a stream; left out, none begins here that is told apart */
  readonly starts?: PositionMask;
}

/** A {@link Batch} as a loader of your own may give it: each part may be rows of numbers as well. */
export interface BatchLike {
  readonly inputs: TokenMatrix | TokenRows;
  readonly targets: TokenMatrix | TokenRows;
  readonly mask?: PositionMask | TokenRows | undefined;
  readonly starts?: PositionMask | TokenRows | undefined;
}

/** What loaders and tasks want to know of batches. */
export interface BatchSizeOptions {
  /** B: sequences a batch */
  batchSize: number;
  /** the same seed gives the same batches; default 0 */
  seed?: number;
  /** the number of the batch to begin with, from 0: what a training that goes on passes to get the same ones. Default 0 */
  start?: number;
}

/** Their names. */
export const batchSizeNames: OptionNames<BatchSizeOptions> = { batchSize: true, seed: true, start: true };

/**
 * Throws unless all are integers, positive or from 0.
 *
 * @throws ConfigurationError naming what asked, and the option
 */
export function checkIntegers(what: string, positive: Record<string, number>, fromZero: Record<string, number>): void {
  const check = (values: Record<string, number>, least: number): void => {
    for (const [name, value] of Object.entries(values)) {
      if (Number.isSafeInteger(value) && value >= least) continue;
      throw new ConfigurationError(`${what}: ${name} is ${value}, wanted an integer of ${least} or more`);
    }
  };
  check(positive, 1);
  check(fromZero, 0);
}

/**
 * The batch as plain data: what a loader of one's own gives may be rows of numbers, and may be anything in a cell that was not
 * type-checked.
 *
 * @throws ConfigurationError that says what a batch is; ShapeError, TokenError for rows that are no matrix of tokens
 */
export function expectBatch(op: string, batch: Partial<BatchLike> | null | undefined): Batch {
  const tokens = (part: "inputs" | "targets"): TokenMatrix => {
    const given = batch?.[part];
    if (isRows(given)) return tokenMatrix(`${op} (${part})`, given);
    if (ArrayBuffer.isView(given?.data)) return given;
    throw new ConfigurationError(
      `${op}: a batch has no inputs and targets, each rows of numbers or {data, shape}, wanted batches as ms.data.batches and ` +
        `tasks give them`,
    );
  };
  const positions = (part: "mask" | "starts"): Partial<Record<typeof part, PositionMask>> => {
    const given = batch?.[part];
    if (!isRows(given)) return given ? { [part]: given } : {};
    const { data, shape } = tokenMatrix(`${op} (${part})`, given);
    return { [part]: { data: Uint8Array.from(data), shape } };
  };
  return { inputs: tokens("inputs"), targets: tokens("targets"), ...positions("mask"), ...positions("starts") };
}

function isRows(given: TokenMatrix | PositionMask | TokenRows | undefined): given is TokenRows {
  return Array.isArray(given);
}

/**
 * Throws unless batches can be taken of it, one by one.
 *
 * @throws ConfigurationError that says what gives batches
 */
export function expectBatches(op: string, batches: unknown): void {
  const canBeTaken =
    typeof batches === "object" && batches !== null && (Symbol.asyncIterator in batches || Symbol.iterator in batches);
  if (canBeTaken) return;
  throw new ConfigurationError(
    `${op}: the batches are ${batches === undefined ? "missing" : typeof batches}, wanted batches as ms.data.batches and tasks ` +
      "give them",
  );
}

/** Rows of a batch, put together. All have the same length. */
export interface SequenceRow {
  readonly inputs: ArrayLike<number>;
  readonly targets: ArrayLike<number>;
  readonly mask?: ArrayLike<number>;
  readonly starts?: ArrayLike<number>;
}

/** A batch of rows. It has a mask, or starts, when its first row has. */
export function batchOf(rows: readonly SequenceRow[]): Batch {
  const shape = [rows.length, rows[0]!.inputs.length] as const;
  const fill = <T extends Int32Array | Uint8Array>(data: T, part: keyof SequenceRow): T => {
    rows.forEach((row, i) => data.set(row[part]!, i * shape[1]));
    return data;
  };
  const size = shape[0] * shape[1];
  const { mask, starts } = rows[0]!;
  return {
    inputs: { data: fill(new Int32Array(size), "inputs"), shape },
    targets: { data: fill(new Int32Array(size), "targets"), shape },
    ...(mask && { mask: { data: fill(new Uint8Array(size), "mask"), shape } }),
    ...(starts && { starts: { data: fill(new Uint8Array(size), "starts"), shape } }),
  };
}
