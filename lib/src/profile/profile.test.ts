import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import { afterTermination } from "../engine/termination.js";
import { createModel } from "../model/model.js";
import { plots } from "../plots/plots.js";
import { useBackend } from "../testing.js";
import { kernelWork } from "./kernel-work.js";
import { profile } from "./profile.js";
import type { Profile } from "./report.js";

await useBackend("cpu");
const peak = { gflops: 100, gigabytesPerSecond: 10 };

function rowOf({ rows }: Profile, op: string): Profile["rows"][number] {
  const found = rows.find((row) => row.op === op);
  assert.ok(found, `${op} is in ${rows.map((row) => row.op).join(", ")}`);
  return found;
}

/** What must be so of every profile: its times add up. */
function expectConsistent(found: Profile): void {
  const { rows, milliseconds, outside, overhead } = found;
  const inside = rows.reduce((sum, row) => sum + row.milliseconds, 0);
  assert.ok(Math.abs(inside + outside + overhead - milliseconds) < 1e-6 * milliseconds);
  for (const row of rows) {
    assert.ok(row.milliseconds >= 0 && row.calls > 0);
    assert.ok(Math.abs(row.meanMilliseconds * row.calls - row.milliseconds) < 1e-9 + 1e-9 * row.milliseconds);
    assert.ok(Math.abs(row.share - row.milliseconds / milliseconds) < 1e-9);
  }
}

/** Equal but for roundings of float64: the time is in the figures, and the order in which it is divided by. */
function expectClose(actual: number | undefined, expected: number): void {
  assert.ok(Math.abs(actual! - expected) <= 1e-12 * expected, `${actual} is not ${expected}`);
}

test("a product and an addition have the work that their shapes say", async () => {
  const a = tf.ones<tf.Rank.R3>([5, 8, 16]);
  const b = tf.ones<tf.Rank.R3>([5, 16, 4]);
  const before = tf.memory().numTensors;
  const found = await profile(() => tf.tidy(() => [1, 2, 3].forEach(() => void tf.add(tf.matMul(a, b), 1))), { peak });
  assert.equal(tf.memory().numTensors, before);
  expectConsistent(found);
  const product = rowOf(found, "BatchMatMul");
  assert.equal(product.calls, 3);
  assert.equal(product.flops, 3 * 2 * 5 * 8 * 16 * 4);
  assert.equal(product.bytes, 3 * 4 * (5 * 8 * 16 + 5 * 16 * 4 + 5 * 8 * 4));
  expectClose(product.gflops, product.flops / product.milliseconds / 1e6);
  expectClose(product.ofPeak, Math.max(product.gflops! / 100, product.gigabytesPerSecond! / 10));
  const addition = rowOf(found, "Add");
  assert.equal(addition.flops, 3 * 5 * 8 * 4);
  assert.equal(addition.bytes, 3 * 4 * (2 * 5 * 8 * 4 + 1));
  const reshape = await profile(() => tf.tidy(() => void tf.reshape(a, [-1])), { peak });
  const { gflops, gigabytesPerSecond, ofPeak } = rowOf(reshape, "Reshape");
  assert.deepEqual([gflops, gigabytesPerSecond, ofPeak], [undefined, undefined, undefined]);
  tf.dispose([a, b]);
});

