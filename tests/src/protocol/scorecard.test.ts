/**
 * The checks of the public kernel scorecard (https://github.com/runtimed/kernel-testbed), each by a test of the same name. Its
 * snippets for TypeScript are Deno's, and are given to our kernel as they are.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { KernelClient, type Execution, type Json, type Message } from "../client.js";
import { bareKernel } from "../environment.js";

/** The scorecard's snippets for TypeScript. */
const snippets = {
  printHello: "console.log('hello')",
  printStderr: "console.error('error')",
  simpleExpression: "1 + 1",
  incompleteCode: "const x = {",
  completeCode: "const x = 1",
  syntaxError: "function function",
  inputPrompt: "prompt('Enter: ')",
  sleep: "await new Promise(r => setTimeout(r, 2000))",
  completionSetup: "const testVariableForCompletion = 42",
  completionVariable: "testVariableForCompletion",
  completionPrefix: "testVariableFor",
  displayData:
    'await Deno.jupyter.broadcast("display_data", { data: { "text/html": "<b>bold</b>" }, metadata: {}, transient: {} })',
  updateDisplayData:
    'await Deno.jupyter.broadcast("display_data", { data: { "text/html": "<b>initial</b>" }, metadata: {}, transient: { display_id: "test_update" } }); ' +
    'await Deno.jupyter.broadcast("update_display_data", { data: { "text/html": "<b>updated</b>" }, metadata: {}, transient: { display_id: "test_update" } })',
  richResult: '[{letter: "A", frequency: 0.08167}, {letter: "B", frequency: 0.01492}]',
};

const all = (cell: Execution, type: string): readonly Json[] =>
  cell.outputs.filter((message) => message.type === type).map(({ content }) => content);
const data = (content: Json | undefined) => content?.["data"] as Json;

