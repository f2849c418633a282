/** Edits of activations and states: what a caller says of one, and the function that it comes to. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ConfigurationError } from "../errors.js";
import { ActivationValues } from "./activation-values.js";
import { momentOf } from "./activation-places.js";

/** Which tokens: by number, from the beginning of the text (0); a stretch, `to` not included; or by a rule. */
export type PositionChoice =
  number | readonly number[] | { from?: number; to?: number } | ((position: number) => boolean);

/** Where an edit function is. */
export interface EditContext {
  /** e.g. `blocks.1.att.wkv` */
  readonly name: string;
  /**
   * of each row, the number of each token in the value, from the beginning of the text: `[B][T]`. Of a state `[B][1]`: the
   * token that it is after, or before
   */
  readonly positions: readonly (readonly number[])[];
}

/** Numbers for {@link Edit}: one for all; nested arrays or a tensor that broadcast to a token's `[H, N]`, a state's `[H, N, N]`. */
export type EditValues = number | readonly EditValues[] | Tensor;

/**
 * What is done: `"zero"`; `{ scale: 0.5 }`; `{ add: values }`; `{ set: values }`, or set to what a trace of another text
 * holds at the same position (counted from the first traced token, here from the beginning of the text); `{ swapHeads: [0, 1] }`; `{ swapRows: [0, 1] }`; or a function from the value, `[B, T, …]` or
 * a state's `[B, …]`, to another of its shape. A text may come in pieces: what a function does at a token must not depend
 * on which others came with it.
 */
export type EditAction =
  | "zero"
  | { readonly scale: number }
  | { readonly add: EditValues }
  | { readonly set: EditValues | ActivationValues }
  | { readonly swapHeads: readonly [number, number] }
  | { readonly swapRows: readonly [number, number] }
  | ((value: Tensor, context: EditContext) => Tensor);

/** One edit of what happens inside a model. */
export interface Edit {
  /** patterns of names, as in `ms.trace`: `blocks.1.state.wkv`, `blocks.*.att.wkv` */
  at: string | readonly string[];
  /**
   * which tokens, by their number from the beginning of the text; default all. Of a state: after these (`….state.wkv`), or
   * before these (`….before.wkv`)
   */
  positions?: PositionChoice;
  /** which rows of the batch; default all */
  rows?: number | readonly number[];
  /** which heads; default all */
  heads?: number | readonly number[];
  edit: EditAction;
}

/** An edit, checked. */
export interface CheckedEdit {
  readonly edit: Edit;
  readonly names: ReadonlySet<string>;
  /** those of them that are states which hold more with every token */
  readonly growing: ReadonlySet<string>;
  readonly isChosen: (position: number) => boolean;
}

/** The value with the edit where it applies; the value itself where it does not. Differentiable. */
export function applyEdit({ edit, isChosen, growing }: CheckedEdit, value: Tensor, context: EditContext): Tensor {
  const { positions, name } = context;
  const rows = asSet(edit.rows);
  const held = heldPositions(edit.edit);
  const chosen = positions.map((row, b) =>
    row.map((position) => (!rows || rows.has(b)) && isChosen(position) && (!held || held.has(position))),
  );
  if (!chosen.flat().includes(true)) return value;
  const axis = headAxis(name, value.rank, growing.has(name));
  const edited = changed(edit.edit, value, context, axis);
  const heads = asSet(edit.heads);
  if (!heads && !chosen.flat().includes(false)) return edited;
  return tf.where(maskOf(name, value, chosen, heads, axis), edited, value);
}

/** The axis of heads of an activation `[B, T, H, N]`, a state `[B, H, N, N]`, or one that grows, `[B, P, H, N]`; −1 for none. */
export function headAxis(name: string, rank: number, grows: boolean): number {
  if (rank !== 4) return -1;
  return momentOf(name) === "tokens" || grows ? 2 : 1;
}

/** Numbers as a list. */
export function listOf(choice: number | readonly number[]): readonly number[] {
  return typeof choice === "number" ? [choice] : choice;
}

function asSet(choice: number | readonly number[] | undefined): ReadonlySet<number> | undefined {
  return choice === undefined ? undefined : new Set(listOf(choice));
}

/** The positions that a patch knows; others stay as they are. */
function heldPositions(action: EditAction): ReadonlySet<number> | undefined {
  const patch = typeof action === "object" && "set" in action ? action.set : undefined;
  return patch instanceof ActivationValues && patch.axes.includes("position") ? new Set(patch.positions) : undefined;
}

