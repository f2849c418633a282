/** One block: time mixing, then the Meta-State layer, each on the layer-normalised residual stream. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Tensor2D, Tensor3D } from "@tensorflow/tfjs-core";

import { groupNorm } from "../ops/group-norm/group-norm.js";
import type { ModelConfiguration } from "./configuration.js";
import { metaStateLayer } from "./meta-state-layer.js";
import type { LayerState } from "./state.js";
import type { LayerRun } from "./tap.js";
import { timeMixing } from "./time-mixing.js";

/** A block's result: the residual stream after it, its state, and the first layer's value. */
export interface BlockResult {
  readonly x: Tensor3D;
  readonly state: LayerState;
  readonly firstValue: Tensor3D;
}

/** Runs a block on the residual stream `[B, T, C]` from a state. */
export function block(
  configuration: ModelConfiguration,
  run: LayerRun,
  stream: Tensor3D,
  before: LayerState,
  firstValue?: Tensor3D,
): BlockResult {
  const norm = (name: string, x: Tensor3D): Tensor3D =>
    run.tap(
      name,
      layerNorm((part) => run.parameter(part), name, x),
    );
  const x0 = run.layer === 0 ? norm("ln0", stream) : stream;
  const state = tapState(run, "before", before);
  const x1 = norm("ln1", x0);
  const mixed = timeMixing(configuration, run, x1, state.attShift, state.wkv, firstValue);
  const x: Tensor3D = run.tap("mid", tf.add(x0, mixed.output));
  const x2 = norm("ln2", x);
  const { output, meta } = metaStateLayer(configuration, run, {
    x: x2,
    shift: state.ffnShift,
    wkv: state.wkv,
    timeMix: mixed.coefficients,
    ...(state.meta && { meta: state.meta }),
  });
  const after = { attShift: lastRow(x1), ffnShift: lastRow(x2), wkv: mixed.wkv, ...(meta && { meta }) };
  return {
    x: run.tap("out", tf.add(x, output)),
    state: tapState(run, "state", after),
    firstValue: mixed.firstValue,
  };
}

/** The parts of a state, each by its name: `before.wkv`, `state.wkv`, … */
function tapState(run: LayerRun, when: "before" | "state", { attShift, ffnShift, wkv, meta }: LayerState): LayerState {
  if (!run.isTapped) return { attShift, ffnShift, wkv, ...(meta && { meta }) };
  return {
    attShift: run.tap(`${when}.attShift`, attShift),
    ffnShift: run.tap(`${when}.ffnShift`, ffnShift),
    wkv: run.tap(`${when}.wkv`, wkv),
    ...(meta && { meta: run.tap(`${when}.meta`, meta) }),
  };
}

/**
 * Layer normalisation with the parameters `name.weight` and `name.bias`, epsilon 1e−5 as in the checkpoints.
 *
 * @param parameter gives parameters by name
 */
export function layerNorm(parameter: (name: string) => Tensor, name: string, x: Tensor3D): Tensor3D {
  const weight = parameter(`${name}.weight`);
  return groupNorm(x, weight, parameter(`${name}.bias`), { groups: 1, epsilon: 1e-5 });
}

function lastRow(x: Tensor3D): Tensor2D {
  const [batch, time, width] = x.shape;
  return tf.reshape(time === 1 ? x : tf.slice(x, [0, time - 1, 0], [batch, 1, width]), [batch, width]);
}