/** The checks that one kernel answers, in the scorecard's order. */
const checks: Readonly<Record<string, (kernel: KernelClient) => Promise<void>>> = {
  async heartbeat_responds(kernel) {
    await kernel.heartbeat();
  },
  async iopub_welcome(kernel) {
    const messages = await kernel.whileListening(async () => {
      const subscriber = kernel.connection.subscriber("a topic");
      await kernel.request("shell", "kernel_info_request");
      assert.match((await subscriber.receive())[3]?.toString() ?? "", /"iopub_welcome"/);
      subscriber.close();
      // What is published later comes later: by its end the welcome has come to this client, too.
      await kernel.execute("");
    });
    // It is for those who subscribe to this topic; who subscribes to all gets it too.
    assert.ok(messages.some(({ type, content }) => type === "iopub_welcome" && content["subscription"] === "a topic"));
  },
  async kernel_info_reply_valid(kernel) {
    assert.equal((await kernelInfo(kernel))["status"], "ok");
  },
  async kernel_info_has_language_info(kernel) {
    assert.equal(((await kernelInfo(kernel))["language_info"] as Json)["name"], "typescript");
  },
  async kernel_info_has_protocol_version(kernel) {
    assert.match(String((await kernelInfo(kernel))["protocol_version"]), /^5\.\d/);
  },
  async execute_stdout(kernel) {
    assert.equal((await kernel.execute(snippets.printHello)).stdout, "hello\n");
  },
  async execute_stderr(kernel) {
    assert.equal((await kernel.execute(snippets.printStderr)).stderr, "error\n");
  },
  async execute_reply_ok(kernel) {
    assert.equal((await kernel.execute(snippets.completeCode)).reply["status"], "ok");
  },
  async status_busy_idle_lifecycle(kernel) {
    const messages = await kernel.whileListening(() => kernel.execute(snippets.completeCode));
    const states = messages.filter(({ type }) => type === "status").map(({ content }) => content["execution_state"]);
    assert.deepEqual(states, ["busy", "idle"]);
    assert.deepEqual([messages[0]?.type, messages.at(-1)?.type], ["status", "status"]);
  },
  async execute_input_broadcast(kernel) {
    const [input] = all(await kernel.execute(snippets.completeCode), "execute_input");
    assert.equal(input?.["code"], snippets.completeCode);
  },
  async complete_request(kernel) {
    await kernel.execute(snippets.completionSetup);
    const code = snippets.completionPrefix;
    const { content } = await kernel.request("shell", "complete_request", { code, cursor_pos: code.length });
    assert.deepEqual(content["matches"], [snippets.completionVariable]);
  },
  async inspect_request(kernel) {
    await kernel.execute(snippets.completionSetup);
    const code = snippets.completionVariable;
    const request = { code, cursor_pos: code.length, detail_level: 0 };
    const { content } = await kernel.request("shell", "inspect_request", request);
    assert.equal(content["found"], true);
    assert.match(String(data(content)["text/plain"]), /42/);
  },
  async is_complete_complete(kernel) {
    assert.equal((await isComplete(kernel, snippets.completeCode))["status"], "complete");
  },
  async is_complete_incomplete(kernel) {
    assert.equal((await isComplete(kernel, snippets.incompleteCode))["status"], "incomplete");
  },
  async history_request(kernel) {
    await kernel.execute(snippets.simpleExpression);
    const request = { hist_access_type: "tail", n: 1, output: false, raw: true };
    const { content } = await kernel.request("shell", "history_request", request);
    assert.equal((content["history"] as Json[][])[0]?.[2], snippets.simpleExpression);
  },
  async comm_info_request(kernel) {
    assert.deepEqual((await kernel.request("shell", "comm_info_request")).content, { status: "ok", comms: {} });
  },
  async error_handling(kernel) {
    const { reply, error } = await kernel.execute(snippets.syntaxError);
    assert.deepEqual([reply["status"], reply["ename"], error?.ename], ["error", "SyntaxError", "SyntaxError"]);
  },
  async display_data(kernel) {
    const [shown] = all(await kernel.execute(snippets.displayData), "display_data");
    assert.equal(data(shown)["text/html"], "<b>bold</b>");
  },
  async update_display_data(kernel) {
    const cell = await kernel.execute(snippets.updateDisplayData);
    assert.equal(data(all(cell, "display_data")[0])["text/html"], "<b>initial</b>");
    const [update] = all(cell, "update_display_data");
    assert.equal(data(update)["text/html"], "<b>updated</b>");
    assert.deepEqual(update?.["transient"], { display_id: "test_update" });
  },
  async execute_result(kernel) {
    const [result] = all(await kernel.execute(snippets.simpleExpression), "execute_result");
    assert.equal(data(result)["text/plain"], "2");
  },
  async rich_execute_result(kernel) {
    const [result] = all(await kernel.execute(snippets.richResult), "execute_result");
    assert.match(String(data(result)["text/plain"]), /frequency: 0\.08167/);
  },
  async stdin_input_request(kernel) {
    const asked: Message[] = [];
    const onInput = (request: Message) => {
      asked.push(request);
      void kernel.answer(request, '"test_input_42"');
    };
    const { reply } = await kernel.execute(snippets.inputPrompt, { onInput });
    assert.equal(reply["status"], "ok");
    assert.match(String(asked[0]?.content["prompt"]), /^Enter: /);
  },
  async comms_lifecycle(kernel) {
    const open = { comm_id: "test-comm", target_name: "jupyter.kernel_testbed.test", data: {} };
    const messages = await kernel.tell("comm_open", open);
    assert.deepEqual(
      messages.map(({ type }) => type),
      ["comm_close"],
    );
  },
  async interrupt_request(kernel) {
    const { content } = await kernel.request("control", "interrupt_request");
    assert.deepEqual(content, { status: "ok" });
    const cell = await kernel.execute(`console.log("on"); ${snippets.sleep}`, {
      onOutput: ({ type }) => {
        if (type === "stream") void kernel.interrupt();
      },
    });
    assert.equal(cell.error?.ename, "KeyboardInterrupt");
  },
  async execution_count_increments(kernel) {
    const count = async () => (await kernel.execute(snippets.completeCode)).reply["execution_count"] as number;
    assert.equal(await count(), (await count()) - 1);
  },
  async parent_header_correlation(kernel) {
    const messages = await kernel.whileListening(() => kernel.execute(snippets.printHello));
    assert.ok(messages.length >= 4);
    assert.equal(new Set(messages.map(({ parent }) => parent)).size, 1);
    assert.ok(messages[0]?.parent);
  },
  // The last, since it ends the kernel.
  async shutdown_reply(kernel) {
    const { content } = await kernel.request("control", "shutdown_request", { restart: false });
    assert.deepEqual(content, { status: "ok", restart: false });
    await kernel.ended();
  },
};

async function kernelInfo(kernel: KernelClient): Promise<Json> {
  return (await kernel.request("shell", "kernel_info_request")).content;
}

async function isComplete(kernel: KernelClient, code: string): Promise<Json> {
  return (await kernel.request("shell", "is_complete_request", { code })).content;
}

describe("the scorecard's checks", { timeout: 300_000 }, () => {
  let kernel: KernelClient;

  before(async () => {
    kernel = await KernelClient.start({ spec: bareKernel() });
  });

  after(async () => {
    await kernel.stop();
  });

  for (const [name, check] of Object.entries(checks)) it(name, () => check(kernel));
});
