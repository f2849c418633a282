import assert from "node:assert/strict";
import test from "node:test";
import type { NativeBinding } from "./addon/binding.js";
import { findOneDnn } from "./addon/find-onednn.js";
import { bfloat16Products, precisionControl } from "./precision.js";
import { native, needsNative, testedInstructionSets } from "./testing/native.js";
import { randomNumbers } from "./testing/wkv7-reference.js";
import { poisoned, relativeError } from "./testing/wkv7-runs.js";

/** The nearest bfloat16, as its definition says: 8 bits of significand, halves to even. */
function bfloat16(x: number): number {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0]!;
  const rounded = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(Uint32Array.of(rounded).buffer)[0]!;
}

/** a b in float64, and the product of their magnitudes: what an error is measured against. */
function exact(m: number, n: number, k: number, a: ArrayLike<number>, b: ArrayLike<number>) {
  const product = new Float64Array(m * n);
  const size = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      for (let j = 0; j < n; j++) {
        const term = a[i * k + p]! * b[p * n + j]!;
        product[i * n + j]! += term;
        size[i * n + j]! += Math.abs(term);
      }
    }
  }
  return { product, size };
}

function operands(m: number, n: number, k: number): [Float32Array, Float32Array] {
  const random = randomNumbers(7);
  const values = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * random() - 1);
  return [values(m * k), values(k * n)];
}

/** As stored when an operand is transposed. */
function transposed(x: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(x, (_, i) => x[(i % rows) * columns + Math.floor(i / rows)]!);
}

function inPrecision(precision: "bfloat16" | "bfloat16 by oneDNN", body: (binding: NativeBinding) => void): void {
  const binding = native();
  binding.setPrecision(precision);
  try {
    body(binding);
  } finally {
    binding.setPrecision("float32");
  }
}

/** Both operands as stored, and what to call that. */
const layouts = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

/** What float32 sums of k terms may be off by: 2^-24 a term at random, four times for the worst of thousands. */
const sumError = (k: number): number => 4 * 2 ** -24 * Math.sqrt(k);

const oneDnn = findOneDnn(process.env);

test("bfloat16 products are those of rounded operands, summed in float32", needsNative, (t) => {
  // Odd depths, one block and several of them, parts of tiles.
  for (const [m, n, k] of [
    [70, 65, 130],
    [61, 67, 77],
    [37, 33, 1201],
  ] as const) {
    const [a, b] = operands(m, n, k);
    const ofRounded = exact(m, n, k, a.map(bfloat16), b.map(bfloat16)).product;
    const { product, size } = exact(m, n, k, a, b);
    const { simd: chosen, threads } = native().info();
    for (const simd of testedInstructionSets()) {
      native().configure({ simd, threads: simd === chosen ? threads : 1 });
      inPrecision("bfloat16", (binding) => {
        for (const [left, right] of layouts) {
          const c = poisoned(m * n);
          const [x, y] = [left ? transposed(a, m, k) : a, right ? transposed(b, k, n) : b];
          binding.matMul(1, m, n, k, left, right, x, y, c);
          const what = `${simd}, ${m} × ${n} × ${k}, ${left} ${right}`;
          const off = relativeError(c, ofRounded);
          assert.ok(off < sumError(k), `${what}: off by ${off}`);
          // Each operand is off by 2^-9 of itself at most, so each term by 2^-8 and hardly more.
          const worst = Math.max(...c.map((value, i) => Math.abs(value - product[i]!) / size[i]!));
          assert.ok(worst < 2 ** -8 * 1.01, `${what}: off by ${worst} of the sum of magnitudes`);
          t.diagnostic(`${what}: off by ${worst.toExponential(1)} of the sum of magnitudes`);
        }
      });
    }
    native().configure({ simd: chosen, threads });
  }
});

const [m, n, k] = [70, 65, 130] as const;

test("rounding keeps infinities, NaN and the even of two neighbours", needsNative, () => {
  const size = 64;
  const special = [1 + 2 ** -8, 1 + 3 * 2 ** -8, -Infinity, NaN, 3e38, 0];
  const a = new Float32Array(size * size);
  special.forEach((value, row) => (a[row * size] = value));
  const b = new Float32Array(size * size);
  b[0] = 1;
  const c = poisoned(size * size);
  inPrecision("bfloat16", (binding) => binding.matMul(1, size, size, size, false, false, a, b, c));
  assert.deepEqual(
    special.map((_, row) => c[row * size]),
    [1, 1 + 2 ** -6, -Infinity, NaN, bfloat16(3e38), 0],
  );
});

