/** What all declared kernels have in common on the tape. */
import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { Random } from "../random.js";
import { randomTensor, useBackend } from "../testing.js";
import { causalAttention } from "./attention/attention.js";
import { crossEntropy } from "./cross-entropy/cross-entropy.js";
import { decay } from "./gates/decay.js";
import { metaPass } from "./meta-pass/meta-pass.js";
import { wkv7 } from "./wkv7/wkv7.js";

/** The shapes of the zeros that tfjs makes while `run` differentiates. */
function zerosMade(run: () => void): number[][] {
  const engine = tf.engine();
  const shapes: number[][] = [];
  const makeTensor = engine.makeTensor.bind(engine);
  engine.makeTensor = (values, shape, dtype, backend) => {
    if (shape.length > 0 && (values as Float32Array).every((value) => value === 0)) shapes.push(shape);
    return makeTensor(values, shape, dtype, backend);
  };
  try {
    run();
  } finally {
    engine.makeTensor = makeTensor;
  }
  return shapes;
}

test("the way back makes no zeros for what a kernel keeps for its gradient", async () => {
  await useBackend("cpu");
  const random = new Random(1);
  const [batch, time, heads, size] = [1, 5, 2, 4] as const;
  const steps = (): Tensor => randomTensor(random, [batch, time, heads, size]);
  const state = (): Tensor => randomTensor(random, [batch, heads, size, size]);
  const gain = (): Tensor => randomTensor(random, [heads * size]);
  const targets = tf.tensor2d([[0, 1, 2, 0, 1]], [1, 5], "int32");
  const starts = tf.tensor1d([0], "int32");
  const [r, w, k, v, a, b, x, q] = Array.from({ length: 8 }, steps) as [
    ...[Tensor, Tensor, Tensor, Tensor],
    ...[Tensor, Tensor, Tensor, Tensor],
  ];
  const [wkv, meta, readGain, memoryGain] = [state(), state(), gain(), gain()];
  const total = (...tensors: Tensor[]): Tensor => tf.addN(tensors.map((tensor) => tf.sum(tensor)));
  const checkpoints = [batch, heads, 1, size, size];
  const ops: Record<string, [op: (of: Tensor) => Tensor, of: Tensor, kept: number[][]]> = {
    decay: [
      (of) => total(decay(of, gain())),
      randomTensor(random, [batch, time, heads * size]),
      [[batch, time, heads * size]],
    ],
    crossEntropy: [(of) => crossEntropy(of, targets), randomTensor(random, [1, 5, 3]), [[1, 5, 3]]],
    causalAttention: [(of) => total(causalAttention(of, k, v, starts)), q, [[batch, time, heads]]],
    wkv7: [
      (of) => {
        const { y, state: after } = wkv7(of, w, k, v, a, b, wkv);
        return total(y, after);
      },
      r,
      [checkpoints],
    ],
    metaPass: [
      (of) => {
        const { added, meta: after } = metaPass({ r: of, w, k, v, a, b, x, q, readGain, memoryGain, wkv, meta });
        return total(added, after);
      },
      r,
      [checkpoints, r.shape],
    ],
  };
  for (const [name, [op, of, kept]] of Object.entries(ops)) {
    const made = zerosMade(() => tf.dispose(tf.grad(op)(of)));
    for (const shape of kept)
      assert.ok(!made.some((other) => tf.util.arraysEqual(other, shape)), `${name}: [${shape.join(", ")}]`);
  }
});
