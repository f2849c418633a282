import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { Worker } from "node:worker_threads";
import { loadAddon } from "./load.js";
import { native, needsNative } from "../testing/native.js";
import { randomCase } from "../testing/wkv7-reference.js";
import {
  backwardInputs,
  callBackward,
  callForward,
  checkpointLength,
  forwardInputs,
  poisoned,
} from "../testing/wkv7-runs.js";

const shape = { batch: 2, time: 5, heads: 2, headSize: 8, checkpointInterval: 4 };
const steps = 2 * 5 * 2 * 8;
const states = 2 * 2 * 64;
const example = () => randomCase(shape, 1, [0.6, 0.9]);
const outputs = () => ({
  y: poisoned(steps),
  finalState: poisoned(states),
  checkpoints: poisoned(checkpointLength(shape)),
});

/** Calls the addon with what TypeScript would not let through. */
function forward(...args: unknown[]): void {
  (callForward as (...args: unknown[]) => void)(native(), ...args);
}

test("an array of the wrong length is refused by name, with both lengths", needsNative, () => {
  const short = { ...forwardInputs(example()), k: new Float32Array(steps - 1) };
  assert.throws(() => forward(shape, short, outputs()), {
    name: "RangeError",
    message: `k has ${steps - 1} values; the shape given wants ${steps}`,
  });
  assert.throws(() => forward(shape, forwardInputs(example()), { ...outputs(), finalState: new Float32Array(3) }), {
    message: `finalState has 3 values; the shape given wants ${states}`,
  });
});

test("every operand is checked, forward and backward", needsNative, () => {
  const c = example();
  const inputs = forwardInputs(c);
  for (const name of Object.keys(inputs)) {
    assert.throws(
      () => forward(shape, { ...inputs, [name]: new Float32Array(1) }, outputs()),
      new RegExp(`^RangeError: ${name} `),
    );
  }
  for (const name of Object.keys(outputs())) {
    assert.throws(
      () => forward(shape, inputs, { ...outputs(), [name]: new Float32Array(1) }),
      new RegExp(`^RangeError: ${name} `),
    );
  }
  const gradInputs = backwardInputs(c, poisoned(checkpointLength(shape)));
  const lengths = { dr: steps, dw: steps, dk: steps, dv: steps, da: steps, db: steps, dState: states };
  const gradients = () =>
    Object.fromEntries(Object.entries(lengths).map(([name, length]) => [name, poisoned(length)])) as Record<
      keyof typeof lengths,
      Float32Array
    >;
  for (const name of Object.keys(gradInputs)) {
    const wrong = { ...gradInputs, [name]: new Float32Array(1) };
    assert.throws(() => callBackward(native(), shape, wrong, gradients()), new RegExp(`^RangeError: ${name} `));
  }
  for (const name of Object.keys(lengths)) {
    const wrong = { ...gradients(), [name]: new Float32Array(1) };
    assert.throws(() => callBackward(native(), shape, gradInputs, wrong), new RegExp(`^RangeError: ${name} `));
  }
  callBackward(native(), shape, gradInputs, gradients());
});

test("an array of another type, or none, is refused by name", needsNative, () => {
  const inputs = forwardInputs(example());
  for (const wrong of [new Float64Array(steps), new Int32Array(steps), [...inputs.v], null, 3, "v", {}]) {
    assert.throws(() => forward(shape, { ...inputs, v: wrong }, outputs()), {
      name: "TypeError",
      message: "v must be a Float32Array",
    });
  }
  assert.throws(() => forward(shape, { ...inputs, v: undefined }, outputs()), {
    name: "TypeError",
    message: "v is missing: give a Float32Array",
  });
});

