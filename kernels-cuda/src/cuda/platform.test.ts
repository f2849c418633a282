/** What `cuda/platform.h` promises to device code, on the emulator and on a GPU; and what the emulator finds wrong. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { cuda, emulated, needsCuda, needsEmulator, onDevice, takeBack } from "../testing/cuda.js";

/** In the order of `PlatformTest` in `cuda/platform_tests/platform_tests.h`. */
const platformTests = [
  "reverse",
  "reverseUnguarded",
  "warpSum",
  "warpScan",
  "votes",
  "largeShared",
  "atomics",
  "bfloat16",
  "divergentBarrier",
  "divergentShuffle",
  "earlyEnd",
  "unwritten",
  "exchange",
  "exchangeByShuffle",
  "blocksMeet",
  "unwrittenShared",
  "tile",
  "tileUnguarded",
  "copy",
  "copyUnawaited",
  "illegalAddress",
  "misalignedVector",
  "misalignedTile",
  "misalignedCopy",
] as const;
type Name = (typeof platformTests)[number];

const blocks = 3;
const count = blocks * 64;
/** Small integers: their sums are exact. */
const values = Float32Array.from({ length: count }, (_, i) => ((i * 37) % 23) - 11);

function run(name: Name, { x = values, fill }: { x?: Float32Array; fill?: number } = {}): Float32Array {
  const [from, to] = [onDevice(x), cuda().allocate(x.byteLength)];
  if (fill !== undefined) cuda().upload(to, new Float32Array(x.length).fill(fill));
  try {
    cuda().platformTest(platformTests.indexOf(name), x.length / 64, from, to);
  } catch (error) {
    cuda().free(to);
    throw error;
  } finally {
    cuda().free(from);
  }
  return takeBack(to, x.length);
}

const sum = (x: ArrayLike<number>) => Array.from(x).reduce((total, value) => total + value, 0);
const warpOf = (i: number) => values.subarray(i - (i % 32), i - (i % 32) + 32);
const blockOf = (i: number) => values.subarray(i - (i % 64), i - (i % 64) + 64);

const expected: Partial<Record<Name, (i: number) => number>> = {
  reverse: (i) => blockOf(i)[63 - (i % 64)]!,
  warpSum: (i) => sum(warpOf(i)),
  warpScan: (i) => sum(warpOf(i).subarray(0, (i % 32) + 1)),
  votes: (i) => (i % 32 === 31 ? -1 : warpOf(i).filter((x, lane) => lane < 31 && x > 0).length),
  largeShared: (i) => sum(blockOf(i)),
  earlyEnd: (i) => (i % 64 < 40 ? values[i]! : 0),
  exchange: (i) => values[i ^ 1]!,
  tile: (i) => values[i]!,
  copy: (i) => values[i]!,
};

const orders = ["forward", "reverse", "shuffled"] as const;

for (const [name, value] of Object.entries(expected)) {
  test(`device code: ${name}, in any order of the threads`, needsCuda, () => {
    for (const order of orders) {
      cuda().setOrder?.(order);
      assert.deepEqual(
        run(name as Name),
        Float32Array.from(values, (_, i) => value(i)),
        order,
      );
    }
    cuda().setOrder?.("forward");
  });
}

test("device code: atomics add everything once", needsCuda, () => {
  const [total, threads] = run("atomics", { fill: 0 });
  assert.equal(total, sum(values));
  assert.equal(threads, count);
});

test("device code: bfloat16 rounds to the nearest, ties to even", needsCuda, () => {
  const x = new Float32Array(64);
  x.set([1, 1.00390625, 1.01171875, -3.14159274, 3.4e38, Infinity, -0, 1e-40]);
  const y = run("bfloat16", { x });
  assert.deepEqual([...y.subarray(0, 3)], [1, 1, 1.015625]);
  assert.equal(y[3], -3.140625);
  assert.equal(y[5], Infinity);
  assert.ok(Object.is(y[6], -0));
});

test("values that a kernel leaves unwritten are NaNs", needsCuda, () => {
  const y = run("unwritten");
  assert.ok(y.every((value, i) => (i % 2 === 0 ? value === values[i] : Number.isNaN(value))));
});

/** Where the emulator finds races itself, a kernel with one gives nothing. */
const findsRaces = (): boolean => cuda().findsRaces === true;

test("a missing barrier changes the result with the order of the threads", needsEmulator, (t) => {
  if (findsRaces()) return t.skip("this emulator finds the race");
  const results = orders.map((order) => {
    cuda().setOrder!(order);
    return [...run("reverseUnguarded")].join();
  });
  cuda().setOrder!("forward");
  assert.equal(new Set(results).size, 3);
});

