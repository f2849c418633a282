// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { compare, inTurn, spread } from "./compare.mjs";

test("the spread of numbers is their median, quartiles and extremes", () => {
  assert.deepEqual(spread([4, 1, 3, 2, 5]), { median: 3, low: 2, high: 4, least: 1, most: 5 });
  assert.deepEqual(spread([1, 2]), { median: 1.5, low: 1.25, high: 1.75, least: 1, most: 2 });
  assert.equal(spread([7]).median, 7);
});

test("a contender that takes four times as long is seen to", async (t) => {
  let clock = 0;
  t.mock.method(performance, "now", () => clock);
  const busy = (/** @type {number} */ milliseconds) => {
    clock += milliseconds;
  };
  const { ratio, withinNoise, callsPerSample } = await compare(
    () => busy(2),
    () => busy(0.5),
    { rounds: 5, sampleMilliseconds: 4 },
  );
  assert.equal(ratio.median, 4);
  assert.equal(withinNoise, false);
  assert.ok(callsPerSample[1] > callsPerSample[0]);
});

test("one that measures itself is taken at its word", async () => {
  const answers = { milliseconds: async () => Promise.resolve(3) };
  const { slowMilliseconds, ratio } = await compare({ milliseconds: () => 6 }, answers, { rounds: 3 });
  assert.equal(slowMilliseconds.median, 6);
  assert.equal(ratio.median, 2);
});

test("contenders take turns, and who begins changes", async () => {
  /** @type {string[]} */
  const order = [];
  const asynchronous = async () => {
    await Promise.resolve();
    order.push("b");
  };
  await compare(() => order.push("a"), asynchronous, { rounds: 2, sampleMilliseconds: 0 });
  assert.equal(order.join(""), "aabb" + "abba");
});

test("calls in turn show a small difference under a machine that slows down by far more", (t) => {
  let clock = 0;
  t.mock.method(performance, "now", () => clock);
  /** @type {string[]} */
  const order = [];
  // Each round of 2 × 5 calls is slower than the one before, and now and then a call takes a hundred times as long.
  const pace = () => 1 + Math.floor((order.length - 3) / 10);
  const busy = (/** @type {string} */ name, /** @type {number} */ milliseconds) => () => {
    order.push(name);
    clock += milliseconds * pace() * (order.length % 7 === 0 ? 100 : 1);
  };
  const [first, second] = inTurn([busy("a", 1), busy("b", 1.05)], { rounds: 8, calls: 5 });
  assert.ok(first.milliseconds.most > 4 * first.milliseconds.least);
  assert.equal(first.ratio.most, 1);
  assert.ok(Math.abs(second.ratio.median - 1.05) < 1e-9);
  assert.equal(order.slice(2, 8).join(""), "abbaab");
});
