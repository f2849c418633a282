import assert from "node:assert/strict";
import test from "node:test";

import fc from "fast-check";

import { encodeHalves } from "./float-formats.js";
import { decode } from "./testing.js";

const everyHalf = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, bits) => bits).buffer);

/** The value of a float16 by IEEE 754's definition. */
function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + mantissa / 1024) * 2 ** (exponent - 15) : (mantissa / 1024) * 2 ** -14);
}

function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!;
}

test("every float16 becomes its float32, exactly", () => {
  const values = decode("F16", everyHalf) as Float32Array;
  values.forEach((value, bits) => assert.ok(Object.is(value, halfValue(bits)), `0x${bits.toString(16)}: ${value}`));
});

test("every bfloat16 is the upper half of its float32, NaN payloads included", () => {
  const bits = new Uint32Array((decode("BF16", everyHalf) as Float32Array<ArrayBuffer>).buffer);
  bits.forEach((float32, bfloat16) => assert.equal(float32, (bfloat16 << 16) >>> 0));
});

for (const dtype of ["F16", "BF16"] as const) {
  test(`every ${dtype} comes back from float32 as it was, but NaN may become quiet`, () => {
    const back = new Uint16Array(encodeHalves(dtype, decode(dtype, everyHalf) as Float32Array).buffer);
    const quiet = dtype === "F16" ? 0x200 : 0x40;
    const infinity = dtype === "F16" ? 0x7c00 : 0x7f80;
    back.forEach((bits, before) => {
      const nan = (before & 0x7fff) > infinity;
      assert.equal(bits, nan ? before | quiet : before, `0x${before.toString(16)}`);
    });
  });

  test(`float32 goes to the nearest ${dtype}, ties to even`, () => {
    const table = [...(decode(dtype, everyHalf) as Float32Array)]
      .map((value, bits) => ({ value, bits }))
      .filter(({ value }) => Number.isFinite(value) && !Object.is(value, -0))
      .sort((a, b) => a.value - b.value);
    const nearest = (x: number): number => {
      let low = 0;
      let high = table.length - 1;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (table[middle]!.value <= x) low = middle;
        else high = middle;
      }
      const [below, above] = [table[low]!, table[high]!];
      const difference = x - below.value - (above.value - x);
      if (difference === 0) return below.bits & 1 ? above.bits : below.bits;
      return difference < 0 ? below.bits : above.bits;
    };
    const largest = table.at(-1)!.value;
    const check = (x: number): void => {
      const bits = new Uint16Array(encodeHalves(dtype, Float32Array.of(x)).buffer)[0]!;
      const value = (decode(dtype, new Uint8Array(Uint16Array.of(bits).buffer)) as Float32Array)[0]!;
      // Below half of the smallest number the sign stays.
      assert.equal(value < 0 || Object.is(value, -0), x < 0 || Object.is(x, -0), String(x));
      if (x !== 0 && value !== 0) assert.equal(bits, nearest(x), String(x));
    };
    fc.assert(fc.property(fc.float({ min: -largest, max: largest, noNaN: true }), check), { numRuns: 3000, seed: 1 });
    // Half-way between neighbours, and next to it.
    for (let i = 1; i < table.length; i += 97) {
      const middle = (table[i - 1]!.value + table[i]!.value) / 2;
      if (Math.fround(middle) !== middle) continue;
      for (const step of [-1, 0, 1]) {
        const bits = Uint32Array.of(bitsOf(middle) + step);
        check(new Float32Array(bits.buffer)[0]!);
      }
    }
  });
}

test("what is too large becomes infinite, NaN stays NaN", () => {
  const values = Float32Array.of(65519, 65520, -1e30, NaN, Infinity, 3.4e38);
  const half = decode("F16", encodeHalves("F16", values));
  assert.deepEqual([...(half as Float32Array)], [65504, Infinity, -Infinity, NaN, Infinity, Infinity]);
  const brain = decode("BF16", encodeHalves("BF16", values)) as Float32Array;
  assert.deepEqual([brain[3], brain[4], brain[5]], [NaN, Infinity, Infinity]);
});
