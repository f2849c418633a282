/** Where cuBLASLt is looked for, what is said without it, and products in each precision. */
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { cuda, needsCuda, needsEmulator, useCuda } from "../testing/cuda.js";
import { findCublas } from "./addon/find-cublas.js";
import { loadCudaAddon } from "./addon/load.js";
import { openMatrixLibrary, tellMatrixLibrary } from "./matrix-library.js";
import { measurePeak } from "./peak.js";
import { cudaPrecision } from "./precision.js";

test("cuBLASLt is found in a toolkit and in Python packages, the newer version first", (t) => {
  const root = mkdtempSync(join(tmpdir(), "metastate-cublas-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const put = (...parts: string[]): string => {
    const folder = join(root, ...parts.slice(0, -1));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, parts.at(-1)!), "");
    return join(root, ...parts);
  };
  const torch = put("venv", "lib", "python3.12", "site-packages", "torch", "lib", "libcublasLt.so.12");
  assert.equal(findCublas({ VIRTUAL_ENV: join(root, "venv") }), torch);
  const wheel = put("venv", "lib", "python3.12", "site-packages", "nvidia", "cu13", "lib", "libcublasLt.so.13");
  assert.equal(findCublas({ VIRTUAL_ENV: join(root, "venv") }), wheel);
  put("cuda", "lib64", "libcublasLt.so.12");
  const toolkit = put("cuda", "lib64", "libcublasLt.so.13");
  assert.equal(findCublas({ VIRTUAL_ENV: join(root, "venv"), CUDA_HOME: join(root, "cuda") }), toolkit);
  assert.equal(findCublas({ METASTATE_CUBLAS: "named", CUDA_HOME: join(root, "cuda") }), "named");
  assert.equal(findCublas({ METASTATE_CUBLAS: "0", CUDA_HOME: join(root, "cuda") }), undefined);
});

test("a library that cannot be used is told with its remedy, and products go on without it", needsEmulator, () => {
  const missing = join(tmpdir(), "no-such-libcublasLt.so.13");
  const library = openMatrixLibrary(cuda(), { METASTATE_CUBLAS: missing });
  assert.ok("reason" in library && library.reason.includes(`cuBLASLt at ${missing} cannot be used`));
  const told: string[] = [];
  const warn = (message: string): number => told.push(message);
  tellMatrixLibrary(library, { METASTATE_CUBLAS: missing }, warn);
  assert.match(told.join(), /slower kernel of the addon.*pip install nvidia-cublas/);
  const off = { METASTATE_CUBLAS: "0" };
  tellMatrixLibrary(openMatrixLibrary(cuda(), off), off, warn);
  assert.equal(told.length, 1, "nothing is said of what was switched off");
  assert.throws(() => cuda().useCublas(process.execPath), /is|no function|cannot/);
});

/** Whole numbers so small that products and sums of them are exact in every precision, in any order. */
const whole = (shape: number[], seed: number): tf.Tensor =>
  tf.floor<tf.Tensor>(tf.randomUniform(shape, -3, 4, "float32", seed));
const kernel = (name: string, inputs: tf.NamedTensorMap, layout: string): tf.Tensor[] =>
  [tf.engine().runKernel<tf.Tensor | tf.Tensor[]>(name, inputs, { layout })].flat();

/** Products of all kinds. */
const plainProducts: readonly (() => tf.Tensor | tf.Tensor[])[] = [
  ...[0, 1, 2, 3].map((bits) => () => {
    const [transposeA, transposeB] = [(bits & 1) > 0, bits > 1];
    const a = whole(transposeA ? [7, 5] : [5, 7], 1);
    return tf.matMul(a, whole(transposeB ? [3, 7] : [7, 3], 2), transposeA, transposeB);
  }),
  () => tf.matMul(whole([1, 9], 3), whole([9, 1], 4)),
  () => tf.matMul(whole([66, 130], 5), whole([130, 70], 6)),
  () => tf.matMul(whole([2, 3, 4, 5], 7), whole([2, 3, 5, 6], 8)),
  () => tf.matMul(whole([2, 3, 5, 4], 9), whole([2, 3, 6, 5], 10), true, true),
  () => tf.matMul(whole([2, 3, 4, 5], 11), whole([5, 6], 12)),
  () => tf.matMul(whole([4, 5], 13), whole([3, 5, 6], 14)),
  () => tf.matMul(whole([2, 1, 4, 5], 15), whole([3, 5, 6], 16)),
  () => tf.fused.matMul({ a: whole([5, 7], 17), b: whole([7, 3], 18), bias: whole([3], 19) }),
  () => tf.fused.matMul({ a: whole([2, 5, 7], 17), b: whole([2, 7, 3], 18), bias: whole([3], 19) }),
  () => kernel("Linear", { x: whole([2, 4, 5], 20), weight: whole([6, 5], 21) }, "outIn"),
  () => kernel("Linear", { x: whole([2, 4, 5], 20), weight: whole([5, 6], 21) }, "inOut"),
  ...["outIn", "inOut"].map((layout) => () => {
    const weight = whole(layout === "outIn" ? [6, 5] : [5, 6], 21);
    return kernel("LinearGrad", { x: whole([2, 4, 5], 20), weight, dy: whole([2, 4, 6], 22) }, layout);
  }),
];
const activated = (): tf.Tensor =>
  tf.fused.matMul({
    a: whole([5, 7], 1),
    b: whole([7, 3], 2),
    bias: whole([3], 3),
    activation: "relu6",
  });

