/** Which interrupts of a start give the preload module up. */
import assert from "node:assert/strict";
import test from "node:test";
import { Startup } from "./startup.js";

/** Whether interrupts at these seconds after the start give the preload up, where a cell waits. */
function giveUp(...seconds: readonly number[]): boolean[] {
  let now = 0;
  const startup = new Startup(true, () => now);
  return seconds.map((second) => {
    now = second * 1000;
    return startup.interrupt(true);
  });
}

test("a second interrupt gives the preload up, and so do all after it; a double click is one", () => {
  assert.deepEqual(giveUp(1, 1.2, 3, 4), [false, false, true, true]);
});

test("one interrupt gives up a preload that hangs", () => {
  assert.deepEqual(giveUp(90), [true]);
});

test("interrupts for which no cell waits are none, and without preload modules there is nothing to give up", () => {
  const startup = new Startup(true, () => 0);
  assert.equal(startup.interrupt(false), false);
  assert.equal(startup.interrupt(true), false);
  assert.match(startup.report().evalue, /before it began/);
  const bare = new Startup(false);
  bare.interrupt(true);
  assert.match(bare.report().evalue, /variables are kept$/);
});
