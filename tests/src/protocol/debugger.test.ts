/** The debugger, as a front end uses it: breakpoints, the stack, variables and steps, in the lines of the TypeScript. */
import assert from "node:assert/strict";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";
import { KernelClient, type Execution, type Json } from "../client.js";
import { bareKernel } from "../environment.js";

interface Frame {
  readonly id: number;
  readonly name: string;
  readonly line: number;
  readonly source: { readonly path: string; readonly name: string };
}

interface Variable {
  readonly name: string;
  readonly value: string;
  readonly type?: string;
  readonly variablesReference: number;
}

describe("the debugger", { timeout: 300_000 }, () => {
  let kernel: KernelClient;
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "metastate-debugger-")));
  let serial = 0;
  let events: Json[] = [];
  let heard: () => void = () => undefined;

  before(async () => {
    kernel = await KernelClient.start({ spec: bareKernel(), cwd: folder });
    kernel.listen(({ type, content }) => {
      if (type !== "debug_event") return;
      events.push(content);
      heard();
    });
    await ask("initialize", { clientID: "test", linesStartAt1: true });
    await ask("attach");
  });
  after(async () => {
    await kernel.stop();
    rmSync(folder, { recursive: true });
  });
  afterEach(async () => {
    await ask("disconnect");
    events = [];
    await ask("attach");
  });

  async function request(command: string, args: Json = {}): Promise<Json> {
    const content = { type: "request", seq: ++serial, command, arguments: args };
    const reply = (await kernel.request("control", "debug_request", content)).content;
    assert.equal(reply["request_seq"], serial);
    return reply;
  }

  async function ask(command: string, args: Json = {}): Promise<Json> {
    const reply = await request(command, args);
    assert.equal(reply["success"], true, `${command}: ${String(reply["message"])}`);
    return reply["body"] as Json;
  }

  /** Waits for the next event of this name. */
  async function event(name: string): Promise<Json> {
    for (;;) {
      const index = events.findIndex((each) => each["event"] === name);
      if (index >= 0) return events.splice(0, index + 1).at(-1)!["body"] as Json;
      await new Promise<void>((resolve) => (heard = resolve));
    }
  }

  async function breakpoints(code: string, ...lines: number[]): Promise<string> {
    const { sourcePath: path } = await ask("dumpCell", { code });
    await ask("setBreakpoints", { source: { path }, breakpoints: lines.map((line) => ({ line })) });
    return String(path);
  }

  async function stack(): Promise<Frame[]> {
    return (await ask("stackTrace", { threadId: 1 }))["stackFrames"] as Frame[];
  }

  async function variables(variablesReference: number): Promise<Record<string, Variable>> {
    const { variables: found } = await ask("variables", { variablesReference });
    return Object.fromEntries((found as Variable[]).map((each) => [each.name, each]));
  }

  /** The variables of a scope of the innermost frame. */
  async function scope(name: string): Promise<Record<string, Variable>> {
    const { scopes } = await ask("scopes", { frameId: (await stack())[0]!.id });
    const found = (scopes as { name: string; variablesReference: number }[]).find((each) => each.name === name);
    assert.ok(found, `there is no scope ${name}`);
    return variables(found.variablesReference);
  }

  const result = ({ outputs }: Execution) =>
    (outputs.find(({ type }) => type === "execute_result")?.content["data"] as Json | undefined)?.["text/plain"];

  it("says that it is there, and how front ends name cells", async () => {
    const { content } = await kernel.request("control", "kernel_info_request");
    assert.equal(content["debugger"], true);
    assert.ok((content["supported_features"] as string[]).includes("debugger"));
    const info = await ask("debugInfo");
    assert.equal(info["isStarted"], true);
    assert.equal(info["hashMethod"], "Murmur2");
    // The hash of the text by the algorithm's own reference implementation.
    assert.match(String((await ask("dumpCell", { code: "hello, world" }))["sourcePath"]), /\d+\.ts$/);
  });

  const code = [
    "interface Sample { x: number; label: string }",
    "",
    "function scaled(sample: Sample, factor: number): number {",
    "  const product = sample.x * factor;",
    "  for (let i = 0; i < 1; i++) {",
    "    const inner = { i, tags: ['a', 'b'] };",
    "    void inner;",
    "  }",
    "  return product;",
    "}",
    "const first: Sample = { x: 21, label: 'half' };",
    "const answer = scaled(first, 2);",
    "answer",
  ].join("\n");

  it("stops at a line of the cell, shows the stack and the variables, steps, and goes on", async () => {
    const path = await breakpoints(code, 4);
    const running = kernel.execute(code);
    assert.equal((await event("stopped"))["reason"], "breakpoint");
    const frames = await stack();
    assert.deepEqual(
      frames.map(({ name, line, source }) => [name, line, source.path]),
      [
        ["scaled", 4, path],
        [frames[1]!.source.name, 12, path],
      ],
    );
    assert.match(frames[1]!.source.name, /^In \[\d+\]$/);
    const { sample, factor, product } = await scope("Locals");
    assert.deepEqual([sample?.value, factor?.value, product?.value], ['{x: 21, label: "half"}', "2", "undefined"]);
    const { x, label } = await variables(sample!.variablesReference);
    assert.deepEqual([x?.value, x?.type, label?.value], ["21", undefined, '"half"']);
    assert.equal((await scope("Globals"))["first"]?.type, "Object");
    await ask("next", { threadId: 1 });
    assert.equal((await event("stopped"))["reason"], "step");
    assert.equal((await stack())[0]!.line, 5);
    assert.equal(
      (await ask("evaluate", { expression: "product + 1", frameId: (await stack())[0]!.id }))["result"],
      "43",
    );
    assert.deepEqual((await ask("source", { source: { path } }))["content"], code);
    await ask("stepOut", { threadId: 1 });
    await event("stopped");
    // Where the call was, or what comes after it: that is V8's choice.
    assert.ok([12, 13].includes((await stack())[0]!.line));
    await ask("continue", { threadId: 1 });
    await event("continued");
    assert.equal(result(await running), "42");
    assert.equal((await request("stackTrace", { threadId: 1 }))["success"], false);
  });

  it("answers all else while a cell stands at a breakpoint, and an interrupt ends the cell", async () => {
    const text = "let held = 1;\nheld = 2;\nheld";
    await breakpoints(text, 2);
    const running = kernel.execute(text, { stopOnError: false });
    await event("stopped");
    const completion = await kernel.request("shell", "complete_request", { code: "hel", cursor_pos: 3 });
    assert.ok((completion.content["matches"] as string[]).includes("held"));
    assert.deepEqual((await ask("debugInfo"))["stoppedThreads"], [1]);
    await kernel.interrupt();
    await event("continued");
    assert.equal((await running).reply["ename"], "KeyboardInterrupt");
    assert.equal(result(await kernel.execute("held")), "1");
  });

  it("stops after an await, in a function of an earlier cell, and where a condition holds", async () => {
    const text = "async function later(n: number) {\n  await new Promise((r) => setTimeout(r, 5));\n  return n + 1;\n}";
    await kernel.execute(text);
    const { sourcePath } = await ask("dumpCell", { code: text });
    const { breakpoints: set } = await ask("setBreakpoints", {
      source: { path: sourcePath },
      breakpoints: [{ line: 3, condition: "n === 2" }],
    });
    assert.deepEqual(set, [{ verified: true, line: 3, source: { path: sourcePath } }]);
    const running = kernel.execute(
      "const sums: number[] = [];\nfor (const n of [1, 2, 3]) sums.push(await later(n));\nsums",
    );
    await event("stopped");
    assert.equal((await stack())[0]!.line, 3);
    assert.equal((await scope("Locals"))["n"]?.value, "2");
    await ask("continue", { threadId: 1 });
    assert.equal(result(await running), "[ 2, 3, 4 ]");
  });

  it("stops in a file of the notebook's own", async () => {
    const path = join(folder, "helper.ts");
    writeFileSync(path, "export type N = number;\n\nexport function twice(n: N): N {\n  return 2 * n;\n}\n");
    await ask("setBreakpoints", { source: { path }, breakpoints: [{ line: 4 }] });
    const running = kernel.execute('import { twice } from "./helper.ts";\ntwice(4)');
    await event("stopped");
    assert.deepEqual(
      (await stack()).slice(0, 1).map(({ line, source }) => [line, source.path]),
      [[4, path]],
    );
    await ask("continue", { threadId: 1 });
    assert.equal(result(await running), "8");
  });

  it("stops where an error is thrown, if asked to", async () => {
    await ask("setExceptionBreakpoints", { filters: ["all"] });
    const running = kernel.execute("const bad = 1;\nthrow new RangeError(`no ${bad}`);", { stopOnError: false });
    assert.equal((await event("stopped"))["reason"], "exception");
    assert.equal((await stack())[0]!.line, 2);
    await ask("setExceptionBreakpoints", { filters: [] });
    await ask("continue", { threadId: 1 });
    assert.equal((await running).reply["ename"], "RangeError");
  });

  it("shows variables when nothing is stopped, richly where they have a display, and long lists cut", async () => {
    await kernel.execute(
      "const long = new Float32Array(100_000);\nconst map = new Map([['k', 1]]);\n" +
        "const rich = { [Symbol.for('Jupyter.display')]: () => ({ 'text/html': '<b>rich</b>' }) };",
    );
    const found = (await ask("inspectVariables"))["variables"] as Variable[];
    const named = Object.fromEntries(found.map((each) => [each.name, each]));
    assert.equal(named["map"]?.value, 'Map(1) {"k" => 1}');
    const elements = await variables(named["long"]!.variablesReference);
    assert.ok(Object.keys(elements).length < 1000);
    const shown = await ask("richInspectVariables", { variableName: "rich" });
    assert.equal((shown["data"] as Json)["text/html"], "<b>rich</b>");
    const plain = await ask("richInspectVariables", { variableName: "map" });
    assert.match(String((plain["data"] as Json)["text/plain"]), /Map\(1\)/);
  });

  it("copies a local variable to the globals, where later cells find it", async () => {
    const text = "function local() {\n  const secret = 'local';\n  return secret.length;\n}\nlocal()";
    await breakpoints(text, 3);
    const running = kernel.execute(text);
    await event("stopped");
    const [frame] = await stack();
    await ask("copyToGlobals", { srcVariableName: "secret", dstVariableName: "copied", srcFrameId: frame!.id });
    await ask("continue", { threadId: 1 });
    await running;
    assert.equal(result(await kernel.execute("copied")), "'local'");
  });

  it("lets what stands at a breakpoint go on when it is disconnected, and is gone for a fresh session", async () => {
    const text = "let k = 1;\nk++;\nk";
    await breakpoints(text, 2);
    const running = kernel.execute(text);
    await event("stopped");
    await ask("disconnect");
    assert.equal(result(await running), "2");
    assert.equal(result(await kernel.execute(text)), "2");
    assert.match(String((await request("stackTrace"))["message"]), /nothing stands at a breakpoint/);
    assert.equal((await request("nonsense"))["success"], false);
    await ask("attach");
    await breakpoints(text, 2);
    await kernel.execute("process.exit(3)", { stopOnError: false });
    const again = kernel.execute(text);
    await event("stopped");
    await ask("continue");
    assert.equal(result(await again), "2");
  });
});
