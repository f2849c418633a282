/** Subshells (JEP 91): several queues of cells in one session. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { KernelClient, type Json } from "../client.js";
import { bareKernel } from "../environment.js";

describe("subshells", { timeout: 300_000 }, () => {
  let kernel: KernelClient;
  before(async () => {
    kernel = await KernelClient.start({ spec: bareKernel() });
  });
  after(async () => {
    await kernel.stop();
  });

  const create = async (): Promise<string> =>
    String((await kernel.request("control", "create_subshell_request")).content["subshell_id"]);
  const list = async (): Promise<unknown> =>
    (await kernel.request("control", "list_subshell_request")).content["subshell_id"];
  const text = ({ outputs }: { outputs: readonly { type: string; content: Json }[] }): unknown =>
    (outputs.find(({ type }) => type === "execute_result")?.content["data"] as Json | undefined)?.["text/plain"];

  it("are made, listed and removed", async () => {
    const { content } = await kernel.request("control", "kernel_info_request");
    assert.ok((content["supported_features"] as string[]).includes("kernel subshells"));
    assert.deepEqual(await list(), []);
    const [one, two] = [await create(), await create()];
    assert.deepEqual(await list(), [one, two]);
    const removed = await kernel.request("control", "delete_subshell_request", { subshell_id: one });
    assert.equal(removed.content["status"], "ok");
    assert.deepEqual(await list(), [two]);
    const again = await kernel.request("control", "delete_subshell_request", { subshell_id: one });
    assert.equal(again.content["status"], "error");
    const ran = await kernel.execute("1", { subshell: one });
    assert.match(String(ran.reply["evalue"]), /no subshell/);
  });

  it("run a cell while another awaits, in the same variables; each has its own outputs, value and count", async () => {
    const subshell = await create();
    let begun: () => void = () => undefined;
    const begins = new Promise<void>((resolve) => (begun = resolve));
    const slow = kernel.execute(
      "let go: () => void;\nconst gate = new Promise<void>((resolve) => (go = resolve));\nlet stage = 1;\n" +
        "console.log('slow begins');\nawait gate;\nconsole.log('slow ends');\nstage + 100",
      { onOutput: ({ type }) => type === "stream" && begun() },
    );
    await begins;
    const quick = await kernel.execute("console.log('quick');\nstage = 2;\nstage", { subshell });
    assert.equal(text(quick), "2");
    assert.equal(quick.stdout, "quick\n");
    await kernel.execute("setTimeout(go, 20); await gate; 'opened'", { subshell }).then((ran) => {
      assert.equal(text(ran), "'opened'");
    });
    const ended = await slow;
    assert.equal(text(ended), "102");
    assert.equal(ended.stdout, "slow begins\nslow ends\n");
    assert.equal(quick.reply["execution_count"], Number(ended.reply["execution_count"]) + 1);
  });

  it("answer cells of one subshell in order, and an error aborts only those that wait in it", async () => {
    const subshell = await create();
    const failing = kernel.execute("await new Promise((r) => setTimeout(r, 100)); throw new Error('first')", {
      subshell,
    });
    const waiting = kernel.execute("'second'", { subshell });
    const other = kernel.execute("'main'");
    assert.equal((await failing).reply["ename"], "Error");
    assert.equal((await waiting).reply["status"], "aborted");
    assert.equal(text(await other), "'main'");
  });

  it("stop, all of them, at an interrupt", async () => {
    const subshell = await create();
    let begun = 0;
    let both: () => void = () => undefined;
    const begins = new Promise<void>((resolve) => (both = resolve));
    const onOutput = ({ type }: { type: string }): void => {
      if (type === "stream" && ++begun === 2) both();
    };
    const cell = "console.log('in'); await new Promise(() => undefined)";
    const running = [kernel.execute(cell, { onOutput }), kernel.execute(cell, { onOutput, subshell })];
    await begins;
    await kernel.interrupt();
    for (const ran of await Promise.all(running)) assert.equal(ran.reply["ename"], "KeyboardInterrupt");
    assert.equal(text(await kernel.execute("6 * 7", { subshell })), "42");
  });

  it("all end with their session, and go on in the next", async () => {
    const subshell = await create();
    const waits = kernel.execute("await new Promise(() => undefined)", { stopOnError: false });
    const dies = await kernel.execute("await new Promise((r) => setTimeout(r, 200)); process.exit(1)", { subshell });
    assert.equal(dies.reply["ename"], "SessionEnded");
    assert.equal((await waits).reply["ename"], "SessionEnded");
    assert.equal(text(await kernel.execute("'fresh'", { subshell })), "'fresh'");
  });

  it("make no difference to comm messages, which are taken at once", async () => {
    const subshell = await create();
    const open = { comm_id: randomUUID(), target_name: "nobody", data: {} };
    assert.deepEqual(
      (await kernel.tell("comm_open", open, { header: { subshell_id: subshell } })).map(({ type }) => type),
      ["comm_close"],
    );
  });
});
