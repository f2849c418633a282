import assert from "node:assert/strict";
import test, { mock } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { CommCommand, RunCommand } from "../session-protocol.js";
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
    look: () => undefined,
    hasEnded: () => false,
    failed: assert.fail,
  });
  const message = (id: number) => ({ type: "comm", id }) as CommCommand;

  const dropped = mock.method(globalThis, "setImmediate", () => undefined);
  inbox.push([message(1), message(2), message(3)]);
  dropped.mock.restore();
  inbox.push([message(4)]);
  await sleep(20);
  assert.deepEqual(taken, []);

  inbox.wake();
  while (taken.length < 4) await sleep(1);
  assert.deepEqual(taken, [1, 2, 3, 4]);
});

test("a cell or a message that cannot be begun, or carried through, is told of", async () => {
  const failed: [number, unknown][] = [];
  const inbox = new Inbox({
    run: () => Promise.reject(new Error("the cell")),
    comm: ({ id }) => {
      if (id === 2) throw new Error("the message");
      return Promise.reject(new Error("its handling"));
    },
    answer: () => undefined,
    imported: () => undefined,
    look: () => undefined,
    hasEnded: () => false,
    failed: (id, error) => failed.push([id, (error as Error).message]),
  });
  inbox.push([
    { type: "run", cell: { id: 1 } } as RunCommand,
    { type: "comm", id: 2 } as CommCommand,
    { type: "comm", id: 3 } as CommCommand,
  ]);
  while (failed.length < 3) await sleep(1);
  assert.deepEqual(failed, [
    [1, "the cell"],
    [2, "the message"],
    [3, "its handling"],
  ]);
});
