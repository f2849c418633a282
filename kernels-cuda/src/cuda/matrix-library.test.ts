/** Where cuBLASLt is looked for, what is said without it, and products in each precision. */
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { cuda, needsCuda, needsEmulator, useCuda } from "../testing/cuda.js";
import { findCublas } from "./addon/find-cublas.js";
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
