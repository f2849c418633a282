/** The backend `cuda`: where tensors are, what reads and moves, what is told when the memory ends. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { cuda, needsCuda, needsEmulator, useCuda } from "../testing/cuda.js";
import type { CudaMemoryInfo } from "./cuda-backend.js";
import { hostFallbacks } from "./host-fallback.js";

const memory = () => tf.memory() as tf.MemoryInfo & CudaMemoryInfo;

/** What is written to standard error by console.warn meanwhile. */
async function warnings(run: () => Promise<void> | void): Promise<string[]> {
  const told: string[] = [];
  const before = console.warn;
  console.warn = (message: string) => told.push(message);
  try {
    await run();
  } finally {
    console.warn = before;
  }
  return told;
}

test("tensors are on the device once a kernel wants them, and leave nothing", needsCuda, async () => {
  await useCuda();
  const before = memory();
  const x = tf.tensor2d([1, -2, 3, -4], [2, 2]);
  assert.equal(memory().bytesUsed, before.bytesUsed);
  const y = tf.relu(x);
  assert.equal(memory().bytesUsed, before.bytesUsed + 32);
  assert.deepEqual(y.arraySync(), [
    [1, 0],
    [3, 0],
  ]);
  const z = tf.reshape(y, [4]);
  y.dispose();
  assert.deepEqual(await z.data(), Float32Array.of(1, 0, 3, 0));
  tf.dispose([x, z]);
  assert.equal(memory().bytesUsed, before.bytesUsed);
  assert.equal(memory().numTensors, before.numTensors);
  assert.equal(memory().unreliable ?? false, false);
  assert.ok(memory().bytesPeak >= before.bytesUsed + 32);
});

test("an asynchronous read lets the event loop go on, and outlives its tensor", needsCuda, async () => {
  await useCuda();
  const x = tf.tidy(() => tf.relu(tf.range(0, 1000)));
  const reading = x.data();
  x.dispose();
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  clearInterval(timer);
  assert.equal((await reading)[999], 999);
  assert.ok(turns > 0);
});

test(
  "an asynchronous read for which the host has no memory is refused, and the process goes on",
  needsCuda,
  async () => {
    const backend = await useCuda();
    const x = tf.tidy(() => tf.relu(tf.tensor1d([1, -1])));
    const { address } = backend.data.get(x.dataId);
    const dataId = {};
    // More than any host has: to the backend, a tensor of so many values.
    backend.data.set(dataId, { dtype: "float32", size: 2 ** 50, refCount: 1, address: address! });
    await assert.rejects(backend.read(dataId), RangeError);
    backend.data.delete(dataId);
    assert.deepEqual([...(await x.data())], [1, 0]);
    x.dispose();
  },
);

test("each type comes back as it was", needsCuda, async () => {
  await useCuda();
  const cases: [tf.Tensor, tf.TypedArray | string[]][] = [
    [tf.tensor1d([1, -2], "int32"), Int32Array.of(1, -2)],
    [tf.tensor1d([true, false], "bool"), Uint8Array.of(1, 0)],
    [tf.tensor1d(["α", ""]), ["α", ""]],
    [tf.complex([1, 2], [3, 4]), Float32Array.of(1, 3, 2, 4)],
  ];
  for (const [tensor, values] of cases) {
    assert.deepEqual(await tensor.data(), values);
    assert.deepEqual(tensor.dataSync(), values);
    tensor.dispose();
  }
});

test("integers and truth values survive the device", needsCuda, async () => {
  const backend = await useCuda();
  for (const [dtype, values] of [
    ["int32", Int32Array.of(3, -1, 2 ** 30)],
    ["bool", Uint8Array.of(1, 0, 1)],
  ] as const) {
    const x = tf.tensor1d(values, dtype);
    backend.address(x, dtype);
    assert.ok(!backend.isOnHost(x));
    assert.deepEqual([...x.dataSync()], [...values]);
    assert.deepEqual([...(await x.data())], [...values]);
    x.dispose();
  }
});

test("a tensor of another backend moves here, and back", needsCuda, async () => {
  await useCuda();
  await tf.setBackend("cpu");
  const x = tf.tensor1d([1, -1]);
  const c = tf.complex([1], [2]);
  await tf.setBackend("cuda");
  const y = tf.relu(x);
  assert.deepEqual([...(await tf.real(c).data())], [1]);
  await tf.setBackend("cpu");
  assert.deepEqual([...tf.neg(y).dataSync()], [-1, -0]);
  await tf.setBackend("cuda");
  tf.dispose([x, y, c]);
});

