/** What a notebook's author does wrong: each gets the message a person needs, and the next cell works. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { KernelClient, type Execution } from "../client.js";

/** Far more than an interrupt takes, far less than the cells that are interrupted would. */
const SOON = 5_000;

describe("bad input", { timeout: 600_000 }, () => {
  let kernel: KernelClient;

  before(async () => {
    kernel = await KernelClient.start();
  });

  // What one test breaks shall not be blamed on the next.
  beforeEach(async () => {
    const answers = await kernel.execute("0", { timeout: 15_000 }).then(
      () => true,
      () => false,
    );
    if (answers) return;
    await kernel.stop();
    kernel = await KernelClient.start();
  });

  after(async () => {
    await kernel.stop();
  });

  /** The error of a cell that fails, which iopub and the reply agree about. */
  function errorOf(execution: Execution) {
    const { reply, error } = execution;
    assert.equal(reply["status"], "error");
    assert.ok(error, "an error is published on iopub");
    assert.equal(reply["ename"], error.ename);
    assert.equal(reply["evalue"], error.evalue);
    return error;
  }

  async function nextCellWorks() {
    const { reply, outputs } = await kernel.execute("20 + 22");
    assert.equal(reply["status"], "ok");
    const result = outputs.find(({ type }) => type === "execute_result");
    assert.deepEqual((result?.content["data"] as Record<string, unknown> | undefined)?.["text/plain"], "42");
  }

  it("a type error is told like a compiler's, with line and column, and nothing of the cell runs", async () => {
    const execution = await kernel.execute('console.log("ran");\nconst count: number = "three";');
    const error = errorOf(execution);
    assert.match(error.text, /:2:7\b/);
    assert.match(error.text, /TS2322.*Type 'string' is not assignable to type 'number'/);
    assert.match(error.text, /const count: number = "three";/);
    assert.equal(execution.stdout, "");
    await nextCellWorks();
  });

  it("a syntax error is told with its place", async () => {
    const error = errorOf(await kernel.execute("const a = 1;\nconst b = (2;"));
    assert.equal(error.ename, "SyntaxError");
    assert.match(error.text, /:2:13\b/);
    assert.match(error.text, /'\)' expected/);
    await nextCellWorks();
  });

  it("an exception shows the line the user wrote, and what the cell did before stays", async () => {
    const code = "const kept: number = 5;\nfunction fail(): never {\n  throw new RangeError(`too far`);\n}\nfail();";
    const error = errorOf(await kernel.execute(code));
    assert.equal(error.ename, "RangeError");
    assert.equal(error.evalue, "too far");
    assert.match(error.text, /throw new RangeError/);
    assert.match(error.text, /\b3\b/);
    const { stdout } = await kernel.execute("console.log(kept)");
    assert.equal(stdout, "5\n");
  });

  it("a rejected promise that is awaited is the cell's error", async () => {
    const error = errorOf(await kernel.execute('await Promise.reject(new TypeError("no such weights"))'));
    assert.equal(error.ename, "TypeError");
    assert.equal(error.evalue, "no such weights");
    await nextCellWorks();
  });

  it("a promise that nobody awaits and that rejects is seen, and variables are kept", async () => {
    await kernel.execute("let untouched = 7;");
    const seen: string[] = [];
    const code = 'void Promise.reject(new Error("nobody listens")); await new Promise((r) => setTimeout(r, 200));';
    await kernel.execute(code, { onOutput: ({ content }) => seen.push(JSON.stringify(content)) });
    assert.match(seen.join("\n"), /nobody listens/);
    const { stdout } = await kernel.execute("console.log(untouched)");
    assert.equal(stdout, "7\n");
  });

  for (const [what, loop] of [
    ["an endless loop", 'console.log("started"); while (true) {}'],
    ["an endless loop of a called function", 'function spin(): void { for (;;); }\nconsole.log("started"); spin();'],
    ["the wait for a long timer", 'console.log("started"); await new Promise((r) => setTimeout(r, 3_600_000));'],
    ["a loop of awaits", 'console.log("started"); while (true) await new Promise((r) => setTimeout(r, 1));'],
  ] as const) {
    it(`${what} is interrupted, and variables are kept`, async () => {
      await kernel.execute("let precious = [1, 2, 3];");
      let interrupted = 0;
      const execution = await kernel.execute(loop, {
        onOutput: ({ type }) => {
          if (type !== "stream") return;
          interrupted = performance.now();
          void kernel.interrupt();
        },
      });
      assert.ok(interrupted > 0, "the cell's output is seen while it runs");
      assert.ok(performance.now() - interrupted < SOON, "the interrupt takes effect soon");
      assert.equal(errorOf(execution).ename, "KeyboardInterrupt");
      const { stdout } = await kernel.execute("console.log(precious.length)");
      assert.equal(stdout, "3\n");
    });
  }

  for (const [code, cause] of [
    ["process.exit(3)", /process\.exit\(3\)/],
    ["process.abort()", /SIGABRT|abort/i],
  ] as const) {
    it(`${code} ends the session, not the kernel: the cause and the loss are told`, async () => {
      await kernel.execute("let lost = 1;");
      const error = errorOf(await kernel.execute(code));
      assert.match(error.evalue, cause);
      assert.match(error.evalue, /variables (are|were) lost/);
      await nextCellWorks();
      const { text } = errorOf(await kernel.execute("lost"));
      assert.match(text, /lost/);
    });
  }

  it("what a cell printed before it ended the session is kept", async () => {
    const { stdout, reply } = await kernel.execute('console.log("last words"); process.exit(1);');
    assert.equal(stdout, "last words\n");
    assert.equal(reply["status"], "error");
    await nextCellWorks();
  });

  it("a package that is not installed is named, with how to install it", async () => {
    const error = errorOf(await kernel.execute('import { x } from "no-such-package-at-all";\nconsole.log(x);'));
    assert.match(error.text, /no-such-package-at-all/);
    assert.match(error.text, /npm install no-such-package-at-all/);
    await nextCellWorks();
  });

  it("a file that does not exist is named", async () => {
    const error = errorOf(await kernel.execute('import { x } from "./no-such-file.js";\nconsole.log(x);'));
    assert.match(error.text, /no-such-file/);
    await nextCellWorks();
  });

  it("cells that wait behind one that fails are not run", async () => {
    const [first, second] = await Promise.all([
      kernel.execute('await new Promise((r) => setTimeout(r, 300)); throw new Error("first");'),
      kernel.execute('console.log("second")').catch((error: unknown) => error),
    ]);
    assert.equal(first.reply["status"], "error");
    assert.ok(!(second instanceof Error), String(second));
    const { reply, stdout } = second as Execution;
    assert.equal(reply["status"], "aborted");
    assert.equal(stdout, "");
    await nextCellWorks();
  });
});
