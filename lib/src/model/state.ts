/**
 * A model's state after some tokens, as a value: passed in, a new one comes out. Its size does not depend on how many
 * tokens were seen.
 */
import * as tf from "@tensorflow/tfjs-core";

import { expectKindOfState } from "../arguments.js";
import { ConfigurationError, ShapeError } from "../errors.js";
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { expectShape } from "../ops/shape.js";
import { tidyValue } from "../ops/tidy.js";
import { variantOf } from "../sse/registry.js";
import { sseHeads, type ModelConfiguration } from "./configuration.js";
import type { SequenceState } from "./language-model.js";
import { learnedStateName, parameter, type Parameters } from "./parameters.js";
import { layersDistance, type StateDistance } from "./state-distance.js";
import {
  layerOf,
  mapLayers,
  stateMismatch,
  stateTensorNames,
  tensorNamesOf,
  tensorsOf,
  type LayerState,
} from "./state-layers.js";
import { hasHeadAxis, resolvePlace, type StatePlace } from "./state-place.js";
import { copyIntoLayers, putIntoLayers, sliceLayers, type StateSlice, type StateValues } from "./state-slice.js";

export type { LayerState } from "./state-layers.js";

/** The matrices of a state that can be looked at: S, M, or a state of a variant's own that has heads of matrices. */
export type StatePart = "wkv" | "meta" | (string & Record<never, never>);

/**
 * The state of all layers. A value: every operation makes a new state and leaves this one as it is. Holds tensors: dispose
 * of it when it is no longer needed (or work inside `tf.tidy`).
 */
export class ModelState extends Shown implements SequenceState {
  /** how many tokens each row has seen, from the beginning of its text; what is made of several states has the first's */
  readonly positions: readonly number[];

  /** @param positions left out, each row is at the beginning of its text */
  constructor(
    readonly layers: readonly LayerState[],
    positions?: readonly number[],
  ) {
    super();
    this.positions = positions ?? new Array<number>(this.batchSize).fill(0);
  }

  /** B: rows in the batch. */
  get batchSize(): number {
    return this.layers[0]!.attShift.shape[0];
  }

  /** All tensors, layer by layer. */
  tensors(): tf.Tensor[] {
    return this.layers.flatMap((layer) => tensorsOf(layer).map(([, tensor]) => tensor));
  }

