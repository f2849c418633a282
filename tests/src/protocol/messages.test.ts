/**
 * Every request and every message of the protocol, errors included. The client holds each message of the kernel against
 * the protocol's schemas; the tests here look at what a schema cannot tell.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient, type Execution, type Json, type Message } from "../client.js";
import { bareKernel } from "../environment.js";

describe("the protocol", { timeout: 300_000 }, () => {
  let kernel: KernelClient;

  before(async () => {
    kernel = await KernelClient.start({ spec: bareKernel() });
  });

  after(async () => {
    await kernel.stop();
  });

  const types = ({ outputs }: Execution) => outputs.map(({ type }) => type);
  const result = ({ outputs }: Execution) => {
    const message = outputs.find(({ type }) => type === "execute_result");
    return (message?.content["data"] as Json | undefined)?.["text/plain"];
  };

  it("tells the same about the kernel on shell and control", async () => {
    const shell = await kernel.request("shell", "kernel_info_request");
    const control = await kernel.request("control", "kernel_info_request");
    assert.deepEqual(shell.content, control.content);
    assert.deepEqual((shell.content["language_info"] as Json)["codemirror_mode"], { name: "typescript" });
  });

  it("publishes what a cell does, in order, between busy and idle", async () => {
    const cell = await kernel.execute(
      'console.log("out"); console.error("err"); display("shown").update("again"); display.clear(); 1 + 1',
    );
    assert.deepEqual(types(cell), [
      ...["execute_input", "stream", "stream", "display_data", "update_display_data", "clear_output"],
      ...["execute_result"],
    ]);
    assert.equal(cell.reply["status"], "ok");
  });

  it("counts the cells that are stored, and no others", async () => {
    const count = async (code: string, options = {}) =>
      (await kernel.execute(code, options)).reply["execution_count"] as number;
    const first = await count("1");
    assert.equal(await count("2"), first + 1);
    assert.equal(await count("3", { silent: true }), first + 1);
    assert.equal(await count("4", { storeHistory: false }), first + 1);
    assert.equal(await count("  \n"), first + 1);
    assert.equal(await count("throw 5"), first + 2);
    assert.equal(await count("let x: string = 6"), first + 3);
    const { outputs } = await kernel.execute("7");
    assert.equal(outputs[0]?.content["execution_count"], first + 4);
  });

  it("publishes nothing of a silent cell, whose variables stay", async () => {
    const silent = await kernel.execute('console.log("hush"); display(1); let silence = 8; silence', { silent: true });
    assert.deepEqual(types(silent), []);
    assert.equal(silent.reply["status"], "ok");
    const failed = await kernel.execute("throw new Error('hush')", { silent: true });
    assert.deepEqual(types(failed), []);
    assert.equal(failed.reply["ename"], "Error");
    assert.equal(result(await kernel.execute("silence")), "8");
  });

  it("evaluates user_expressions after the cell, as TypeScript", async () => {
    const userExpressions = {
      sum: "a + 1",
      later: "await Promise.resolve({ a }) // a comment",
      type: "a.toUpperCase()",
      thrown: "(() => { throw new RangeError('far') })()",
      statement: "let b = 1",
      html: '({ outerHTML: "<b>a</b>" })',
      nothing: "undefined",
    };
    const cell = await kernel.execute("const a = 41", { userExpressions });
    const values = cell.reply["user_expressions"] as Record<string, Json>;
    assert.deepEqual(values["sum"], { status: "ok", data: { "text/plain": "42" }, metadata: {} });
    assert.deepEqual(values["later"]?.["data"], { "text/plain": "{ a: 41 }" });
    assert.match(String(values["type"]?.["evalue"]), /toUpperCase/);
    assert.deepEqual([values["thrown"]?.["ename"], values["thrown"]?.["evalue"]], ["RangeError", "far"]);
    assert.equal(values["statement"]?.["status"], "error");
    assert.equal((values["html"]?.["data"] as Json)["text/html"], "<b>a</b>");
    assert.deepEqual(values["nothing"]?.["data"], { "text/plain": "undefined" });
    assert.deepEqual(types(cell), ["execute_input"]);
  });

  it("evaluates user_expressions of an empty silent cell, and none of a cell that failed", async () => {
    const userExpressions = { two: "1 + 1" };
    const empty = await kernel.execute("", { silent: true, userExpressions });
    assert.deepEqual(Object.keys(empty.reply["user_expressions"] as Json), ["two"]);
    const failed = await kernel.execute("throw 1", { userExpressions });
    assert.deepEqual(failed.reply["user_expressions"], {});
  });

  it("aborts what waits behind a cell that failed, unless that was sent with stop_on_error: false", async () => {
    const slow = (stopOnError: boolean, silent = false) =>
      kernel.execute("await new Promise((r) => setTimeout(r, 200)); throw new Error('first')", { stopOnError, silent });
    const behind = async (first: Promise<Execution>) => {
      const [, second, third] = await Promise.all([first, kernel.execute("'second'"), kernel.execute("'third'")]);
      return [second, third].map(({ reply }) => reply["status"]);
    };
    assert.deepEqual(await behind(slow(true)), ["aborted", "aborted"]);
    assert.deepEqual(await behind(slow(false)), ["ok", "ok"]);
    assert.deepEqual(await behind(slow(true, true)), ["ok", "ok"]);
    assert.equal(result(await kernel.execute("'after'")), "'after'");
  });

  it("asks on stdin, with the cell as the parent", async () => {
    const asked: Message[] = [];
    const onInput = (request: Message) => {
      asked.push(request);
      void kernel.answer(request, `answer ${asked.length}`);
    };
    const cell = await kernel.execute('[await input("one"), prompt("two"), confirm("three")]', { onInput });
    assert.equal(result(cell), "[ 'answer 1', 'answer 2', false ]");
    assert.deepEqual(asked[0]?.content, { prompt: "one", password: false });
  });

  it("says so where there is nobody to ask", async () => {
    for (const code of ['await input("?")', 'prompt("?")']) {
      const { reply } = await kernel.execute(code);
      assert.equal(reply["ename"], "StdinNotImplementedError");
    }
  });

  it("is interrupted while it asks, and takes no late answer for another question", async () => {
    let stale: Message | undefined;
    const first = await kernel.execute('prompt("first")', {
      onInput: (request) => {
        stale = request;
        void kernel.interrupt();
      },
    });
    assert.equal(first.reply["ename"], "KeyboardInterrupt");
    const second = await kernel.execute('prompt("second")', {
      onInput: (request) => {
        assert.ok(stale);
        void kernel.answer(stale, "late").then(() => kernel.answer(request, "in time"));
      },
    });
    assert.equal(result(second), "'in time'");
  });

  it("speaks by comms both ways, buffers included, and knows which are open", async () => {
    const { outputs } = await kernel.execute(`comms.onOpen("mirror", (comm) => {
      comm.onMessage(({ data, buffers }) => comm.send(data, { metadata: { seen: true }, buffers }));
    });
    const here = comms.open("here", { hello: 1 }, { metadata: { version: "2.1.0" }, buffers: [new Uint8Array([1, 2, 3])] });`);
    const open = outputs.find(({ type }) => type === "comm_open");
    assert.deepEqual(open?.metadata, { version: "2.1.0" });
    assert.deepEqual([...(open.buffers[0] ?? [])], [1, 2, 3]);
    assert.deepEqual(await kernel.tell("comm_open", { comm_id: "m", target_name: "mirror", data: {} }), []);
    const buffers = [Buffer.from([0xff, 0x00]), Buffer.alloc(0), Buffer.alloc(1_000_000, 7)];
    const [answer] = await kernel.tell("comm_msg", { comm_id: "m", data: { x: [1] } }, { buffers });
    assert.deepEqual(answer?.content, { comm_id: "m", data: { x: [1] } });
    assert.deepEqual(
      answer.buffers.map((buffer) => Buffer.from(buffer)),
      buffers,
    );
    const info = async (content: Json) =>
      (await kernel.request("shell", "comm_info_request", content)).content["comms"];
    assert.deepEqual(await info({ target_name: "mirror" }), { m: { target_name: "mirror" } });
    assert.equal(Object.keys((await info({})) as Json).length, 2);
    await kernel.tell("comm_close", { comm_id: "m", data: {} });
    assert.deepEqual(await info({ target_name: "mirror" }), {});
  });

  it("closes a comm that nothing answers for", async () => {
    const [close] = await kernel.tell("comm_open", { comm_id: "u", target_name: "unknown", data: {} });
    assert.deepEqual([close?.type, close?.content["comm_id"]], ["comm_close", "u"]);
    assert.deepEqual(await kernel.tell("comm_msg", { comm_id: "u", data: {} }), []);
  });

  it("lets a cell define what a comm that was opened right behind it finds", async () => {
    const [, messages] = await Promise.all([
      kernel.execute('comms.onOpen("fresh", (comm) => comm.send({ found: true }))'),
      kernel.tell("comm_open", { comm_id: "f", target_name: "fresh", data: {} }),
    ]);
    assert.deepEqual(
      messages.map(({ content }) => content["data"]),
      [{ found: true }],
    );
  });

  it("completes, inspects, and tells complete code from incomplete", async () => {
    await kernel.execute("/** The answer. */ const answer = 42;");
    const complete = await kernel.request("shell", "complete_request", { code: "🙂; answ", cursor_pos: 7 });
    assert.deepEqual(complete.content["matches"], ["answer"]);
    assert.deepEqual([complete.content["cursor_start"], complete.content["cursor_end"]], [3, 7]);
    const inspect = await kernel.request("shell", "inspect_request", {
      ...{ code: "answer", cursor_pos: 3, detail_level: 0 },
    });
    assert.match(String((inspect.content["data"] as Json)["text/markdown"]), /const answer: 42[^]*The answer\./);
    assert.match(
      String((inspect.content["data"] as Json)["text/html"]),
      /answer<[^]*42[^]*<p>The answer\.<\/p>|<p>The answer\./,
    );
    const none = await kernel.request("shell", "inspect_request", { code: "nowhere", cursor_pos: 3 });
    assert.deepEqual([none.content["found"], none.content["data"]], [false, {}]);
    for (const [code, status] of [
      ["1", "complete"],
      ["(", "incomplete"],
      [")", "invalid"],
      ["answer?", "complete"],
    ]) {
      const { content } = await kernel.request("shell", "is_complete_request", { code });
      assert.equal(content["status"], status);
    }
    for (const question of ["answer?", "?answer", "answer??"]) {
      const page = await kernel.execute(question);
      assert.equal((page.reply["payload"] as Json[])[0]?.["source"], "page", question);
    }
    assert.deepEqual((await kernel.execute("answer")).reply["payload"], []);
  });

  it("tells the history: range, tail and search, with outputs, each once where that is asked", async () => {
    const mark = `h${Date.now()}`;
    for (const code of [`"${mark}a"`, `"${mark}b"`, `"${mark}a"`]) await kernel.execute(code);
    await kernel.execute(`"${mark}c"`, { storeHistory: false });
    const history = async (request: Json) => {
      const { content } = await kernel.request("shell", "history_request", { raw: true, output: false, ...request });
      return (content["history"] as [number, number, unknown][]).map(([, , input]) => input);
    };
    const search = { hist_access_type: "search", pattern: `"${mark}*` };
    assert.deepEqual(await history({ hist_access_type: "tail", n: 2 }), [`"${mark}b"`, `"${mark}a"`]);
    assert.deepEqual(await history(search), [`"${mark}a"`, `"${mark}b"`, `"${mark}a"`]);
    assert.deepEqual(await history({ ...search, unique: true }), [`"${mark}b"`, `"${mark}a"`]);
    assert.deepEqual(await history({ ...search, n: 1, output: true }), [[`"${mark}a"`, `'${mark}a'`]]);
    assert.deepEqual(await history({ hist_access_type: "range", session: 0, start: -1 }), [`"${mark}a"`]);
  });

  it("takes requests of the wrong types for what they may mean", async () => {
    for (const content of [{}, { code: 1, cursor_pos: "a" }, { code: null, user_expressions: [], silent: "yes" }]) {
      for (const type of ["complete", "inspect", "is_complete", "execute", "history", "comm_info"]) {
        await kernel.request("shell", `${type}_request`, content);
      }
    }
  });

  it("ends with the session what was open in it, and tells why", async () => {
    await kernel.execute('comms.open("doomed", {}, { id: "doomed" })');
    const { outputs, reply } = await kernel.execute("process.exit(1)");
    assert.equal(reply["ename"], "SessionEnded");
    assert.ok(outputs.some(({ type, content }) => type === "comm_close" && content["comm_id"] === "doomed"));
    assert.deepEqual((await kernel.request("shell", "comm_info_request")).content["comms"], {});
  });

  it("answers a burst of 10,000 messages in full, cells in their order", { timeout: 250_000 }, async () => {
    const counts: number[] = [];
    const before = (await kernel.execute("0")).reply["execution_count"] as number;
    const replies = Array.from({ length: 10_000 }, async (_, i) => {
      const [type, content] =
        i % 10 === 0 ? (["execute_request", { code: String(i) }] as const) : (["kernel_info_request", {}] as const);
      const reply = await kernel.request("shell", type, content, 240_000);
      assert.equal(reply.content["status"], "ok");
      if (i % 10 === 0) counts.push(reply.content["execution_count"] as number);
    });
    await Promise.all(replies);
    assert.deepEqual(
      counts,
      Array.from({ length: 1_000 }, (_, i) => before + i + 1),
    );
  });

  it("keeps quiet about messages that it does not know", async () => {
    await kernel.connection.send("shell", "no_such_request", {});
    await kernel.connection.send("stdin", "input_reply", { value: "unasked" });
    await kernel.request("shell", "kernel_info_request");
    // The log comes by another way.
    for (let i = 0; i < 100 && !kernel.log.includes("no_such_request"); i++) await sleep(50);
    assert.match(kernel.log, /no_such_request/);
  });

  it("answers an interrupt when nothing runs, and echoes restart in its last reply", async () => {
    assert.deepEqual((await kernel.request("control", "interrupt_request")).content, { status: "ok" });
    const other = await KernelClient.start({ spec: bareKernel() });
    try {
      const published = await other.whileListening(async () => {
        const { content } = await other.request("control", "shutdown_request", { restart: true });
        assert.deepEqual(content, { status: "ok", restart: true });
        await other.ended();
      });
      assert.ok(published.some(({ type }) => type === "shutdown_reply"));
    } finally {
      await other.stop();
    }
  });
});