test("work by name and shapes: transposed products, reductions, picked rows, the recurrences", () => {
  const t = (...shape: number[]) => ({ shape, dtype: "float32" });
  const of = (name: string, inputs: object, outputs: { shape: number[]; dtype: string }[], attributes = {}) =>
    kernelWork({ name, inputs: inputs as Record<string, ReturnType<typeof t>>, attributes }, outputs);
  const transposed = { transposeA: true, transposeB: false };
  assert.equal(of("BatchMatMul", { a: t(7, 3), b: t(7, 5) }, [t(3, 5)], transposed).flops, 2 * 3 * 5 * 7);
  assert.equal(of("Linear", { x: t(2, 3, 8), weight: t(6, 8) }, [t(2, 3, 6)]).flops, 2 * 6 * 8 * 6);
  assert.equal(
    of("LinearGrad", { x: t(6, 8), weight: t(6, 8), dy: t(6, 6) }, [t(6, 8), t(6, 8)]).flops,
    2 * 2 * 6 * 8 * 6,
  );
  assert.equal(of("Sum", { x: t(4, 5) }, [t(4)]).flops, 20);
  const wkv = { r: t(2, 3, 4, 16), state: t(2, 4, 16, 16) };
  assert.equal(of("Wkv7", wkv, [t(2, 3, 4, 16), t(2, 4, 16, 16)]).flops, 9 * 2 * 3 * 4 * 16 * 16);
  const token = { stream: t(5, 1, 8), shift: t(5, 8), wkv: t(5, 2, 4, 4), r_k: t(2, 4), w0: t(1, 1, 8), w1: t(8, 3) };
  assert.equal(of("TimeMixingToken", token, [t(5, 1, 8)]).flops, 2 * 5 * 8 * 3 + 9 * 5 * 2 * 4 * 4);
  const blocks = {
    ...{ stream: t(5, 1, 8), "blocks.0.attShift": t(5, 8), "blocks.0.att.r_k": t(2, 4), "blocks.0.att.w1": t(8, 3) },
    ...{ "blocks.1.ffn.key.weight": t(9, 8), "blocks.1.wkv": t(5, 2, 4, 4), "blocks.1.meta": t(5, 2, 4, 4) },
  };
  assert.equal(of("BlocksToken", blocks, [t(5, 1, 8)]).flops, 2 * 5 * 8 * (3 + 9) + 27 * 5 * 2 * 4 * 4);
  const step = { norm: t(), parameter0: t(3, 5), gradient0: t(3, 5), moment1_0: t(3, 5), parameter1: t(4) };
  assert.equal(of("AdamWAll", step, [t(3, 5), t(4)]).flops, 13 * (15 + 4));
  const tokens = { shape: [2, 3], dtype: "int32" };
  assert.equal(of("Embedding", { weight: t(1000, 8), tokens }, [t(2, 3, 8)]).bytes, 4 * (6 + 2 * 48));
  assert.equal(of("Cast", { x: { shape: [10], dtype: "bool" } }, [t(10)]).bytes, 10 + 40);
  assert.deepEqual(of("SomethingNew", { x: t(3) }, [t(3)]), { flops: undefined, bytes: 24 });
  assert.equal(of("BatchMatMul", { left: t(3, 3) }, [t(3, 3)]).flops, undefined, "another kernel of the name");
});

test("an op whose count is not known shows a dash", async () => {
  const found = await profile(() => tf.tidy(() => void tf.fft(tf.complex(tf.ones([8]), tf.zeros([8])))), { peak });
  assert.equal(rowOf(found, "FFT").flops, undefined);
  assert.match(String(found), /^FFT +1 .* – /m);
});

/** Runs something without the kernel that a package has registered for an op of the library. */
async function withoutKernel<T>(op: string, run: () => Promise<T>): Promise<T> {
  const backend = tf.getBackend();
  const own = tf.getKernel(op, backend) as tf.KernelConfig | undefined;
  if (own) tf.unregisterKernel(op, backend);
  try {
    return await run();
  } finally {
    tf.unregisterKernel(op, backend);
    if (own) tf.registerKernel(own);
  }
}

test("the parts of an op that is put together from others are told apart, and nothing is counted twice", async () => {
  const model = createModel({ vocabSize: 16, width: 16, layers: 2, headSize: 16 }, { seed: 1 });
  // `MetaPass` is two recurrences and what lies between them where no package has a kernel for it.
  const found = await withoutKernel("MetaPass", () =>
    profile(() => tf.tidy(() => void model.forward([[1, 2, 3]])), { peak }),
  );
  expectConsistent(found);
  const calls = (op: string, within: string | null) =>
    found.rows.find((row) => row.op === op && row.within === within)?.calls;
  assert.equal(calls("Wkv7", null), 2);
  assert.equal(calls("MetaPass", null), 2);
  assert.equal(calls("Wkv7", "MetaPass"), 4);
  const whole = rowOf(found, "MetaPass");
  assert.ok(whole.gflops! < whole.flops! / whole.milliseconds / 1e6, "its rate is that of its parts together");
  assert.ok(found.mostBytes > 0);
  model.dispose();
});

test("of many ops the table shows the costliest, and the rest in a line", async () => {
  const functions = [tf.abs, tf.neg, tf.exp, tf.expm1, tf.log, tf.log1p, tf.sqrt, tf.rsqrt, tf.square, tf.sin, tf.cos];
  functions.push(tf.tan, tf.tanh, tf.sigmoid, tf.erf, tf.relu, tf.relu6, tf.elu, tf.step, tf.softplus, tf.sign);
  functions.push(tf.floor, tf.ceil, tf.round, tf.sinh, tf.cosh, tf.reciprocal);
  const x = tf.ones([4]);
  const found = await profile(() => tf.tidy(() => functions.forEach((run) => void run(x))), { peak });
  assert.equal(found.rows.length, 27);
  assert.match(String(found), /^3 others +3 +\S+ (ms|µs) +\S+ %$/m);
  assert.match(found[jupyterDisplay]()["text/html"] as string, /<td[^>]*>3 others<\/td>/);
  x.dispose();
});

