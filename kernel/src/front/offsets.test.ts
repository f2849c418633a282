import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { toCodePoints, toCodeUnits } from "./offsets.js";

test("code points and code units agree on every prefix of any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const points = [...text];
      for (let n = 0; n <= points.length; n++) {
        const units = points.slice(0, n).join("").length;
        assert.equal(toCodeUnits(text, n), units);
        assert.equal(toCodePoints(text, units), n);
      }
    }),
  );
});

test("an offset past the end is the end", () => {
  assert.equal(toCodeUnits("a😀", Infinity), 3);
});
