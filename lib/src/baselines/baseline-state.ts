/**
 * A baseline's state: what its mixers keep, layer by layer, for rows that may have seen different numbers of tokens. A part that
 * grows has an entry a token, `[B, S, …]` with S of the row that has seen the most; shorter rows stand at the end, with zeros
 * before: so a pass appends to all rows in one piece.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { expectKindOfState } from "../arguments.js";
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { ConfigurationError } from "../errors.js";
import type { SequenceState } from "../model/language-model.js";
import { expectShape } from "../ops/shape.js";
import { tidyValue } from "../ops/tidy.js";
import type { BaselineConfiguration } from "./configuration.js";
import type { MixerStatePart } from "./mixer.js";
import { mixer } from "./registry.js";

/** A layer's tensors by part, e.g. `keys`. */
export type BaselineLayerState = Readonly<Record<string, Tensor>>;

/** The state of all layers. Holds tensors: dispose of it when it is no longer needed (or work inside `tf.tidy`). */
export class BaselineState extends Shown implements SequenceState {
  /**
   * @param layers each with the same parts
   * @param positions how many tokens each row has seen
   * @param growing the parts that have an entry a token
   */
  constructor(
    readonly layers: readonly BaselineLayerState[],
    readonly positions: readonly number[],
    readonly growing: ReadonlySet<string>,
  ) {
    super();
  }

  /** B: rows in the batch. */
  get batchSize(): number {
    return this.positions.length;
  }

  /** S: entries of a part that grows. */
  get cached(): number {
    return longest(this.positions);
  }

  /** All tensors, layer by layer. */
  tensors(): Tensor[] {
    return this.layers.flatMap((layer) => Object.values(layer));
  }

  /** A copy with a life of its own. */
  clone(): BaselineState {
    return this.map(this.positions, (tensor) => tf.clone(tensor));
  }

  selectRows(rows: readonly number[]): BaselineState {
    const positions = rows.map((row) => this.positions[row]!);
    const unused = this.cached - longest(positions);
    return tidyValue(() => {
      const indices = tf.tensor1d([...rows], "int32");
      return this.map(positions, (tensor, grows) => {
        if (!grows) return tf.gather(tensor, indices);
        if (this.cached === unused) return emptyLike(tensor, rows.length);
        return tf.gather(unused > 0 ? withoutFirst(tensor, unused) : tensor, indices);
      });
    });
  }

  joinRows(others: readonly BaselineState[]): BaselineState {
    const states = [this, ...others];
    const positions = states.flatMap((state) => state.positions);
    const cached = longest(positions);
    return tidyValue(() => {
      const layers = this.layers.map((layer, i) => {
        const join = (part: string): Tensor => {
          const tensors = states.map((state) => state.layers[i]![part]!);
          if (!this.growing.has(part)) return tf.concat(tensors, 0);
          if (cached === 0) return emptyLike(tensors[0]!, positions.length);
          return tf.concat(
            tensors.map((tensor) => padFirst(tensor, cached)),
            0,
          );
        };
        return Object.fromEntries(Object.keys(layer).map((part) => [part, join(part)]));
      });
      return new BaselineState(layers, positions, this.growing);
    });
  }

  withTensors(tensors: readonly Tensor[], positions = this.positions): BaselineState {
    const rest = tensors.values();
    const layers = this.layers.map((layer) =>
      Object.fromEntries(Object.keys(layer).map((part) => [part, rest.next().value!])),
    );
    return new BaselineState(layers, positions, this.growing);
  }

  /** Frees the tensors. */
  dispose(): void {
    tf.dispose(this.tensors());
  }

  private map(positions: readonly number[], change: (tensor: Tensor, grows: boolean) => Tensor): BaselineState {
    const layers = this.layers.map((layer) =>
      Object.fromEntries(Object.entries(layer).map(([part, tensor]) => [part, change(tensor, this.growing.has(part))])),
    );
    return new BaselineState(layers, positions, this.growing);
  }

  [jupyterDisplay](): MimeBundle {
    const parts = Object.keys(this.layers[0] ?? {});
    const shapes = (layer: BaselineLayerState): string[] =>
      parts.map((part) => `[${layer[part]!.shape.join(", ")}]${this.growing.has(part) ? " grows" : ""}`);
    const rows = [["layer", ...parts], ...this.layers.map((layer, i) => [String(i), ...shapes(layer)])];
    return tableForms(rows);
  }
}

function longest(positions: readonly number[]): number {
  return Math.max(0, ...positions);
}

function emptyLike(tensor: Tensor, batch: number): Tensor {
  return tf.zeros([batch, 0, ...tensor.shape.slice(2)]);
}

function withoutFirst(tensor: Tensor, count: number): Tensor {
  const begin = tensor.shape.map((_, axis) => (axis === 1 ? count : 0));
  return tf.slice(
    tensor,
    begin,
    tensor.shape.map((size, axis) => size - begin[axis]!),
  );
}

/** Zeros before a part's entries, up to S of them. */
function padFirst(tensor: Tensor, cached: number): Tensor {
  const [batch, held, ...rest] = tensor.shape as [number, number, ...number[]];
  if (held === cached) return tensor;
  const zeros = tf.zeros([batch, cached - held, ...rest]);
  return held === 0 ? zeros : tf.concat([zeros, tensor], 1);
}

/** The parts of a layer's state, of both mixers. */
export function stateParts(configuration: BaselineConfiguration): readonly MixerStatePart[] {
  return (["att", "ffn"] as const).flatMap((half) => stateOf(configuration, half));
}

/** The parts of a layer's state that one mixer keeps. */
export function stateOf(configuration: BaselineConfiguration, half: "att" | "ffn"): readonly MixerStatePart[] {
  const name = half === "att" ? configuration.tokenMixer : configuration.channelMixer;
  return mixer(half, name).state?.(configuration) ?? [];
}

/** The state before any token. */
export function initialBaselineState(configuration: BaselineConfiguration, batchSize: number): BaselineState {
  const parts = stateParts(configuration);
  const layer = (): BaselineLayerState =>
    Object.fromEntries(
      parts.map(({ name, shape, grows, initial = 0 }) => [
        name,
        grows ? tf.zeros([batchSize, 0, ...shape]) : tf.fill([batchSize, ...shape], initial),
      ]),
    );
  const growing = new Set(parts.filter(({ grows }) => grows).map(({ name }) => name));
  const layers = Array.from({ length: configuration.layers }, layer);
  return new BaselineState(layers, new Array<number>(batchSize).fill(0), growing);
}

/**
 * Throws unless the state fits the model and the batch.
 *
 * @throws ConfigurationError when it is of another kind of model; ShapeError naming layer and part
 */
export function expectBaselineState(
  configuration: BaselineConfiguration,
  batchSize: number,
  state: BaselineState,
): void {
  expectKindOfState("forward", state, BaselineState);
  const parts = stateParts(configuration);
  const wanted = parts.map(({ name }) => name).join(", ");
  const given = Object.keys(state.layers[0] ?? {}).join(", ");
  if (state.layers.length !== configuration.layers || given !== wanted) {
    throw new ConfigurationError(
      `forward: state has ${state.layers.length} layers of (${given}), the model ${configuration.layers} of (${wanted}): ` +
        `it came from another model`,
    );
  }
  state.layers.forEach((layer, i) => {
    for (const { name, shape, grows } of parts) {
      const all = grows ? [batchSize, state.cached, ...shape] : [batchSize, ...shape];
      expectShape("forward", `state.layers[${i}].${name}`, layer[name]!, all, grows ? "[B, S, …]" : "[B, …]");
    }
  });
}
