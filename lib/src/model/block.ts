/** One block: time mixing, then the Meta-State layer, each on the layer-normalised residual stream. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";

import { layerNorm } from "./block-norm.js";
import type { ModelConfiguration } from "./configuration.js";
import { metaStateLayer, type ChangedStream } from "./meta-state-layer.js";
import { layerOf, tensorsOf, type LayerState } from "./state-layers.js";
import type { LayerRun } from "./tap.js";
import { timeMixingOfToken } from "./time-mixing-token.js";
import { timeMixing, type MixedStream } from "./time-mixing.js";

/** A block's result: the residual stream after it, its state, and the first layer's value. */
export interface BlockResult {
  readonly x: Tensor3D;
  readonly state: LayerState;
  readonly firstValue: Tensor3D;
}

/** Runs a block on the residual stream `[B, T, C]`, which before the first one was normalised (`ln0`), from a state. */
export function block(
  configuration: ModelConfiguration,
  run: LayerRun,
  stream: Tensor3D,
  given: LayerState,
  firstValue?: Tensor3D,
): BlockResult {
  const before = tapState(run, "before", given);
  const mixed =
    timeMixingOfToken(configuration, run, stream, before, firstValue) ??
    mix(configuration, run, stream, before, firstValue);
  const changed = change(configuration, run, mixed, before);
  const after = { attShift: mixed.shift, ffnShift: changed.shift, wkv: mixed.wkv, ...changed.after } as LayerState;
  return { x: run.tap("out", changed.stream), state: tapState(run, "state", after), firstValue: mixed.firstValue };
}

/** The first half, op by op. */
function mix(
  configuration: ModelConfiguration,
  run: LayerRun,
  stream: Tensor3D,
  { attShift, wkv }: LayerState,
  firstValue?: Tensor3D,
): MixedStream {
  const x = norm(run, "ln1", stream);
  const { output, ...rest } = timeMixing(configuration, run, x, attShift, wkv, firstValue);
  return { ...rest, stream: run.tap("mid", tf.add(stream, output)), shift: lastRow(x) };
}

/** The second half, op by op. */
function change(
  configuration: ModelConfiguration,
  run: LayerRun,
  { stream, coefficients: timeMix }: MixedStream,
  before: LayerState,
): ChangedStream {
  const x = norm(run, "ln2", stream);
  const { output, after } = metaStateLayer(configuration, run, { x, before, timeMix });
  return { stream: tf.add(stream, output), shift: lastRow(x), after };
}

function norm(run: LayerRun, name: string, x: Tensor3D): Tensor3D {
  return run.tap(
    name,
    layerNorm((part) => run.parameter(part), name, x),
  );
}

/** The parts of a state, each by its name: `before.wkv`, `state.wkv`, … */
function tapState(run: LayerRun, when: "before" | "state", state: LayerState): LayerState {
  if (!run.isTapped) return state;
  return layerOf(tensorsOf(state).map(([name, tensor]) => [name, run.tap(`${when}.${name}`, tensor)]));
}

function lastRow(x: Tensor3D): Tensor2D {
  const [batch, time, width] = x.shape;
  return tf.reshape(time === 1 ? x : tf.slice(x, [0, time - 1, 0], [batch, 1, width]), [batch, width]);
}