  /** A copy with a life of its own. */
  clone(): ModelState {
    return this.map(([tensor]) => tf.clone(tensor!));
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

  /**
   * A new state of these rows of the batch, in this order; a row may come more than once.
   *
   * @throws ConfigurationError when there is no such row
   */
  selectRows(rows: readonly number[]): ModelState {
    const { rows: chosen } = resolvePlace("selectRows", this.layers, { rows });
    return tidyValue(() => {
      const indices = tf.tensor1d([...chosen], "int32");
      const layers = mapLayers([this.layers], ([tensor]) => tf.gather(tensor!, indices, 0));
      return new ModelState(
        layers,
        chosen.map((row) => this.positions[row]!),
      );
    });
  }

  /**
   * A new state of this one's rows and then the others'.
   *
   * @throws ShapeError naming the tensor in which a state differs from this one
   */
  joinRows(others: readonly ModelState[]): ModelState {
    for (const other of others) this.expectAlike("joinRows", other, { rowsMayDiffer: true });
    const states = [this, ...others];
    const layers = mapLayers(
      states.map((state) => state.layers),
      (tensors) => tf.concat([...tensors], 0),
    );
    return new ModelState(
      layers,
      states.flatMap((state) => state.positions),
    );
  }

  /**
   * The state at t of the way from this one to another: (1 − t) · this + t · other, in every tensor.
   *
   * @param t 0 is this state, 1 the other; beyond them it extrapolates
   * @throws ShapeError naming the tensor in which the states differ; ConfigurationError when t is not finite
   */
  interpolate(other: ModelState, t: number): ModelState {
    if (!Number.isFinite(t)) throw new ConfigurationError(`interpolate: t is ${t}, wanted a finite number`);
    this.expectAlike("interpolate", other);
    return this.map(([a, b]) => tf.add(tf.mul(a!, 1 - t), tf.mul(b!, t)), [other]);
  }

  /**
   * This state and another, added tensor by tensor.
   *
   * @throws ShapeError naming the tensor in which the states differ
   */
  add(other: ModelState): ModelState {
    this.expectAlike("add", other);
    return this.map(([a, b]) => tf.add(a!, b!), [other]);
  }

  /**
   * This state minus another: what the tokens between them changed.
   *
   * @throws ShapeError naming the tensor in which the states differ
   */
  subtract(other: ModelState): ModelState {
    this.expectAlike("subtract", other);
    return this.map(([a, b]) => tf.sub(a!, b!), [other]);
  }

  /** Every tensor times a number. */
  scale(factor: number): ModelState {
    return this.map(([tensor]) => tf.mul(tensor!, factor));
  }

  /**
   * A part of the state as plain numbers: `state.slice({layers: 2, heads: [0, 3], part: "meta"})`.
   *
   * @param place what is left out means all; `part` is S (`wkv`) unless said
   * @throws ConfigurationError naming the index that is out of range, or the part that the state does not have
   */
  slice(place: StatePlace = {}): StateSlice {
    return sliceLayers(this.layers, resolvePlace("slice", this.layers, place));
  }

  /**
   * A new state with other values at a place: `state.with({layers: 1, heads: 0}, 0)` forgets what a head holds.
   *
   * @param place as for {@link slice}
   * @param values a number, values for the whole place, or one matrix (vector) for each of its heads (rows)
   * @throws ConfigurationError as {@link slice}; ShapeError when the values do not fit the place
   */
  with(place: StatePlace, values: StateValues): ModelState {
    const resolved = resolvePlace("with", this.layers, place);
    return tidyValue(() => new ModelState(putIntoLayers(this.layers, resolved, values), this.positions));
  }

  /**
   * A new state with what another has at a place: `a.withPartOf(b, {layers: [2, 3]})`. Without `part`, all parts of those
   * layers and rows are taken; with `heads`, all that have heads: S, and M where there is one.
   *
   * @throws ConfigurationError as {@link slice}; ShapeError naming the tensor in which the states differ
   */
  withPartOf(other: ModelState, place: StatePlace): ModelState {
    this.expectAlike("withPartOf", other);
    const all = tensorsOf(this.layers[0]!);
    const meant = place.heads === undefined ? all : all.filter(([, tensor]) => hasHeadAxis(tensor));
    const parts = place.part === undefined ? meant.map(([name]) => name) : [place.part];
    const places = parts.map((part) => resolvePlace("withPartOf", this.layers, { ...place, part }));
    return tidyValue(
      () =>
        new ModelState(
          places.reduce((layers, resolved) => copyIntoLayers(layers, resolved, other.layers), this.layers),
          this.positions,
        ),
    );
  }

  /**
   * How far another state is from this one, whole and by part.
   *
   * @throws ShapeError naming the tensor in which the states differ in shape
   */
  distance(other: ModelState): StateDistance {
    this.expectAlike("distance", other);
    return layersDistance(this.layers, other.layers);
  }

  /** Whether another state has the same tensors, and no element further off than the tolerance. NaN equals nothing. */
  equals(other: ModelState, tolerance = 0): boolean {
    if (stateMismatch("equals", this.layers, other.layers)) return false;
    return layersDistance(this.layers, other.layers).largest <= tolerance;
  }

  withTensors(tensors: readonly tf.Tensor[], positions?: readonly number[]): ModelState {
    const rest = tensors.values();
    const layers = this.layers.map((layer) => layerOf(tensorNamesOf(layer).map((name) => [name, rest.next().value!])));
    return new ModelState(layers, positions);
  }

  /** Frees the tensors. */
  dispose(): void {
    tf.dispose(this.tensors());
  }

  [jupyterDisplay](): MimeBundle {
    const shape = (tensor: tf.Tensor | undefined): string => (tensor ? `[${tensor.shape.join(", ")}]` : "none");
    const names = [...new Set([...stateTensorNames, ...this.layers.flatMap(tensorNamesOf)])];
    const rows = [["layer", ...names]];
    this.layers.forEach((layer, i) => rows.push([String(i), ...names.map((name) => shape(layer[name]))]));
    return tableForms(rows);
  }

  /** A state whose tensors are made of those that this one and the others have in the same place. */
  private map(change: (tensors: readonly tf.Tensor[]) => tf.Tensor, others: readonly ModelState[] = []): ModelState {
    return tidyValue(
      () =>
        new ModelState(
          mapLayers(
            [this, ...others].map(({ layers }) => layers),
            change,
          ),
          this.positions,
        ),
    );
  }

  private expectAlike(op: string, other: ModelState, options?: { rowsMayDiffer?: boolean }): void {
    const mismatch: ShapeError | undefined = stateMismatch(op, this.layers, other.layers, options);
    if (mismatch) throw mismatch;
  }
}

/** The state before any token: zeros, and where it is learned, S and M from the parameters, in which it is differentiable. */
export function initialState(configuration: ModelConfiguration, parameters: Parameters, batchSize: number): ModelState {
  const shapes = layerShapes(configuration, batchSize);
  const matrices = (layer: number, part: "wkv" | "meta", shape: [number, number, number, number]): tf.Tensor4D => {
    if (!configuration.learnedState) return tf.zeros(shape);
    const learned = parameter(parameters, learnedStateName(layer, part));
    // A sum with zeros repeats it for every row; the gradient is then the sum over rows.
    return tf.add(tf.zeros([batchSize, 1, 1, 1]), learned);
  };
  return tidyValue(
    () =>
      new ModelState(
        Array.from({ length: configuration.layers }, (_, layer) => ({
          attShift: tf.zeros(shapes.attShift),
          ffnShift: tf.zeros(shapes.ffnShift),
          wkv: matrices(layer, "wkv", shapes.wkv),
          ...(shapes.meta && { meta: matrices(layer, "meta", shapes.meta) }),
          ...Object.fromEntries(shapes.own.map(([name, shape]) => [name, tf.zeros(shape)])),
        })),
      ),
  );
}

/**
 * Throws unless the state fits the model and the batch.
 *
 * @throws ShapeError naming layer and part
 */
export function expectState(configuration: ModelConfiguration, batchSize: number, state: ModelState): void {
  const shapes = layerShapes(configuration, batchSize);
  expectKindOfState("forward", state, ModelState);
  if (state.layers.length !== configuration.layers) {
    const wanted = `of ${configuration.layers}: a state of this model, or of a smaller one by ms.growState`;
    throw new ShapeError("forward", "state", `of ${state.layers.length} layers`, wanted);
  }
  state.layers.forEach((layer, i) => {
    const name = (part: string): string => `state.layers[${i}].${part}`;
    expectShape("forward", name("attShift"), layer.attShift, shapes.attShift, "[B, C]");
    expectShape("forward", name("ffnShift"), layer.ffnShift, shapes.ffnShift, "[B, C]");
    expectShape("forward", name("wkv"), layer.wkv, shapes.wkv, "[B, H, N, N]");
    const carried = [...(shapes.meta ? [["meta", shapes.meta] as const] : []), ...shapes.own];
    for (const [part, shape] of carried) {
      const held = layer[part];
      if (!held) {
        const what = part === "meta" ? "a Meta-State" : "a state";
        const wanted = `${what}, which the model's SSE "${configuration.sse}" carries: ms.growState gives the state one`;
        throw new ShapeError("forward", name(part), "missing", wanted);
      }
      expectShape("forward", name(part), held, shape, part === "meta" ? "[B, Hs, N, N]" : "[B, …] as declared");
    }
  });
}

function layerShapes(configuration: ModelConfiguration, batchSize: number) {
  const { width, heads, headSize } = configuration;
  const shift: [number, number] = [batchSize, width];
  const matrices = (count: number): [number, number, number, number] => [batchSize, count, headSize, headSize];
  const { metaState, states } = variantOf(configuration);
  return {
    attShift: shift,
    ffnShift: shift,
    wkv: matrices(heads),
    meta: metaState ? matrices(sseHeads(configuration)) : undefined,
    own: states.map(({ name, shape }): [string, number[]] => [name, [batchSize, ...shape(configuration)]]),
  };
}
