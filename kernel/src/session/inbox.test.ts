import assert from "node:assert/strict";
import test, { mock } from "node:test";
import type { CommCommand } from "../session-protocol.js";
import { Inbox } from "./inbox.js";

test("messages whose turn a termination has dropped are taken up after the interrupt, in order", async () => {
  const taken: number[] = [];
  const inbox = new Inbox({
    run: () => Promise.resolve(),
    comm: ({ id }) => {
      taken.push(id);
      return Promise.resolve();
    },
    answer: () => undefined,
    imported: () => undefined,
    hasEnded: () => false,
  });
  const message = (id: number) => ({ type: "comm", id }) as CommCommand;

  const dropped = mock.method(globalThis, "setImmediate", () => undefined);
  inbox.push([message(1), message(2), message(3)]);
  dropped.mock.restore();
  inbox.push([message(4)]);
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(taken, []);

  inbox.wake();
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual(taken, [1, 2, 3, 4]);
});
