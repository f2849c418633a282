/** The border of the CUDA addon: what it refuses, and how it tells. */
import assert from "node:assert/strict";
import test from "node:test";
import { cuda, needsCuda, needsEmulator, onDevice, takeBack } from "../../testing/cuda.js";

test("values go to the device and come back, at once and later", needsCuda, async () => {
  const values = Float32Array.from({ length: 1000 }, (_, i) => i / 7);
  const address = onDevice(values);
  const later = new Float32Array(1000);
  const reading = cuda().read(address, later);
  const result = takeBack(address, 1000); // freed before the reading has ended
  assert.deepEqual(result, values);
  await reading;
  assert.deepEqual(later, values);
});

test("new memory is full of NaNs", needsCuda, () => {
  assert.ok(takeBack(cuda().allocate(400), 100).every(Number.isNaN));
});

test("an array may change once it is uploaded", needsCuda, () => {
  const values = new Float32Array(5000).fill(3);
  const address = onDevice(values);
  values.fill(4);
  assert.ok(takeBack(address, 5000).every((value) => value === 3));
});

test("uploads follow one another while earlier ones are on their way, and kernels after them", needsCuda, () => {
  // Of the sizes some repeat: pinned memory is used again only when its copy has arrived. "Not yet" is no error of a launch.
  const sizes = [1000, 24, 1000, 1000, 24, 3];
  const inputs = sizes.map((size, i) => Float32Array.from({ length: size }, (_, j) => i * 1000 - j));
  const absolute = inputs.map((values) => {
    const [x, y] = [onDevice(values), cuda().allocate(values.byteLength)];
    cuda().unary(0, values.length, x, y, 0, 0);
    cuda().free(x);
    return y;
  });
  for (const [i, values] of inputs.entries()) {
    assert.deepEqual(takeBack(absolute[i]!, values.length), values.map(Math.abs));
  }
});

test("several readings at once each give their own values", needsCuda, async () => {
  const inputs = [500, 500, 20].map((size, i) => new Float32Array(size).fill(i + 1));
  const addresses = inputs.map(onDevice);
  const outputs = inputs.map(({ length }) => new Float32Array(length));
  const readings = addresses.map((address, i) => cuda().read(address, outputs[i]!));
  for (const address of addresses) cuda().free(address);
  await Promise.all(readings);
  assert.deepEqual(outputs, inputs);
});

test("a reading is whole though something before it is waited for meanwhile", needsCuda, async () => {
  const [sent, x] = [onDevice(Float32Array.of(1)), onDevice(Float32Array.of(2, 3))];
  for (let i = 0; i < 100; i++) {
    cuda().upload(sent, Float32Array.of(i));
    const values = new Float32Array(2);
    const reading = cuda().read(x, values);
    // Asks first whether the copy above has arrived.
    cuda().upload(sent, Float32Array.of(-i));
    await reading;
    assert.deepEqual(values, Float32Array.of(2, 3));
  }
  for (const address of [sent, x]) cuda().free(address);
});

test("parts are copied, within both tensors only", needsCuda, () => {
  const from = onDevice(Float32Array.from([1, 2, 3, 4]));
  const to = onDevice(Float32Array.from([5, 6, 7]));
  cuda().copy(to, 4, from, 8, 8);
  assert.throws(() => cuda().copy(to, 8, from, 8, 8), /the part is not within both tensors/);
  assert.throws(() => cuda().copy(to, -4, from, 8, 8), /the part is not within both tensors/);
  assert.deepEqual([...takeBack(to, 3)], [5, 3, 4]);
  cuda().free(from);
});

