/** What clients get that read slowly, late or not at all. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as zmq from "zeromq";
import { GreetingSocket, Publisher, SUBSCRIBER_QUEUE } from "./publisher.js";

const MESSAGE = Buffer.alloc(100_000, "x");

async function bound(t: TestContext, patience: number) {
  const socket = new GreetingSocket({ sendHighWaterMark: SUBSCRIBER_QUEUE, linger: 0 });
  socket.noDrop = true;
  await socket.bind("tcp://127.0.0.1:*");
  const log: string[] = [];
  t.after(() => {
    socket.close();
  });
  const publisher = new Publisher(socket, { patience, log: (line) => log.push(line) });
  const subscribed = async (): Promise<void> => {
    const [frame] = await socket.receive();
    socket.accept(frame!.subarray(1));
  };
  return { socket, publisher, log, subscribed, address: socket.lastEndpoint! };
}

function subscriber(t: TestContext, address: string): zmq.Subscriber {
  const socket = new zmq.Subscriber({ linger: 0, receiveHighWaterMark: 10 });
  t.after(() => {
    socket.close();
  });
  socket.connect(address);
  socket.subscribe();
  return socket;
}

/** Reads numbered messages until `last` has come; `pause` milliseconds after each. */
async function readUntil(socket: zmq.Subscriber, last: number, pause = 0): Promise<number[]> {
  const seen: number[] = [];
  for await (const [number] of socket) {
    seen.push(Number(number));
    if (seen.at(-1) === last) break;
    if (pause > 0) await sleep(pause);
  }
  return seen;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

test("a client that reads slowly gets every message, and the sender waits for it", async (t) => {
  const { publisher, log, subscribed, address } = await bound(t, 60_000);
  const slow = subscriber(t, address);
  await subscribed();
  const count = 400;
  let sent = 0;
  for (const i of numbers(count)) void publisher.send([String(i), MESSAGE]).then(() => sent++);
  await sleep(100);
  assert.ok(sent < count, "everything was sent though nobody has read");
  assert.deepEqual(await readUntil(slow, count - 1, 1), numbers(count));
  assert.deepEqual(log, []);
});

test("a client that has been stopped holds up the others only for a while; they lose nothing", async (t) => {
  const { publisher, log, subscribed, address } = await bound(t, 1000);
  const fast = subscriber(t, address);
  await subscribed();
  const program = `
    import { Subscriber } from ${JSON.stringify(import.meta.resolve("zeromq"))};
    const socket = new Subscriber({ receiveHighWaterMark: 10 });
    socket.connect(${JSON.stringify(address)});
    socket.subscribe();
    for await (const [number] of socket) console.log(String(number));`;
  const stopped = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => stopped.kill("SIGKILL"));
  await subscribed();
  await publisher.send(["-1", MESSAGE]);
  await once(stopped.stdout, "data");
  stopped.kill("SIGSTOP");

  const count = 1500;
  const reading = readUntil(fast, count - 1);
  for (const i of numbers(count)) void publisher.send([String(i), MESSAGE]);
  assert.deepEqual(await reading, [-1, ...numbers(count)]);
  assert.match(log.join("\n"), /^a client has read nothing for 1 s: it misses what is published until it reads again$/);

  // Once it reads again it gets what is new.
  let output = "";
  stopped.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  stopped.kill("SIGCONT");
  while (!output.includes("news")) {
    await publisher.send(["news", "x"]);
    await sleep(20);
  }
  const read = output.split("\n").filter((line) => /^\d+$/.test(line));
  assert.ok(read.length < count, "the stopped client has read everything");
  assert.deepEqual(read.map(Number), numbers(read.length), "what it has read has no gap before the first loss");
});

test("closing waits for no client", async (t) => {
  const { publisher, log, subscribed, address } = await bound(t, 60_000);
  subscriber(t, address);
  await subscribed();
  for (let i = 0; i < 1000; i++) void publisher.send([String(i), MESSAGE]);
  await sleep(50);
  await publisher.close();
  assert.deepEqual(log, []);
});

test("a subscriber's first message is its welcome, however much is published when it comes", async (t) => {
  const { socket, publisher, address } = await bound(t, 60_000);
  let going = true;
  const busy = (async () => {
    while (going) await publisher.send(["other", "news"]);
  })();
  const greeting = (async () => {
    for (let i = 0; i < 30; i++) {
      const [frame] = await socket.receive();
      if (frame![0] === 1) await publisher.send(["welcome"], () => socket.accept(frame!.subarray(1)));
    }
  })();
  for (let i = 0; i < 30; i++) {
    const client = subscriber(t, address);
    const [first] = await client.receive();
    assert.equal(String(first), "welcome");
    const [second] = await client.receive();
    assert.equal(String(second), "other", "and then it gets what the others get");
  }
  going = false;
  await Promise.all([busy, greeting]);
});
