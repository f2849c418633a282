import assert from "node:assert/strict";
import test from "node:test";
import type { NativeBinding } from "./addon/binding.js";
import { findOneDnn, oneDnnRemedy } from "./addon/find-onednn.js";
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

function inPrecision(precision: "bfloat16" | "bfloat16 rounded", body: (binding: NativeBinding) => void): void {
  const binding = native();
  binding.setPrecision(precision);
  try {
    body(binding);
  } finally {
    binding.setPrecision("float32");
  }
}

const [m, n, k] = [70, 65, 130] as const;

const oneDnn = findOneDnn(process.env);

test("bfloat16 products are those of rounded operands, summed in float32", needsNative, (t) => {
  const [a, b] = operands(m, n, k);
  const ofRounded = exact(m, n, k, a.map(bfloat16), b.map(bfloat16)).product;
  const { product, size } = exact(m, n, k, a, b);
  if (native().info().bfloat16 && oneDnn) native().loadOneDnn(oneDnn);
  const here = native().info();
  const forms = ["bfloat16 rounded", ...(here.bfloat16 && here.oneDnn ? (["bfloat16"] as const) : [])] as const;
  for (const form of forms) {
    for (const simd of testedInstructionSets()) {
      native().configure({ simd });
      inPrecision(form, (binding) => {
        for (const [left, right] of [
          [false, false],
          [true, false],
          [false, true],
          [true, true],
        ] as const) {
          const c = poisoned(m * n);
          const [x, y] = [left ? transposed(a, m, k) : a, right ? transposed(b, k, n) : b];
          binding.matMul(1, m, n, k, left, right, x, y, c);
          // Sums of k terms in float32: 2^-24 a term at random, four times for the worst of thousands.
          assert.ok(relativeError(c, ofRounded) < 4 * 2 ** -24 * Math.sqrt(k), `${form}, ${simd}, ${left} ${right}`);
          // Each operand is off by 2^-9 of itself at most, so each term by 2^-8 and hardly more.
          const worst = Math.max(...c.map((value, i) => Math.abs(value - product[i]!) / size[i]!));
          assert.ok(worst < 2 ** -8 * 1.01, `off by ${worst} of the sum of magnitudes`);
          t.diagnostic(`${form}, ${simd}: off by ${worst.toExponential(1)} of the sum of magnitudes`);
        }
      });
    }
    native().configure({ simd: here.simd });
  }
});

test("rounding keeps infinities, NaN and the even of two neighbours", needsNative, () => {
  const size = 64;
  const special = [1 + 2 ** -8, 1 + 3 * 2 ** -8, -Infinity, NaN, 3e38, 0];
  const a = new Float32Array(size * size);
  special.forEach((value, row) => (a[row * size] = value));
  const b = new Float32Array(size * size);
  b[0] = 1;
  const c = poisoned(size * size);
  inPrecision("bfloat16 rounded", (binding) => binding.matMul(1, size, size, size, false, false, a, b, c));
  assert.deepEqual(
    special.map((_, row) => c[row * size]),
    [1, 1 + 2 ** -6, -Infinity, NaN, bfloat16(3e38), 0],
  );
});

test("small products and single rows stay float32, batches share a rounded operand", needsNative, () => {
  const [a, b] = operands(m, n, k);
  inPrecision("bfloat16 rounded", (binding) => {
    const row = poisoned(n);
    binding.matMul(1, 1, n, k, false, false, a.subarray(0, k), b, row);
    assert.ok(relativeError(row, exact(1, n, k, a, b).product) < 1e-6);
    const both = poisoned(2 * m * n);
    binding.matMul(2, m, n, k, false, false, a, b, both, [0, 0], [0, 0]);
    assert.deepEqual(both.subarray(0, m * n), both.subarray(m * n));
  });
});

test("bfloat16 is refused with the reason where it would be slower, and computed where forced", needsNative, () => {
  const binding = native();
  const control = precisionControl(binding, {});
  assert.equal(control.get(), "float32");
  if (!binding.info().bfloat16) {
    assert.throws(
      () => control.set("bfloat16"),
      /would be slower than float32: this CPU has neither.*METASTATE_BFLOAT16/,
    );
    assert.equal(control.get(), "float32");
    assert.equal(bfloat16Products(binding, { METASTATE_BFLOAT16: "force" }), "bfloat16 rounded");
  }
  const forced = precisionControl(binding, { METASTATE_BFLOAT16: "force" });
  forced.set("bfloat16");
  assert.equal(forced.get(), "bfloat16");
  forced.set("float32");
  assert.throws(() => binding.setPrecision("float16" as never), /precision "float16" cannot be had/);
});

test("a CPU that has the instructions asks for oneDNN, by name and remedy", needsNative, () => {
  const able = { ...native(), info: () => ({ ...native().info(), bfloat16: "AMX", oneDnn: "" }) };
  const none = { VIRTUAL_ENV: "/nowhere", METASTATE_ONEDNN: "/nowhere/libdnnl.so" };
  assert.throws(() => bfloat16Products(able, none), /\/nowhere\/libdnnl\.so cannot be used \(.*nowhere/);
  assert.match(oneDnnRemedy, /pip install onednn-cpu-gomp/);
});

test(
  "oneDNN's products, of which bfloat16 is a type, agree with float64",
  { skip: needsNative.skip || (oneDnn ? false : `oneDNN is not there; ${oneDnnRemedy}`) },
  (t) => {
    const binding = native();
    t.diagnostic(binding.loadOneDnn(oneDnn!));
    const [a, b] = operands(m, n, k);
    const { product } = exact(m, n, k, a, b);
    for (const [left, right] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      const c = poisoned(m * n);
      const [x, y] = [left ? transposed(a, m, k) : a, right ? transposed(b, k, n) : b];
      binding.oneDnnProduct(m, n, k, left, right, x, y, c);
      assert.ok(relativeError(c, product) < 4 * 2 ** -24 * Math.sqrt(k), `${left} ${right}`);
    }
    if (binding.info().bfloat16) return;
    binding.setPrecision("bfloat16");
    try {
      // Refused by the library where the CPU lacks the instructions, as an error and not as a crash; or computed slowly.
      const c = poisoned(m * n);
      try {
        binding.matMul(1, m, n, k, false, false, a, b, c);
        assert.ok(relativeError(c, product) < 0.02);
      } catch (error) {
        assert.match(String(error), /oneDNN: .* failed with status/);
      }
    } finally {
      binding.setPrecision("float32");
    }
  },
);
