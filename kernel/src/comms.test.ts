/** Comms, both ways: what a cell and a client say to each other. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import test, { after, afterEach, before } from "node:test";
import type { Json } from "./protocol/message.js";
import { ending, TestNotebook, type Published, type Ran } from "./testing.js";

let notebook: TestNotebook;
before(() => {
  notebook = new TestNotebook();
});
after(() => notebook.close());
afterEach(async () => {
  await notebook.run("for (const comm of comms.list()) comm.close()");
});

async function ran(code: string): Promise<Ran> {
  const cell = await notebook.run(code);
  assert.equal(ending(cell), "ok");
  return cell;
}

/** The comm that a client opens. */
async function opened(target: string, data: Json = {}): Promise<string> {
  const comm_id = `client-${Math.random()}`;
  await notebook.comm("comm_open", { comm_id, target_name: target, data });
  return comm_id;
}

function data(messages: readonly Published[]): unknown[] {
  return messages.map(({ type, content }) => [type, content["data"]]);
}

function errors({ messages }: Ran): unknown[] {
  return messages.filter(({ type }) => type === "error").map(({ content }) => content["ename"]);
}

test("a cell opens a comm, sends by it and closes it", async () => {
  const { messages } = await ran(
    'const mine = comms.open("t", { a: 1 }, { id: "an id", metadata: { m: 2 } }); mine.send({ b: 2 }); mine.close({ c: 3 }); mine.close()',
  );
  assert.deepEqual(
    messages.map(({ type, content, metadata }) => [type, content, metadata]),
    [
      ["comm_open", { comm_id: "an id", target_name: "t", data: { a: 1 } }, { m: 2 }],
      ["comm_msg", { comm_id: "an id", data: { b: 2 } }, {}],
      ["comm_close", { comm_id: "an id", data: { c: 3 } }, {}],
    ],
  );
  assert.match(ending(await notebook.run("mine.send({})")), /is closed: open another with comms\.open\("t"\)/);
});

test("binary buffers go out and come back as they are", async () => {
  const { messages } =
    await ran(`const bytes = comms.open("bytes", {}, { buffers: [new Uint8Array([1, 2]), new Uint8Array()] });
    bytes.onMessage(({ buffers }) => {
      const floats = new Float64Array(buffers[1]!.buffer);
      bytes.send({ sizes: buffers.map((b) => b.length), floats: [...floats] }, { buffers: [new Uint8Array(buffers[0]!.toReversed())] });
    });`);
  assert.deepEqual(
    messages[0]?.buffers?.map((buffer) => [...buffer]),
    [[1, 2], []],
  );
  const comm_id = Object.keys(notebook.comms)[0];
  const floats = Buffer.from(new Float64Array([0.5, -1]).buffer);
  const [answer] = await notebook.comm("comm_msg", { comm_id, data: {} }, [Buffer.from([7, 8, 9]), floats]);
  assert.deepEqual(answer?.content["data"], { sizes: [3, 16], floats: [0.5, -1] });
  assert.deepEqual(
    answer.buffers?.map((buffer) => [...buffer]),
    [[9, 8, 7]],
  );
});

test("a client opens a comm; the answers name its messages as their parent, in order", async () => {
  await ran(`comms.onOpen("echo", (comm, { data }) => {
    comm.send({ opened: data });
    comm.onMessage(async ({ data }) => { comm.send({ first: data }); await null; comm.send({ second: data }) });
    comm.onClose(({ data }) => console.log("closed", data));
  })`);
  const comm_id = "from-client";
  assert.deepEqual(data(await notebook.comm("comm_open", { comm_id, target_name: "echo", data: { a: 1 } })), [
    ["comm_msg", { opened: { a: 1 } }],
  ]);
  assert.deepEqual(notebook.comms, { [comm_id]: { target_name: "echo" } });
  const answers = await Promise.all([1, 2, 3].map((x) => notebook.comm("comm_msg", { comm_id, data: { x } })));
  for (const [i, answer] of answers.entries()) {
    assert.deepEqual(data(answer), [
      ["comm_msg", { first: { x: i + 1 } }],
      ["comm_msg", { second: { x: i + 1 } }],
    ]);
  }
  assert.deepEqual(await notebook.comm("comm_close", { comm_id, data: {} }), []);
  assert.deepEqual(notebook.comms, {});
});

