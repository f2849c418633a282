/**
 * A model's state after some tokens, as a value: passed in, a new one comes out. Its size does not depend on how many
 * tokens were seen.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor2D, Tensor4D } from "@tensorflow/tfjs-core";

import { htmlTable, jupyterDisplay, textTable, type Displayable, type MimeBundle } from "../display.js";
import { expectShape } from "../ops/shape.js";
import { sseVariant } from "../sse/registry.js";
import { sseHeads, type ModelConfiguration } from "./configuration.js";
import type { SequenceState } from "./language-model.js";

/** The state of one layer. */
export interface LayerState {
  /** the last token as time mixing saw it, `[B, C]` */
  readonly attShift: Tensor2D;
  /** the last token as the Meta-State layer saw it, `[B, C]` */
  readonly ffnShift: Tensor2D;
  /** S, `[B, H, N, N]`; rows are value channels, columns key channels */
  readonly wkv: Tensor4D;
  /** M, `[B, Hs, N, N]`, where the SSE variant carries one */
  readonly meta?: Tensor4D;
}

/** The matrices of a state that can be looked at. */
export type StatePart = "wkv" | "meta";

/** The state of all layers. Holds tensors: dispose of it when it is no longer needed (or work inside `tf.tidy`). */
export class ModelState implements SequenceState, Displayable {
  /** how many tokens each row has seen, from the beginning of its text */
  readonly positions: readonly number[];

  /** @param positions left out, each row is at the beginning of its text */
  constructor(
    readonly layers: readonly LayerState[],
    positions?: readonly number[],
  ) {
    this.positions = positions ?? new Array<number>(this.batchSize).fill(0);
  }

  /** B: rows in the batch. */
  get batchSize(): number {
    return this.layers[0]!.attShift.shape[0];
  }

  /** All tensors, layer by layer. */
  tensors(): tf.Tensor[] {
    return this.layers.flatMap(({ attShift, ffnShift, wkv, meta }) =>
      meta ? [attShift, ffnShift, wkv, meta] : [attShift, ffnShift, wkv],
    );
  }

  /** A copy with a life of its own. */
  clone(): ModelState {
    return mapTensors([this], this.positions, ([tensor]) => tf.clone(tensor!));
  }

  /**
   * Writes the state to a `.safetensors` file, atomically; `ms.loadState(path)` reads it.
   *
   * @throws ModelFileError when the file cannot be written
   */
  async save(path: string): Promise<void> {
    // Only now: whoever does not save needs no file system.
    const { saveState } = await import("../io/state-file.js");
    await saveState(this, path);
  }

  selectRows(rows: readonly number[]): ModelState {
    const indices = tf.tensor1d([...rows], "int32");
    const positions = rows.map((row) => this.positions[row]!);
    const selected = mapTensors([this], positions, ([tensor]) => tf.gather(tensor!, indices, 0));
    indices.dispose();
    return selected;
  }

  joinRows(others: readonly ModelState[]): ModelState {
    const states = [this, ...others];
    const positions = states.flatMap((state) => state.positions);
    return mapTensors(states, positions, (tensors) => tf.concat([...tensors], 0));
  }

  /** Frees the tensors. */
  dispose(): void {
    tf.dispose(this.tensors());
  }

  [jupyterDisplay](): MimeBundle {
    const shape = (tensor: tf.Tensor | undefined): string => (tensor ? `[${tensor.shape.join(", ")}]` : "none");
    const rows = [["layer", "attShift", "ffnShift", "wkv", "meta"]];
    this.layers.forEach((layer, i) =>
      rows.push([String(i), shape(layer.attShift), shape(layer.ffnShift), shape(layer.wkv), shape(layer.meta)]),
    );
    return { "text/html": htmlTable(rows), "text/plain": textTable(rows) };
  }
}

/** A state whose tensors are made of those that the states have in the same place. */
function mapTensors(
  states: readonly ModelState[],
  positions: readonly number[],
  change: (tensors: readonly tf.Tensor[]) => tf.Tensor,
): ModelState {
  const layers = states[0]!.layers.map((layer, i) => {
    const changed = Object.keys(layer).map((part): [string, tf.Tensor] => [
      part,
      change(states.map((state) => state.layers[i]![part as keyof LayerState]!)),
    ]);
    return Object.fromEntries(changed) as unknown as LayerState;
  });
  return new ModelState(layers, positions);
}

/** The state before any token: zeros. */
export function initialState(configuration: ModelConfiguration, batchSize: number): ModelState {
  const shapes = layerShapes(configuration, batchSize);
  return new ModelState(
    Array.from({ length: configuration.layers }, () => ({
      attShift: tf.zeros(shapes.attShift),
      ffnShift: tf.zeros(shapes.ffnShift),
      wkv: tf.zeros(shapes.wkv),
      ...(shapes.meta && { meta: tf.zeros(shapes.meta) }),
    })),
  );
}

/**
 * Throws unless the state fits the model and the batch.
 *
 * @throws ShapeError naming layer and part
 */
export function expectState(configuration: ModelConfiguration, batchSize: number, state: ModelState): void {
  const shapes = layerShapes(configuration, batchSize);
  if (state.layers.length !== configuration.layers) {
    throw new RangeError(`forward: state has ${state.layers.length} layers, the model ${configuration.layers}`);
  }
  state.layers.forEach((layer, i) => {
    const name = (part: string): string => `state.layers[${i}].${part}`;
    expectShape("forward", name("attShift"), layer.attShift, shapes.attShift, "[B, C]");
    expectShape("forward", name("ffnShift"), layer.ffnShift, shapes.ffnShift, "[B, C]");
    expectShape("forward", name("wkv"), layer.wkv, shapes.wkv, "[B, H, N, N]");
    if (!shapes.meta) return;
    if (!layer.meta) {
      throw new RangeError(
        `forward: ${name("meta")} is missing: the model's SSE, "${configuration.sse}", carries a Meta-State; ` +
          `the state came from a model without one`,
      );
    }
    expectShape("forward", name("meta"), layer.meta, shapes.meta, "[B, Hs, N, N]");
  });
}

function layerShapes(configuration: ModelConfiguration, batchSize: number) {
  const { width, heads, headSize } = configuration;
  const shift: [number, number] = [batchSize, width];
  const matrices = (count: number): [number, number, number, number] => [batchSize, count, headSize, headSize];
  const { metaState } = sseVariant(configuration.sse);
  return {
    attShift: shift,
    ffnShift: shift,
    wkv: matrices(heads),
    meta: metaState ? matrices(sseHeads(configuration)) : undefined,
  };
}