test("copies that are not waited for have not arrived", needsEmulator, (t) => {
  if (findsRaces()) return t.skip("this emulator finds the race");
  assert.ok(run("copyUnawaited").every(Number.isNaN));
});

test("races are told with the kernel and both threads", needsEmulator, (t) => {
  if (!findsRaces()) return t.skip("is about the emulator of npm run test:cuda:races");
  for (const [name, wrong] of [
    ["reverseUnguarded", /kernel .*, block \(0, 0, 0\): a race: thread 0 writes shared memory that thread 63 read, /],
    ["exchangeByShuffle", /a race: thread 31 reads shared memory that thread 30 wrote, with no barrier between/],
    ["blocksMeet", /block \(1, 0, 0\): a race: thread 0 writes memory of the GPU that thread 0 wrote/],
    ["unwrittenShared", /thread 63 reads shared memory that nothing in the block has written/],
    ["tileUnguarded", /a race: thread any of warp 0, of a tile's sums reads shared memory that thread/],
    ["copyUnawaited", /a race: thread 6[0-3] reads shared memory that thread 15 wrote, with no barrier between/],
  ] as const) {
    assert.throws(() => run(name), wrong, name);
  }
  assert.equal(run("warpSum")[0], sum(warpOf(0)), "another kernel runs all the same");
});

test("an address that a GPU would refuse is told", needsEmulator, () => {
  const vector = /kernel .*, block \(0, 0, 0\): .*float4.* that 16 bytes do not divide, platform_tests\.cuh:\d+$/;
  // In an addon with UBSan it is that which tells, and ends the process.
  if (cuda().checksAlignment) assert.throws(() => run("misalignedVector"), vector);
  assert.throws(() => run("misalignedTile"), /kernel .*: a tile at an address that 32 bytes do not divide$/);
  assert.throws(() => run("misalignedCopy"), /kernel .*: a copy's source at an address that 16 bytes do/);
  assert.equal(run("warpSum")[0], sum(warpOf(0)), "another kernel runs all the same");
});

test("a barrier that some threads do not reach is told with kernel and place", needsEmulator, () => {
  const told = (name: Name) => {
    try {
      run(name);
    } catch (error) {
      return (error as Error).message;
    }
    return assert.fail(`${name} ran`);
  };
  assert.match(
    told("divergentBarrier"),
    /^kernel divergentBarrierKernel, block \(0, 0, 0\): a barrier that not all threads reach: thread \(0, 0, 0\) waits in __syncthreads at platform_tests\.cuh:\d+, thread \(32, 0, 0\) waits in __syncthreads at platform_tests\.cuh:\d+$/,
  );
  assert.match(told("divergentShuffle"), /kernel divergentShuffleKernel.*__shfl_sync at .*__shfl_xor_sync at /);
  // Another kernel runs all the same.
  assert.equal(run("warpSum")[0], sum(warpOf(0)));
});

test(
  "after a kernel that ends the GPU for its process all calls say so, tensors can be freed, and nothing crashes",
  {
    skip: emulated
      ? "the emulator cannot take that from its process"
      : process.env["METASTATE_TEST_SANITIZER"] === "1" && "compute-sanitizer would tell of it as of others",
  },
  () => {
    const script = `
      import { cuda, onDevice } from ${JSON.stringify(import.meta.resolve("../testing/cuda.js"))};
      const x = onDevice(new Float32Array(64));
      const calls = [
        () => cuda().platformTest(${platformTests.indexOf("illegalAddress")}, 1, x, x) ?? cuda().synchronize(),
        () => cuda().allocate(4),
        () => cuda().download(x, new Float32Array(64)),
        () => cuda().free(x),
      ];
      const told = calls.map((call) => {
        try {
          call();
          return "";
        } catch (error) {
          return error.message;
        }
      });
      console.log(JSON.stringify(told));`;
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      encoding: "utf8",
      env: { ...process.env, METASTATE_CUDA_SYNC: "" },
    });
    assert.equal(status, 0, stderr);
    const [launched, allocated, read, freed] = JSON.parse(stdout) as string[];
    const ended = /The GPU cannot be used in this process any more: start the session again$/;
    assert.match(launched!, /illegal memory access .*the kernel launched last is illegalAddressKernel/);
    for (const message of [launched!, allocated!, read!]) assert.match(message, ended);
    assert.equal(freed, "");
  },
);

test("a grid without blocks runs nothing", needsCuda, () => {
  assert.equal(run("warpSum", { x: new Float32Array(0) }).length, 0);
});