test("what is no tensor is refused, and what has another size", needsCuda, () => {
  const x = onDevice(new Float32Array(10));
  const y = cuda().allocate(36);
  const unary = (...args: unknown[]) => (cuda().unary as (...given: unknown[]) => void)(...args);
  assert.throws(() => unary(0, 10, x, y, 0, 0), /y has 36 bytes on the GPU; the shape given wants 10 values of 4/);
  assert.throws(() => unary(0, 10, x, x + 4, 0, 0), /y is no tensor on the GPU: it was disposed/);
  assert.throws(() => unary(0, 10, x, 0), /y is no tensor on the GPU/);
  assert.throws(() => unary(0, 10, x, "y"), /y must be a tensor's address/);
  assert.throws(() => unary(0, 10, x), /y is missing: give a tensor's address/);
  assert.throws(() => unary(1000, 10, x, x, 0, 0), /there is no function 1000/);
  cuda().free(y);
  assert.throws(() => cuda().free(y), /no tensor on the GPU/);
  assert.throws(() => cuda().upload(x, new Float32Array(9)), /values have 36 bytes, and the tensor 40/);
  assert.throws(() => cuda().download(x, [] as unknown as Float32Array), /values must be a typed array/);
  assert.throws(() => cuda().read(x, new Float32Array(9)), /values have 36 bytes, and the tensor 40/);
  cuda().free(x);
});

test("a list of tensors is an array of addresses or a Float64Array, and each is looked at", needsCuda, () => {
  const [x, y] = [onDevice(Float32Array.of(1, 2)), onDevice(Float32Array.of(10, 20))];
  for (const terms of [[x, y, x], Float64Array.of(x, y, x)]) {
    const sum = cuda().allocate(8);
    cuda().addN(0, 2, terms, sum);
    assert.deepEqual([...takeBack(sum, 2)], [12, 24]);
  }
  const addN = (terms: unknown) => (cuda().addN as (...given: unknown[]) => void)(0, 2, terms, x);
  for (const terms of [[y, x + 4], Float64Array.of(y, x + 4), Float64Array.of(NaN), Float64Array.of(-1)]) {
    assert.throws(() => addN(terms), /terms is no tensor on the GPU: it was disposed/);
  }
  assert.throws(() => addN(Float32Array.of(1)), /terms must be a Float64Array/);
  assert.throws(() => addN(x), /terms must be an array/);
  for (const address of [x, y]) cuda().free(address);
});

test("an empty tensor has an address, and nothing is done to it", needsCuda, async () => {
  const [x, y] = [onDevice(new Float32Array(0)), cuda().allocate(0)];
  cuda().unary(0, 0, x, y, 0, 0);
  await cuda().read(y, new Float32Array(0));
  cuda().free(x);
  cuda().free(y);
});

test("memory is counted: in use, its peak, waiting", needsCuda, () => {
  cuda().resetPeak();
  const before = cuda().memory();
  const addresses = [1_000_000, 2_000_000].map((bytes) => cuda().allocate(bytes));
  assert.equal(cuda().memory().used - before.used, 3_000_000);
  for (const address of addresses) cuda().free(address);
  cuda().synchronize();
  const after = cuda().memory();
  assert.equal(after.used, before.used);
  assert.equal(after.peak, before.used + 3_000_000);
  assert.ok(after.waiting >= 3_000_000);
  cuda().trim();
  assert.ok(cuda().memory().waiting < after.waiting);
});

test("memory that was freed serves the next request of its size, and the driver is not asked", needsCuda, () => {
  cuda().trim();
  const addresses = [4000, 4000, 0].map((bytes) => cuda().allocate(bytes));
  const { requests } = cuda().memory();
  for (let round = 0; round < 3; round++) {
    for (const address of addresses) cuda().free(address);
    assert.throws(() => cuda().free(addresses[0]!), /no tensor on the GPU/);
    // The same in pieces of 512 bytes.
    const next = [4096, 3600, 7].map((bytes) => cuda().allocate(bytes));
    assert.deepEqual(new Set(next), new Set(addresses));
    const values = new Float32Array(900);
    cuda().download(next[1]!, values);
    assert.ok(values.every(Number.isNaN), "nothing of the tensor before");
    for (const address of next) cuda().free(address);
    for (const [i, bytes] of [4000, 4000, 0].entries()) addresses[i] = cuda().allocate(bytes);
  }
  assert.equal(cuda().memory().requests, requests);
  const { waiting } = cuda().memory();
  for (const address of addresses) cuda().free(address);
  assert.ok(cuda().memory().waiting >= waiting + 8192 + 512, "what waits is counted");
  cuda().trim();
  cuda().free(cuda().allocate(4000));
  assert.equal(cuda().memory().requests, requests + 1, "the driver had it back");
});

test("sizes that nobody asks for any more do not keep others out of what waits", needsEmulator, () => {
  cuda().trim();
  const megabytes = 2 ** 20;
  const round = (count: number, bytes: number): number => {
    const before = cuda().memory().requests;
    const addresses = Array.from({ length: count }, () => cuda().allocate(bytes));
    for (const address of addresses) cuda().free(address);
    return cuda().memory().requests - before;
  };
  // Up to a 64th of 8 GiB waits here, and of a block 32 MiB.
  assert.deepEqual([round(32, 4 * megabytes), round(32, 4 * megabytes)], [32, 0]);
  assert.deepEqual([round(1, 3 * megabytes), round(1, 3 * megabytes)], [1, 0]);
  assert.equal(round(32, 4 * megabytes), 32, "the others went back to the driver");
  assert.deepEqual([round(1, 33 * megabytes), round(1, 33 * megabytes)], [1, 1], "large ones the driver keeps");
  cuda().trim();
  assert.equal(cuda().memory().waiting, 0);
});

test("memory that the driver does not take back is no error of whoever frees it", needsEmulator, (t) => {
  // Too large to wait here.
  const address = cuda().allocate(2 ** 25 + 1);
  process.env["METASTATE_EMULATOR_MACHINE"] = "memory not taken back";
  t.after(() => delete process.env["METASTATE_EMULATOR_MACHINE"]);
  cuda().free(address);
  assert.deepEqual(takeBack(onDevice(Float32Array.of(1)), 1), Float32Array.of(1), "nor of what comes next");
});

test("a timer gives milliseconds, and ends once", needsCuda, async () => {
  const stop = cuda().startTimer();
  const milliseconds = stop();
  assert.throws(stop, /was ended before/);
  assert.ok((await milliseconds) >= 0);
});