test("sizes that are no sizes are refused by name", needsNative, () => {
  const inputs = forwardInputs(example());
  for (const name of ["batch", "time", "heads", "headSize"]) {
    for (const wrong of [0, -1, 1.5, NaN, Infinity, 2 ** 31]) {
      assert.throws(() => forward({ ...shape, [name]: wrong }, inputs, outputs()), {
        name: "RangeError",
        message: new RegExp(`^${name} must be an integer from 1 to 2147483647, not `),
      });
    }
    for (const wrong of ["2", null, {}]) {
      assert.throws(() => forward({ ...shape, [name]: wrong }, inputs, outputs()), {
        name: "TypeError",
        message: `${name} must be a number`,
      });
    }
  }
  assert.throws(() => forward({ ...shape, checkpointInterval: -1 }, inputs, outputs()), /checkpointInterval must be/);
  const huge = { batch: 2 ** 31 - 1, time: 2 ** 31 - 1, heads: 2 ** 31 - 1, headSize: 7, checkpointInterval: 1 };
  assert.throws(() => forward(huge, inputs, outputs()), /the sizes given are too large/);
});

test("missing arguments are refused", needsNative, () => {
  const call = (...args: unknown[]): void => (native().wkv7 as (...args: unknown[]) => void)(...args);
  assert.throws(() => call(), /^TypeError: batch is missing: give a number/);
  assert.throws(() => call(2, 5, 2, 8), /^TypeError: checkpointInterval is missing: give a number/);
  assert.throws(() => call(2, 5, 2, 8, 4), /^TypeError: r is missing: give a Float32Array/);
  assert.throws(() => forward(shape, forwardInputs(example()), {}), /^TypeError: y is missing: give a Float32Array/);
  assert.throws(
    () => (native().configure as (...args: unknown[]) => void)(),
    /argument 1, the options, must be an object/,
  );
});

test("an error thrown by a getter passes through", needsNative, () => {
  const options = {
    get threads(): number {
      throw new SyntaxError("from the getter");
    },
  };
  assert.throws(() => native().configure(options), { name: "SyntaxError", message: "from the getter" });
});

test("an array whose buffer was given away is refused", needsNative, () => {
  const inputs = forwardInputs(example());
  structuredClone(inputs.r, { transfer: [inputs.r.buffer as ArrayBuffer] });
  assert.throws(() => forward(shape, inputs, outputs()), /r has 0 values/);
});

test("threads and instruction sets that are not there are refused", needsNative, () => {
  const binding = native();
  const before = binding.info();
  for (const threads of [0, -1, 1.5, 1025]) assert.throws(() => binding.configure({ threads }), /threads must be/);
  assert.throws(() => binding.configure({ simd: "mmx" }), /no instruction set "mmx" here: this CPU runs /);
  assert.throws(() => binding.configure({ simd: 3 as unknown as string }), /simd must be the name/);
  assert.throws(() => binding.measurePeak(0), /milliseconds must be from 1 to 60000/);
  assert.throws(() => binding.measureBandwidth(Infinity), /milliseconds must be from 1 to 60000/);
  assert.deepEqual(binding.info(), before);
});

test("the pool survives changes of its size", needsNative, () => {
  const binding = native();
  const { threads } = binding.info();
  for (const count of [1, 7, 2, 3, 1, threads]) {
    binding.configure({ threads: count });
    assert.equal(binding.info().threads, count);
    assert.ok(binding.measurePeak(2) > 0);
  }
});

test("what the machine can do is measured: arithmetic, and memory beyond the caches", needsNative, () => {
  assert.ok(native().measurePeak(2) > 0);
  assert.ok(native().measureBandwidth(1) > 0);
});

const addon = loadAddon();
const blas = "binding" in addon ? addon.blas : undefined;
const needsBlas = needsNative.skip ? needsNative : { skip: blas === undefined && "no BLAS library is in use" };

test("the BLAS in use is told whole while another thread takes it and leaves it", needsBlas, async (t) => {
  const binding = native();
  assert.ok("path" in addon && blas !== undefined);
  const whole = binding.loadBlas(blas);
  const done = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(
    `const { addon, blas, done } = require("node:worker_threads").workerData;
    const binding = require(addon);
    for (let round = 0; round < 50_000; ++round) binding.loadBlas(round % 2 ? blas : "");
    Atomics.store(done, 0, 1);`,
    { eval: true, workerData: { addon: addon.path, blas, done } },
  );
  const ended = new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
  t.after(() => worker.terminate());
  const told = new Map<string, number>();
  while (Atomics.load(done, 0) === 0) {
    const { blas: name } = binding.info();
    told.set(name, (told.get(name) ?? 0) + 1);
  }
  await ended;
  told.delete("");
  told.delete(whole);
  assert.deepEqual([...told.keys()], []);
});

