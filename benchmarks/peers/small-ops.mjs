// @ts-check
// One small op of TensorFlow.js on the backend named, many times: `add 1000` is answered with the milliseconds of a thousand.
// A process a backend: with two in one, tfjs's own code is compiled for both and slower on either.

import "@tensorflow/tfjs-backend-cpu";
import { nativeEngine, tensorflowEngine } from "@metastate/kernels-cuda";
import * as tf from "@tensorflow/tfjs-core";
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