test("small products and single rows stay float32, batches share a rounded operand", needsNative, () => {
  const [a, b] = operands(m, n, k);
  inPrecision("bfloat16", (binding) => {
    const row = poisoned(n);
    binding.matMul(1, 1, n, k, false, false, a.subarray(0, k), b, row);
    assert.ok(relativeError(row, exact(1, n, k, a, b).product) < 1e-6);
    const both = poisoned(2 * m * n);
    binding.matMul(2, m, n, k, false, false, a, b, both, [0, 0], [0, 0]);
    assert.deepEqual(both.subarray(0, m * n), both.subarray(m * n));
  });
});

test("bfloat16 sums are the same bits on any number of threads", needsNative, () => {
  const [m, n, k] = [300, 130, 1100];
  const [a, b] = operands(m, n, k);
  const { threads } = native().info();
  inPrecision("bfloat16", (binding) => {
    const [one, three] = [1, 3].map((count) => {
      binding.configure({ threads: count });
      const c = poisoned(m * n);
      binding.matMul(1, m, n, k, false, true, a, transposed(b, k, n), c);
      return c;
    });
    binding.configure({ threads });
    assert.deepEqual(one, three);
  });
});

test("bfloat16 is refused with the reason where it would be slower, and computed where forced", needsNative, () => {
  const binding = native();
  const control = precisionControl(binding, {});
  assert.equal(control.get(), "float32");
  const { bfloat16, simd, simdAvailable } = binding.info();
  if (!bfloat16) {
    assert.throws(
      () => control.set("bfloat16"),
      /would be slower than float32: this CPU has neither.*METASTATE_BFLOAT16/,
    );
    assert.equal(control.get(), "float32");
  } else {
    binding.configure({ simd: simdAvailable[0]! });
    assert.throws(() => control.set("bfloat16"), /slower than float32: the addon was told to use sse2, not avx512/);
    binding.configure({ simd });
  }
  const forced = precisionControl(binding, { METASTATE_BFLOAT16: "force" });
  forced.set("bfloat16");
  assert.equal(forced.get(), "bfloat16");
  forced.set("float32");
  assert.throws(() => binding.setPrecision("float16" as never), /precision "float16" cannot be had/);
});

test("AVX-512 BF16 needs no library, AMX takes oneDNN where it is", needsNative, () => {
  const cpu = (bfloat16: string): NativeBinding => ({
    ...native(),
    info: () => ({ ...native().info(), simd: "avx512", bfloat16, oneDnn: "" }),
    loadOneDnn: (path) => {
      if (path.includes("broken")) throw new Error("no such symbol");
      return "oneDNN 3";
    },
  });
  const named = (path: string): NodeJS.ProcessEnv => ({ METASTATE_ONEDNN: path });
  assert.equal(bfloat16Products(cpu("AVX-512 BF16"), named("/broken")), "bfloat16");
  assert.equal(bfloat16Products(cpu("AMX"), named("/there/libdnnl.so")), "bfloat16 by oneDNN");
  assert.throws(
    () => bfloat16Products(cpu("AMX"), named("/broken/libdnnl.so")),
    /oneDNN at \/broken\/libdnnl\.so cannot be used \(no such symbol\): METASTATE_ONEDNN names another/,
  );
});

test(
  "oneDNN's products, of which bfloat16 is a type, agree with float64",
  { skip: needsNative.skip || (oneDnn ? false : "oneDNN is not there: METASTATE_ONEDNN names one") },
  (t) => {
    const binding = native();
    t.diagnostic(binding.loadOneDnn(oneDnn!));
    const [a, b] = operands(m, n, k);
    const { product } = exact(m, n, k, a, b);
    const ofRounded = exact(m, n, k, a.map(bfloat16), b.map(bfloat16)).product;
    for (const [left, right] of layouts) {
      const c = poisoned(m * n);
      const [x, y] = [left ? transposed(a, m, k) : a, right ? transposed(b, k, n) : b];
      binding.oneDnnProduct(m, n, k, left, right, x, y, c);
      assert.ok(relativeError(c, product) < sumError(k), `float32, ${left} ${right}`);
      inPrecision("bfloat16 by oneDNN", () => {
        // Refused by the library where the CPU lacks the instructions, as an error and not as a crash; or computed slowly.
        try {
          binding.matMul(1, m, n, k, left, right, x, y, c.fill(NaN));
        } catch (error) {
          assert.ok(!binding.info().bfloat16, String(error));
          assert.match(String(error), /oneDNN: .* failed with status/);
          return;
        }
        assert.ok(relativeError(c, ofRounded) < sumError(k), `bfloat16, ${left} ${right}`);
      });
    }
  },
);
