/** What a notebook does all day, by a real client: nothing is lost, nothing is late, and the front answers meanwhile. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { KernelClient } from "../client.js";
import { bareKernel } from "../environment.js";
import { resultOf } from "./results.js";

describe("a notebook", { timeout: 300_000 }, () => {
  let kernel: KernelClient;

  before(async () => {
    kernel = await KernelClient.start({ spec: bareKernel() });
  });

  after(async () => {
    await kernel.stop();
  });

  async function completions(code: string): Promise<readonly string[]> {
    const { content } = await kernel.request("shell", "complete_request", { code, cursor_pos: code.length });
    return content["matches"] as readonly string[];
  }

  it("shows the value of its first cell", async () => {
    assert.equal(resultOf(await kernel.execute("1+1")), "2");
  });

  it("completes with types, also those of an earlier cell", async () => {
    await kernel.execute("class Point { constructor(readonly across: number, readonly down: number) {} }");
    assert.deepEqual(await completions("new Point(1, 2).acr"), ["across"]);
    assert.ok((await completions("Math.sq")).includes("sqrt"));
  });

  it("sees all of 20,000 lines, in order", async () => {
    const { stdout, reply } = await kernel.execute("for (let i = 0; i < 20_000; i++) console.log(i)");
    assert.equal(reply["status"], "ok");
    const lines = stdout.split("\n");
    assert.equal(lines.pop(), "");
    assert.equal(lines.length, 20_000);
    assert.equal(
      lines.findIndex((line, i) => line !== String(i)),
      -1,
    );
  });

  it("sees one line of 20 MB whole", async () => {
    const { stdout } = await kernel.execute(`console.log("x".repeat(20_000_000))`);
    assert.equal(stdout.length, 20_000_001);
    assert.match(stdout.slice(-10), /^x{9}\n$/);
  });

  it("sees what a synchronous cell prints while it runs, and completes meanwhile", async () => {
    let ended = false;
    let seen: () => void = () => undefined;
    const printed = new Promise<void>((resolve) => (seen = resolve));
    const running = kernel
      .execute('console.log("begun"); while (true) {}', { onOutput: () => seen() })
      .finally(() => (ended = true));
    await printed;
    assert.ok((await completions("Math.sq")).includes("sqrt"));
    await kernel.heartbeat();
    assert.equal(ended, false);
    await kernel.interrupt();
    assert.equal((await running).error?.ename, "KeyboardInterrupt");
  });

  it("sees what native code and child processes print", async () => {
    const { stdout, stderr } = await kernel.execute(
      `require("node:child_process").execSync("echo from a child; echo and its errors >&2", { stdio: "inherit" })`,
    );
    assert.deepEqual([stdout, stderr], ["from a child\n", "and its errors\n"]);
  });

  it("runs many cells that were sent at once, one after the other", async () => {
    await kernel.execute("const order: number[] = []");
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, i) => kernel.execute(`order.push(${i})`, { stopOnError: false })),
    );
    assert.ok(all.every(({ reply }) => reply["status"] === "ok"));
    const counts = all.map(({ reply }) => Number(reply["execution_count"]));
    assert.deepEqual(
      counts,
      counts.map((_, i) => (counts[0] ?? 0) + i),
    );
    assert.equal(resultOf(await kernel.execute("order.every((n, i) => n === i) && order.length")), "100");
  });
});
