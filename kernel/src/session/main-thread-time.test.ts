import assert from "node:assert/strict";
import test from "node:test";
import { LOOK_MS, MainThreadTime, type ThreadState } from "./main-thread-time.js";

/** Times as they are counted while a thread is in these states, one after the other, at looks so many milliseconds apart. */
function counted(states: readonly (ThreadState | undefined)[], apart = LOOK_MS): number {
  let clock = 1000;
  let look = states[0];
  const time = new MainThreadTime(
    () => look,
    () => clock,
  );
  time.resume();
  for (look of states.slice(1)) {
    clock += apart;
    time.advance();
  }
  return time.now;
}

const computes = (processorMs: number): ThreadState => ({ runs: true, processorMs });
const sleeps: ThreadState = { runs: false, processorMs: 0 };

test("a thread that computes has had the time in which it did", () => {
  assert.equal(counted([0, 20, 40, 60].map(computes)), 60);
});

test("processor time that is told in whole ticks counts in full", () => {
  assert.equal(counted([0, 30, 40, 70, 80, 100].map(computes)), 100);
});

test("a thread that waits for a processor has had none", () => {
  assert.equal(counted([0, 0, 0, 10, 10, 10].map(computes)), 10);
});

test("a thread that sleeps has had all of it", () => {
  assert.equal(counted([sleeps, sleeps, sleeps, sleeps]), 60);
});

test("a pause of the whole process is not a time that anybody had", () => {
  assert.equal(counted([sleeps, sleeps], 10_000), 2 * LOOK_MS);
});

test("where nothing is known of the thread, the time is that of the wall", () => {
  assert.equal(counted([undefined, undefined, undefined]), 40);
});
