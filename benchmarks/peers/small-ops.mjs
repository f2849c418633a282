// @ts-check
// One small op of TensorFlow.js on the backend named, many times: `add 1000` is answered with the milliseconds of a thousand. Or a
// training step of a recurrence that is written out in such ops, as one tries it in a notebook: `step 10`.
// A process a backend: with two in one, tfjs's own code is compiled for both and slower on either.

import "@tensorflow/tfjs-backend-cpu";
import { nativeEngine, tensorflowEngine } from "@metastate/kernels-cuda";
import * as tf from "@tensorflow/tfjs-core";
import "metastate"; // the gradients of tfjs's ops, which its build for Node comes without
import { createInterface } from "node:readline";

const backend = process.argv[2] ?? "cpu";
const engine = [nativeEngine, tensorflowEngine].find(({ name }) => name === backend);
const started = await engine?.start();
if (started && !started.ready) {
  console.error(started.reason);
  process.exit(1);
}
await tf.setBackend(backend);
const short = tf.ones([8]);
const long = tf.ones([4096]);
const two = tf.scalar(2);
const matrix = /** @type {tf.Tensor2D} */ (tf.ones([64, 64]));
const row = /** @type {tf.Tensor2D} */ (tf.ones([1, 64]));

// The delta rule with a decay: tokens, texts, heads, their size. Any values take as long.
const [T, B, H, N] = [16, 4, 2, 16];
const width = H * N;
const inputs = /** @type {tf.Tensor2D} */ (tf.randomNormal([T * B, width]));
const targets = tf.randomNormal([T, B * H, N, 1]);
const start = tf.zeros([B * H, N, N]);
const parameters = ["receptance", "decay", "key", "value", "rate"].map((name) =>
  tf.variable(/** @type {tf.Tensor2D} */ (tf.randomNormal([width, width], 0, 0.1)), true, name),
);

function loss() {
  const [r, w, k, v, a] = parameters.map((matrix, i) => {
    const projected = tf.matMul(inputs, matrix);
    const rows = i === 1 || i === 4 ? tf.sigmoid(projected) : projected;
    return tf.unstack(tf.reshape(rows, [T, B * H, ...(i === 1 || i === 2 ? [1, N] : [N, 1])]));
  });
  let state = start;
  const reads = [];
  for (let t = 0; t < T; ++t) {
    const removed = tf.mul(a[t], tf.matMul(state, k[t], false, true));
    state = tf.add(tf.mul(state, w[t]), tf.matMul(tf.sub(v[t], removed), k[t]));
    reads.push(tf.matMul(state, r[t]));
  }
  return /** @type {tf.Scalar} */ (tf.mean(tf.square(tf.sub(tf.stack(reads), targets))));
}

function step() {
  const { value, grads } = tf.variableGrads(loss);
  for (const variable of parameters) {
    tf.tidy(() => variable.assign(tf.sub(variable, tf.mul(grads[variable.name], 0.01))));
  }
  tf.dispose(grads);
  return value;
}

/** @type {Record<string, () => tf.Tensor>} */
const ops = {
  add: () => tf.add(short, short),
  scale: () => tf.mul(short, two),
  exp: () => tf.exp(short),
  sum: () => tf.sum(short),
  slice: () => tf.slice(matrix, [3, 0], [1, 64]),
  concat: () => tf.concat([short, short]),
  product: () => tf.matMul(row, matrix),
  "add 4096": () => tf.add(long, long),
  forward: () => tf.tidy(loss),
  step,
};

console.log(JSON.stringify({ name: backend === "tensorflow" ? "tfjs-node" : `tfjs ${backend}` }));
for await (const line of createInterface({ input: process.stdin })) {
  const [, name = "", count] = /^(.*) (\d+)$/.exec(line) ?? [];
  const op = ops[name];
  if (!op) throw new Error(`no op "${name}"`);
  const begin = performance.now();
  for (let call = 0; call < Number(count); ++call) op().dispose();
  console.log(performance.now() - begin);
}