test("Node's worker threads use the addon at the same time, and it outlives them", needsNative, async () => {
  const code = (name: string) => JSON.stringify(import.meta.resolve(name));
  const script = `
    Promise.all([import(${code("../testing/native.js")}), import(${code("../testing/wkv7-runs.js")}), import(${code("../testing/wkv7-reference.js")})])
      .then(([{ native }, { nativeForward, relativeError }, { randomCase, referenceForward }]) => {
        const shape = { batch: 2, time: 40, heads: 3, headSize: 64, checkpointInterval: 16 };
        const c = randomCase(shape, 1, [0.6, 0.9]);
        const { y } = referenceForward(shape, c);
        let worst = 0;
        for (let round = 0; round < 30; ++round) worst = Math.max(worst, relativeError(nativeForward(native(), shape, c).y, y));
        require("node:worker_threads").parentPort.postMessage(worst);
      });`;
  const worst = await Promise.all(
    [1, 2, 3].map(
      () =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(script, { eval: true });
          worker.on("message", resolve);
          worker.on("error", reject);
        }),
    ),
  );
  for (const error of worst) assert.ok(error < 1e-5);
  assert.ok(native().measurePeak(2) > 0);
});

test(
  "a worker that is terminated while the addon reads its arguments ends, and the process goes on",
  needsNative,
  () => {
    assert.ok("path" in addon);
    // A list of so many arrays that a termination mostly comes while it is read.
    const worker = `
    const { parentPort, workerData } = require("node:worker_threads");
    const binding = require(workerData);
    const arrays = new Array(300_000).fill(new Float32Array(1)), norm = new Float32Array(1);
    for (let round = 0; ; ++round) {
      binding.globalNorm(arrays, norm);
      if (round === 0) parentPort.postMessage("runs");
    }`;
    const script = `
    const { Worker } = require("node:worker_threads");
    const binding = require(${JSON.stringify(addon.path)});
    (async () => {
      for (let i = 0; i < 8; ++i) {
        const worker = new Worker(${JSON.stringify(worker)}, { eval: true, workerData: ${JSON.stringify(addon.path)} });
        await new Promise((resolve) => worker.once("message", resolve));
        await new Promise((resolve) => setTimeout(resolve, 7 * i));
        await worker.terminate();
      }
      const norm = new Float32Array(1);
      binding.globalNorm([Float32Array.of(3), Float32Array.of(4)], norm);
      console.log("norm", norm[0]);
    })();`;
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    assert.equal(status, 0, `${signal}: ${stderr.slice(0, 2000)}`);
    assert.equal(stdout, "norm 5\n");
  },
);

test(
  "an addon that only workers have loaded may be unloaded with the last of them, and is loaded again",
  needsNative,
  () => {
    assert.ok("path" in addon);
    const worker = `
    const { parentPort, workerData } = require("node:worker_threads");
    const binding = require(workerData);
    binding.configure({ threads: 3 });
    const n = 256, floats = () => new Float32Array(n * n).fill(1);
    const large = binding.largeArray(2 ** 20), c = floats();
    binding.matMul(1, n, n, n, false, false, floats(), floats(), c);
    binding.unary(0, large, large, 0, 0);
    parentPort.postMessage([c[0], large[2 ** 20 - 1]]);`;
    const script = `
    const { Worker } = require("node:worker_threads");
    (async () => {
      for (let i = 0; i < 4; ++i) {
        const worker = new Worker(${JSON.stringify(worker)}, { eval: true, workerData: ${JSON.stringify(addon.path)} });
        worker.on("message", (told) => console.log(...told));
        await new Promise((resolve) => worker.once("exit", resolve));
      }
    })();`;
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    assert.equal(status, 0, `${signal}: ${stderr.slice(0, 2000)}`);
    assert.equal(stdout, "256 1\n".repeat(4));
  },
);