const valuesOf = (results: tf.Tensor | tf.Tensor[]): unknown[] =>
  [results].flat().map((y) => [y.shape, ...y.dataSync()]);

/** The emulated addon has cuBLASLt's functions too. */
function useEmulatedCublas(): void {
  const addon = loadCudaAddon({ emulated: true });
  assert.ok("path" in addon);
  cuda().useCublas("");
  assert.equal(cuda().useCublas(addon.path), "13.0.0");
}

test("products through cuBLASLt are those of the addon's kernel, in each precision", needsEmulator, async (t) => {
  await useCuda();
  t.after(() => {
    cuda().useCublas("");
    cudaPrecision.set("float32");
  });
  for (const precision of ["float32", "tf32", "bfloat16"] as const) {
    cudaPrecision.set(precision);
    for (const [i, product] of [...plainProducts, activated].entries()) {
      tf.tidy(() => {
        cuda().useCublas("");
        const expected = valuesOf(product());
        useEmulatedCublas();
        assert.deepEqual(valuesOf(product()), expected, `${precision}, product ${i}`);
      });
    }
  }
});

test("cuBLASLt computes all products that it can, the addon's kernel none", needsEmulator, async (t) => {
  await useCuda();
  t.after(() => cuda().useCublas(""));
  for (const [i, product] of plainProducts.entries()) {
    tf.tidy(() => {
      // The first run makes operands, as the second does.
      cuda().useCublas("");
      const before = cuda().launches();
      product();
      const own = cuda().launches();
      useEmulatedCublas();
      product();
      assert.ok(cuda().launches() - own < own - before, `product ${i}`);
    });
  }
});

for (const how of ["fails", "no algorithm"]) {
  test(
    `a product that cuBLASLt cannot compute (${how}) is the addon's, and that is told once`,
    needsEmulator,
    async (t) => {
      await useCuda();
      const warn = t.mock.method(console, "warn", () => {});
      process.env["METASTATE_EMULATOR_CUBLAS"] = how;
      t.after(() => {
        delete process.env["METASTATE_EMULATOR_CUBLAS"];
        cuda().useCublas("");
      });
      useEmulatedCublas();
      tf.tidy(() => {
        for (let round = 0; round < 2; round++) {
          // Of a batch several calls: one that fails leaves all of them to the kernel.
          assert.deepEqual(
            [...tf.matMul(tf.ones([2, 1, 2, 3]), tf.ones([3, 3, 1])).dataSync()],
            Array<number>(12).fill(3),
          );
        }
        assert.deepEqual([...tf.matMul(tf.ones([1, 2]), tf.ones([2, 1])).dataSync()], [2]);
      });
      assert.equal(warn.mock.callCount(), 1);
      const wanted = how === "fails" ? "internal error" : "no algorithm: not supported";
      assert.equal(
        warn.mock.calls[0]!.arguments[0],
        `cuda: cuBLASLt 13.0.0 cannot multiply [2, 3] by [3, 1] in float32, 3 times (${wanted}): it runs on a slower kernel of ` +
          "the addon, as will others. Told once a session.",
      );
    },
  );
}

test("a product in bfloat16 is that of rounded operands, with sums in float32", needsCuda, async (t) => {
  await useCuda();
  t.after(() => cudaPrecision.set("float32"));
  const [m, k, n] = [65, 33, 70];
  const a = tf.randomUniform([m, k], -1, 1, "float32", 5);
  const b = tf.randomUniform([k, n], -1, 1, "float32", 6);
  const [x, y] = [a.dataSync(), b.dataSync()];
  cudaPrecision.set("bfloat16");
  const product = tf.matMul(a, b);
  const actual = product.dataSync();
  let worst = 0;
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += rounded(x[row * k + p]!) * rounded(y[p * n + column]!);
      worst = Math.max(worst, Math.abs(sum - actual[row * n + column]!));
    }
  }
  // Products of bfloat16 are exact in float32; 33 additions of sums below 33 round by half a unit each.
  assert.ok(worst < (33 * 33 * 2 ** -24) / 2, `off by ${worst}`);
  assert.throws(() => cudaPrecision.set("float64" as never), /unknown, wanted one of float32, tf32, bfloat16/);
  tf.dispose([a, b, product]);
});

/** To 8 bits of mantissa, ties to even. */
function rounded(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  const upper = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(Uint32Array.of(upper).buffer)[0]!;
}

test("the peak is measured in both units, and its memory is given back", needsCuda, async () => {
  const before = cuda().memory().used;
  const { gflops, gigabytesPerSecond } = await measurePeak(cuda(), { side: 64, copyBytes: 4096, repeats: 1 });
  assert.ok(gflops > 0 && gigabytesPerSecond > 0);
  assert.equal(cuda().memory().used, before);
});