test("an asynchronous function is waited for, and its result handed over", async () => {
  const found = await profile(
    async () => {
      const y = tf.add(tf.ones([4]), 1);
      const values = await y.data();
      y.dispose();
      return Array.from(values);
    },
    { peak: false },
  );
  assert.deepEqual(found.result, [2, 2, 2, 2]);
  assert.equal(found.peak, undefined);
  assert.equal(rowOf(found, "Add").ofPeak, undefined);
  assert.throws(() => found.roofline(), /there is no peak/);
});

test("an exception passes through, leaves nothing installed, and the next profile is made", async () => {
  const kernel = () => Reflect.get(tf.getKernel("Add", "cpu"), "kernelFunc") as unknown;
  const before = kernel();
  const fail = () => {
    tf.dispose(tf.add(1, 1));
    throw new RangeError("mine");
  };
  await assert.rejects(profile(fail, { peak }), { name: "RangeError", message: "mine" });
  assert.equal(kernel(), before);
  assert.equal(Object.hasOwn(tf.engine(), "runKernel"), false);
  const found = await profile(() => tf.dispose(tf.add(1, 1)), { peak });
  assert.equal(rowOf(found, "Add").calls, 1);
});

test("a profile that was terminated in its middle ends, and the next is made", async () => {
  // What a termination leaves: a function that never goes on, and an op of which only the beginning has run.
  const never = profile(() => new Promise<never>(() => undefined), { peak: false });
  await new Promise((resolve) => setImmediate(resolve));
  tf.engine().startScope();
  afterTermination();
  assert.equal(tf.engine().state.scopeStack.length, 0);
  assert.equal(Object.hasOwn(tf.engine(), "runKernel"), false);
  const found = await profile(() => tf.dispose(tf.add(1, 1)), { peak });
  assert.equal(rowOf(found, "Add").within, null);
  void never;
  // One that does go on has not counted all that it ran.
  let goOn = (): void => undefined;
  const late = profile(() => new Promise<void>((resolve) => (goOn = resolve)), { peak: false });
  await new Promise((resolve) => setImmediate(resolve));
  afterTermination();
  goOn();
  await assert.rejects(late, /an interrupt has ended it before its time: make it again/);
});

test("one profile at a time", async () => {
  await assert.rejects(
    profile(() => profile(() => 1, { peak }), { peak }),
    { name: "ConfigurationError", message: /another profile is being made/ },
  );
});

test("on a backend whose kernels go on after they were called, its own timer is asked", async () => {
  const backend = tf.backend();
  const time = backend.time.bind(backend);
  const { Recording } = await import("./recording.js");
  // A timer that says 7 ms, later.
  backend.time = async (run) => {
    run();
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { kernelMs: 7 };
  };
  try {
    const recording = new Recording(true);
    tf.dispose([tf.add(1, 1), tf.add(1, 2)]);
    recording.stop();
    await recording.settled();
    assert.equal(recording.ops.get("Add")?.milliseconds, 14);
  } finally {
    backend.time = time;
  }
});

test("a profile shows itself as table, bars and roofline", async () => {
  const a = tf.ones<tf.Rank.R2>([64, 64]);
  const found = await profile(() => tf.tidy(() => void tf.softmax(tf.matMul(a, a))), { peak });
  const bundle = found[jupyterDisplay]();
  const html = bundle["text/html"] as string;
  assert.match(html, /<th[^>]*>of peak<\/th>/);
  assert.match(html, /BatchMatMul/);
  assert.match(bundle["text/plain"] as string, /^op +calls +time +share +a call +GFLOP\/s +GB\/s +of peak$/m);
  assert.match(found.summary, /outside kernels .*for the profile itself.*peak 100 GFLOP\/s, 10\.0 GB\/s/);
  const bars = JSON.parse(JSON.stringify(found.plot())) as { data: { y: string[]; x: number[] }[] };
  assert.deepEqual(bars.data[0]!.y.slice(-2), ["outside kernels", "the profile itself"]);
  assert.deepEqual(new Set(bars.data[0]!.y.slice(0, -2)), new Set(found.rows.map(({ op }) => op)));
  const told = bars.data[0]!.x.reduce((sum, each) => sum + each, 0);
  assert.ok(Math.abs(told - found.milliseconds) < 0.02 * found.milliseconds, `${told} of ${found.milliseconds} ms`);
  assert.match(String(found.roofline()), /BatchMatMul: \d+ % of the limit/);
  assert.match(String(plots.opTimes(found)), /BatchMatMul: .* ms/);
  assert.ok(!("result" in (JSON.parse(JSON.stringify(found)) as object)));
  a.dispose();
});