test("a disposed tensor is told, and one that left its tidy", needsCuda, async () => {
  const backend = await useCuda();
  const x = tf.tensor1d([1]);
  x.dispose();
  assert.throws(() => tf.relu(x), /disposed/);
  assert.throws(() => backend.floats({ dataId: {}, shape: [1], dtype: "float32" }), /used after its end/);
  assert.throws(() => backend.integers(tf.scalar(1)), /takes int32 tensors here, not float32 \[\]: cast it/);
});

test("a kernel without CUDA code runs on the CPU, and is told once", needsCuda, async () => {
  await useCuda();
  const told = await warnings(() => {
    for (let round = 0; round < 2; round++) {
      const y = tf.tidy(() => tf.relu(tf.mirrorPad(tf.relu(tf.tensor1d([0, 1])), [[1, 0]], "reflect")));
      assert.deepEqual([...y.dataSync()], [1, 0, 1]);
      y.dispose();
    }
  });
  assert.equal(told.length, 1);
  assert.match(told[0]!, /^cuda: no CUDA kernel for MirrorPad of float32 \[2\]: it runs on the CPU/);
  assert.ok(hostFallbacks.get("MirrorPad")! >= 2);
});

test("a kernel that is refused holds no tensor that it wanted to write in place", needsCuda, async () => {
  const backend = await useCuda();
  tf.tidy(() => {
    const [parameter0, gradient0, moment1_0, moment2_0] = [1, 2, 3, 4].map((value) => tf.relu(tf.fill([3], value)));
    const tensors = { parameter0: parameter0!, gradient0: gradient0!, moment1_0: moment1_0!, moment2_0: moment2_0! };
    const numbers = { beta1: 0.9, beta2: 0.9, epsilon: 1e-8, step: 1, clip: 1, learningRates: [1], weightDecays: [0] };
    const { bytesUsed } = memory();
    const inputs = { ...tensors, norm: tf.scalar(1, "int32") };
    assert.throws(() => tf.engine().runKernel("AdamWAll", inputs, numbers), /takes float32 tensors here, not int32/);
    assert.equal(memory().bytesUsed, bytesUsed);
    for (const { dataId } of Object.values(tensors)) assert.equal(backend.refCount(dataId), 1);
  });
});

test("memory exhausted is told in numbers, and the session goes on", needsEmulator, async () => {
  await useCuda();
  cuda().trim();
  const { bytesUsed } = memory();
  cuda().setMemory!(bytesUsed + 2 ** 21);
  try {
    const x = tf.relu(tf.zeros([2 ** 17]));
    const message = /GPU memory exhausted: 2 MiB were asked for, and .* of .* are free; tensors of this session use /;
    assert.throws(() => tf.relu(tf.zeros([2 ** 19])), message);
    const y = tf.relu(x);
    assert.equal((await y.data()).length, 2 ** 17);
    tf.dispose([x, y]);
  } finally {
    cuda().setMemory!(2 ** 33);
  }
});

test("more memory than there is: told, and the session goes on", needsCuda, async () => {
  await useCuda();
  const x = tf.tensor1d([1, -1]);
  const wanted = 2 * memory().bytesTotal;
  assert.throws(() => cuda().allocate(wanted), /GPU memory exhausted: \d+ MiB were asked for, and \d+ MiB of \d+ MiB/);
  const y = tf.relu(x);
  assert.deepEqual(await y.data(), Float32Array.of(1, 0));
  tf.dispose([x, y]);
});

test("what waits in the pool is given back before memory counts as exhausted", needsEmulator, async () => {
  await useCuda();
  cuda().trim();
  const { bytesUsed } = memory();
  cuda().setMemory!(bytesUsed + 2 ** 21);
  try {
    for (const size of [2 ** 17, 2 ** 18]) cuda().free(cuda().allocate(4 * size));
    assert.ok(memory().bytesWaiting >= 2 ** 20);
    cuda().free(cuda().allocate(2 ** 21));
  } finally {
    cuda().setMemory!(2 ** 33);
  }
});

test("tf.time measures on the device", needsCuda, async () => {
  await useCuda();
  const x = tf.ones([1000]);
  const time = await tf.time(() => tf.relu(x).dispose());
  assert.ok((time.kernelMs as number) >= 0 && time.wallMs >= 0);
  x.dispose();
});

test("the number of tensors stays constant over many kernels", needsCuda, async () => {
  await useCuda();
  const x = tf.tensor1d([1, 2]);
  const step = () => tf.tidy(() => void tf.sigmoid(tf.erf(tf.real(tf.complex(tf.relu(x), x)))));
  step();
  const { numTensors, numDataBuffers, bytesUsed } = memory();
  for (let i = 0; i < 20; i++) step();
  assert.deepEqual(
    [memory().numTensors, memory().numDataBuffers, memory().bytesUsed],
    [numTensors, numDataBuffers, bytesUsed],
  );
  x.dispose();
});
