import assert from "node:assert/strict";
import test, { mock } from "node:test";
import type { Frame } from "../session-protocol.js";
import { divertFrames } from "./frames.js";
import { Tasks } from "./tasks.js";

const sent: Frame[] = [];
divertFrames((frame) => {
  sent.push(frame);
  return true;
});

test("the end of a task that a termination strikes before the front is told is told after the interrupt", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const tasks = new Tasks(() => undefined);
  // As a termination does, this ends what runs in its middle.
  tasks.onEnd = () => {
    throw new Error("terminated");
  };
  assert.throws(() => {
    tasks.end(7, { status: "ok" });
  }, /terminated/);
  assert.equal(tasks.hasEnded(7), true);
  assert.deepEqual(sent, []);

  tasks.onEnd = () => undefined;
  tasks.endInterrupted([7]);
  mock.timers.runAll();
  assert.deepEqual(
    sent.map(({ type }) => type),
    ["done"],
  );

  // Once it is told, no later interrupt tells it again.
  tasks.endInterrupted([7]);
  mock.timers.runAll();
  assert.equal(sent.length, 1);
  mock.timers.reset();
});