function maskOf(
  name: string,
  value: Tensor,
  chosen: readonly (readonly boolean[])[],
  heads: ReadonlySet<number> | undefined,
  axis: number,
): Tensor {
  const isState = momentOf(name) !== "tokens";
  const shape = value.shape.map(() => 1);
  shape[0] = chosen.length;
  if (!isState) shape[1] = chosen[0]!.length;
  const places = tf.tensor(chosen.flat(), shape, "bool");
  if (!heads || axis < 0) return tf.broadcastTo(places, value.shape);
  const headShape = value.shape.map((size, i) => (i === axis ? size : 1));
  const ofHeads = Array.from({ length: value.shape[axis]! }, (_, head) => heads.has(head));
  return tf.broadcastTo(tf.logicalAnd(places, tf.tensor(ofHeads, headShape, "bool")), value.shape);
}

function changed(action: EditAction, value: Tensor, context: EditContext, axisOfHeads: number): Tensor {
  if (action === "zero") return tf.zerosLike(value);
  if (typeof action === "function") return action(value, context);
  if ("scale" in action) return tf.mul(value, action.scale);
  if ("add" in action) return tf.add(value, tensorOf(context.name, action.add, value));
  if ("swapHeads" in action) return swapped(value, axisOfHeads, action.swapHeads);
  if ("swapRows" in action) return swapped(value, 0, action.swapRows);
  if (action.set instanceof ActivationValues) return patch(action.set, value, context);
  return tf.broadcastTo(tensorOf(context.name, action.set, value), value.shape);
}

/** Exchanges two indices of an axis. Their sum would do it too, but not exactly. */
function swapped(value: Tensor, axis: number, [a, b]: readonly [number, number]): Tensor {
  const size = value.shape[axis]!;
  if (!(a < size && b < size)) {
    throw new ConfigurationError(`intervene: ${a} and ${b} cannot be swapped, wanted numbers below ${size}`);
  }
  const order = Array.from({ length: size }, (_, i) => (i === a ? b : i === b ? a : i));
  return tf.gather(value, tf.tensor1d(order, "int32"), axis);
}

function tensorOf(name: string, values: EditValues, value: Tensor): Tensor {
  const tensor = values instanceof tf.Tensor ? values : tf.tensor(values as number[], undefined, "float32");
  const room = value.shape.slice(momentOf(name) === "tokens" ? 2 : 1);
  const fits =
    tensor.rank <= room.length &&
    tensor.shape.every((size, axis) => size === 1 || size === room[room.length - tensor.rank + axis]);
  if (fits) return tensor;
  throw new ConfigurationError(
    `intervene: values for ${name} are [${tensor.shape.join(", ")}], wanted what broadcasts to [${room.join(", ")}], ` +
      `one token's share`,
  );
}

/** What another text's trace holds at the same positions, as a tensor; rows of it by row, or its only row for all. */
function patch(held: ActivationValues, value: Tensor, { name, positions }: EditContext): Tensor {
  const isState = momentOf(name) !== "tokens";
  const { axes, shape, data } = held;
  const hasRows = axes.includes("row");
  const hasPositions = axes.includes("position");
  const own = shape.slice((hasRows ? 1 : 0) + (hasPositions ? 1 : 0));
  const room = value.shape.slice(isState ? 1 : 2);
  const rowsHeld = hasRows ? shape[0]! : 1;
  const fits = own.length === room.length && own.every((size, axis) => size === room[axis]);
  if (!fits || (rowsHeld !== 1 && rowsHeld !== value.shape[0])) {
    throw new ConfigurationError(
      `intervene: the traced ${held.name} is [${shape.join(", ")}] (${axes.join(", ")}), which does not fit ${name}, ` +
        `[${value.shape.join(", ")}]: wanted 1 or ${value.shape[0]} rows, and of each token [${room.join(", ")}]`,
    );
  }
  const block = own.reduce((a, b) => a * b, 1);
  const count = hasPositions ? held.positions.length : 1;
  const place = new Map(held.positions.map((position, i) => [position, i]));
  const time = positions[0]!.length;
  const values = new Float32Array(positions.length * time * block);
  positions.forEach((row, b) =>
    row.forEach((position, t) => {
      const at = hasPositions ? place.get(position) : 0;
      if (at === undefined) return;
      const from = ((rowsHeld === 1 ? 0 : b) * count + at) * block;
      values.set(data.subarray(from, from + block), (b * time + t) * block);
    }),
  );
  return tf.tensor(values, value.shape);
}
