/** A client that has been suspended: the memory of the kernel stays bounded, and the other client gets everything. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import test from "node:test";
import { KernelClient } from "../client.js";
import { bareKernel } from "../environment.js";

const MEGABYTES = 500;

/** Prints a line when it has subscribed and something has come. */
const READER = `
  import { readFileSync } from "node:fs";
  import { Subscriber } from ${JSON.stringify(import.meta.resolve("zeromq"))};
  const { ip, iopub_port } = JSON.parse(readFileSync(process.argv[1], "utf8"));
  const socket = new Subscriber();
  socket.connect("tcp://" + ip + ":" + iopub_port);
  socket.subscribe();
  for await (const _ of socket) console.log("read");`;

/** Resident memory of a process in megabytes. */
function memoryOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}

test(
  "a suspended client bounds the kernel's memory and takes nothing from the others",
  {
    timeout: 300_000,
    skip: process.platform !== "linux" && "memory is read from /proc",
  },
  async (t) => {
    const kernel = await KernelClient.start({ spec: bareKernel() });
    t.after(() => kernel.stop());
    const session = Number((await kernel.execute("console.log(process.pid)")).stdout);
    const reader = spawn(process.execPath, ["--input-type=module", "-e", READER, kernel.connection.file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => reader.kill("SIGKILL"));
    const ready = once(reader.stdout, "data");
    await kernel.execute("1");
    await ready;
    reader.kill("SIGSTOP");

    const before = { front: memoryOf(kernel.pid), session: memoryOf(session) };
    const most = { ...before };
    const watch = setInterval(() => {
      most.front = Math.max(most.front, memoryOf(kernel.pid));
      most.session = Math.max(most.session, memoryOf(session));
    }, 50);
    const ran = await kernel
      .execute(
        `const line = "x".repeat(99) + "\\n"; for (let i = 0; i < ${MEGABYTES * 10}; i++) process.stdout.write(line.repeat(1000))`,
        { timeout: 200_000 },
      )
      .finally(() => {
        clearInterval(watch);
      });
    assert.equal(ran.stdout.length, MEGABYTES * 1_000_000);
    assert.match(kernel.log, /a client has read nothing for 20 s/);
    // Some 16 MB wait for the suspended client, as much for the other, and what has been sent is garbage for a while.
    assert.ok(most.front - before.front < MEGABYTES / 2, `the front grew by ${most.front - before.front} MB`);
    assert.ok(most.session - before.session < MEGABYTES / 2, `the session grew by ${most.session - before.session} MB`);
  },
);
