import assert from "node:assert/strict";
import test from "node:test";
import { libraryOf } from "./options.js";

test("the library of JavaScript that cells know is what the Node.js that runs has, no more and no less", () => {
  const has = (of: object, ...names: readonly string[]): boolean => names.every((name) => Object.hasOwn(of, name));
  const sets = has(Set.prototype, "union");
  const iterators = has(globalThis, "Iterator");
  const has2024 = has(Object, "groupBy") && has(Promise, "withResolvers") && has(ArrayBuffer.prototype, "transfer");
  const has2025 = sets && iterators && has(globalThis, "Float16Array") && has(Promise, "try") && has(RegExp, "escape");
  const { year, later } = libraryOf(process.versions.node);
  assert.equal(year, has2025 ? 2025 : has2024 ? 2024 : 2023);
  assert.equal(year >= 2025 || later.includes("lib.es2025.collection.d.ts"), sets);
  assert.equal(year >= 2025 || later.includes("lib.es2025.iterator.d.ts"), iterators);
  assert.equal(later.includes("lib.esnext.array.d.ts"), has(Array, "fromAsync"));
});

test("Node.js 20 has the library of 2023, 22 of 2024 with sets and iterators, 24 of 2025", () => {
  assert.deepEqual(libraryOf("20.19.0"), { year: 2023, later: [] });
  assert.equal(libraryOf("22.12.0").year, 2024);
  assert.equal(libraryOf("22.12.0").later.length, 3);
  assert.deepEqual(libraryOf("24.0.0"), { year: 2025, later: ["lib.esnext.array.d.ts"] });
});