test("a comm of a target that nobody knows is closed at once", async () => {
  const answer = await notebook.comm("comm_open", { comm_id: "lost", target_name: "nobody", data: {} });
  assert.deepEqual(
    answer.map(({ type, content }) => [type, content]),
    [["comm_close", { comm_id: "lost", data: {} }]],
  );
  assert.deepEqual(notebook.comms, {});
  assert.deepEqual(await notebook.comm("comm_msg", { comm_id: "lost", data: {} }), []);
});

test("what a handler prints, displays and throws appears on the cell that registered it", async () => {
  const cell = await ran(`comms.onOpen("loud", (comm) => {
    comm.onMessage(() => { console.log("heard"); throw new RangeError("no") });
    comm.onMessage(async () => { await null; console.log("also heard") });
  })`);
  await ran("1");
  await notebook.comm("comm_msg", { comm_id: await opened("loud"), data: {} });
  const streams = cell.messages.filter(({ type }) => type === "stream").map(({ content }) => content["text"]);
  assert.equal(streams.join(""), "heard\nalso heard\n");
  assert.deepEqual(errors(cell), ["RangeError"]);
});

test("a handler that fails to open closes the comm", async () => {
  const cell = await ran('comms.onOpen("broken", () => { throw new TypeError("no") })');
  await opened("broken");
  assert.deepEqual(notebook.comms, {});
  assert.deepEqual(errors(cell), ["TypeError"]);
});

test("messages reach handlers while a cell awaits, and an async handler keeps no other waiting", async () => {
  await ran(`let go!: () => void; const gone = new Promise<void>((resolve) => (go = resolve));
    comms.onOpen("buttons", (comm) => { comm.onMessage(async ({ data }) => { if (data["wait"]) await gone; else go() }) })`);
  const comm_id = await opened("buttons");
  const cell = notebook.run("await gone; 'on'");
  const waits = notebook.comm("comm_msg", { comm_id, data: { wait: true } });
  await notebook.comm("comm_msg", { comm_id, data: {} });
  await waits;
  assert.equal((await cell).result, "'on'");
});

for (const [name, handler] of Object.entries({
  "an endless loop": "() => { while (true) {} }",
  "an endless loop after an await": "async () => { await new Promise((r) => setTimeout(r, 5)); while (true) {} }",
  "a wait without end": "async () => { await new Promise(() => {}) }",
})) {
  test(`an interrupt stops ${name} in a handler, and what was sent after it is handled`, async () => {
    const cell = await ran(
      `let count = 0; comms.onOpen("stuck", (comm) => { comm.onMessage(() => { count++ }); comm.onMessage(${handler}) })`,
    );
    const comm_id = await opened("stuck");
    const stuck = notebook.comm("comm_msg", { comm_id, data: {} });
    await sleep(300);
    const next = notebook.run("count += 10; 'ran'");
    notebook.interrupt();
    await stuck;
    assert.deepEqual(errors(cell), ["KeyboardInterrupt"]);
    await next;
    assert.match((await ran("count")).result ?? "", /^1?1$/);
    assert.deepEqual(data(await notebook.comm("comm_close", { comm_id, data: {} })), []);
  });
}

test("an interrupt stops the cell and the handler that runs in its midst", async () => {
  await ran('comms.onOpen("both", (comm) => { comm.onMessage(() => { while (true) {} }) })');
  const comm_id = await opened("both");
  const cell = notebook.run("await new Promise((r) => setTimeout(r, 60_000))");
  await sleep(200);
  const stuck = notebook.comm("comm_msg", { comm_id, data: {} });
  await sleep(300);
  notebook.interrupt();
  await stuck;
  assert.match(ending(await cell), /^KeyboardInterrupt/);
});

test("comms end with their session, and messages that wait for it are done with", async () => {
  const cell = await ran('comms.open("doomed"); comms.onOpen("killer", () => process.exit(1))');
  const [comm_id] = Object.keys(notebook.comms);
  await opened("killer");
  assert.deepEqual(
    cell.messages.filter(({ type }) => type === "comm_close").map(({ content }) => content["comm_id"] === comm_id),
    [true, false],
  );
  assert.deepEqual(notebook.comms, {});
  assert.equal((await ran("comms.list().length")).result, "0");
});
