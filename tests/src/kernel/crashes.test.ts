/**
 * Every way in which a session can end or hang: the front answers throughout, says in one sentence what happened, and the
 * next cell runs in a fresh session.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient, type Execution } from "../client.js";
import { bareKernel } from "../environment.js";
import { resultOf } from "./results.js";

/** Before it a cell prints, so that what it has printed is seen to be kept. */
const BEFORE = 'console.log("before");';

/** The ways to end, and what is said of each. */
const deaths: Readonly<Record<string, { readonly code: string; readonly says: RegExp }>> = {
  "process.exit": { code: "process.exit(3)", says: /exit code 3: process\.exit\(3\) was called/ },
  "process.exit in a callback": {
    code: "setTimeout(() => process.exit(0), 20); await new Promise(() => {})",
    says: /process\.exit\(0\) was called/,
  },
  "process.abort": { code: "process.abort()", says: /aborted \(SIGABRT\)/ },
  SIGSEGV: { code: 'process.kill(process.pid, "SIGSEGV"); while (true) {}', says: /crashed the session \(SIGSEGV/ },
  "SIGKILL, as by the kernel when memory is short": {
    code: 'process.kill(process.pid, "SIGKILL"); while (true) {}',
    says: /killed \(SIGKILL\): the machine may have run out of memory/,
  },
  SIGTERM: { code: 'process.kill(process.pid, "SIGTERM"); while (true) {}', says: /ended by SIGTERM/ },
  "a signal to the whole process group": {
    code: 'process.kill(0, "SIGTERM"); while (true) {}',
    says: /ended by SIGTERM/,
  },
  "the JavaScript heap exhausted": {
    code: "const hoard: unknown[] = []; while (true) hoard.push(new Array(10_000).fill(hoard.length / 3))",
    says: /ran out of JavaScript heap memory.*--max-old-space-size/,
  },
  "an exit while a child process holds its stdout": {
    code: `require("node:child_process").spawn("sleep", ["600"], { stdio: "inherit" }); process.exit(4)`,
    says: /process\.exit\(4\) was called/,
  },
  "an exit while a process outside its group holds its stdout": {
    code: `require("node:child_process").spawn("sleep", ["7"], { stdio: "inherit", detached: true }); process.exit(5)`,
    says: /process\.exit\(5\) was called/,
  },
  "the pipe of its commands closed": {
    code: 'require("node:fs").closeSync(3); await new Promise(() => {})',
    says: /closed its pipes to the kernel/,
  },
  "the pipe of its outputs closed": { code: 'require("node:fs").closeSync(4)', says: /closed its pipes to the kernel/ },
  "the pipe of its interrupts closed": {
    code: 'require("node:fs").closeSync(5); while (true) {}',
    says: /closed its pipes to the kernel/,
  },
};

describe("a session that ends", { timeout: 600_000 }, () => {
  let kernel: KernelClient;

  before(async () => {
    // A small heap, or it takes half a minute to fill.
    kernel = await KernelClient.start({ spec: bareKernel(), env: { NODE_OPTIONS: "--max-old-space-size=100" } });
  });

  after(async () => {
    await kernel.stop();
  });

  for (const [name, { code, says }] of Object.entries(deaths)) {
    it(`by ${name} is told of on its cell, and the next cell runs`, async () => {
      await kernel.execute("let lost = 1");
      const ran = await kernel.execute(`${BEFORE} ${code}`);
      assertEnded(ran, says);
      assert.equal(ran.stdout, "before\n");
      await assertFresh(kernel);
    });
  }

  it("by a signal from outside, between two cells, is told of on the last cell", async () => {
    const pid = Number(resultOf(await kernel.execute("process.pid")));
    assert.equal(resultOf(await kernel.execute("let lost = 1; 'waits'")), "'waits'");
    const seen = await kernel.whileListening(async () => {
      process.kill(pid, "SIGKILL");
      for (let look = 0; look < 100; look++) {
        const { error } = await kernel.execute("lost", { stopOnError: false });
        if (error !== undefined && /Cannot find name/.test(error.evalue)) return;
      }
    });
    assert.ok(seen.some(({ type, content }) => type === "error" && String(content["evalue"]).includes("(SIGKILL)")));
    await assertFresh(kernel);
  });

  it("again and again is started again and again", async () => {
    for (let i = 0; i < 3; i++) assertEnded(await kernel.execute(`process.exit(${i})`), new RegExp(`exit code ${i}`));
    await assertFresh(kernel);
  });
});

/** Native code that hears nothing, by the way in which it is waited for. */
const deaf: Readonly<Record<string, string>> = {
  "a native function that computes": 'require("node:crypto").pbkdf2Sync("a", "b", 2_000_000_000, 64, "sha512")',
};

/** What blocks the main thread in native code, and yet can be stopped with all variables kept. */
const stoppable: Readonly<Record<string, string>> = {
  "while (true) {}": "while (true) {}",
  "await of a long timer": "await new Promise((r) => setTimeout(r, 3_600_000))",
  "Atomics.wait": "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
  "execSync of a shell command": 'require("node:child_process").execSync("sleep 600")',
  "execSync of a shell command that ignores Ctrl-C and SIGTERM": `require("node:child_process").execSync("trap '' INT TERM; sleep 600")`,
  "a read of a pipe with a name that nobody writes to":
    'require("node:child_process").execSync("rm -f silent; mkfifo silent"); require("node:fs").readFileSync("silent")',
  "an endless regular expression": '/^(a+)+$/.test("a".repeat(64) + "b")',
  "an endless sort": "for (;;) Array.from({ length: 1e5 }, Math.random).sort()",
  "a flood of output": "for (let i = 0; ; i++) console.log(i)",
  "a worker thread awaited": `await new Promise((end) => new (require("node:worker_threads").Worker)("while (true) {}", { eval: true }).on("exit", end))`,
};

describe("a cell that is interrupted", { timeout: 600_000 }, () => {
  let kernel: KernelClient;

  before(async () => {
    kernel = await KernelClient.start({ spec: bareKernel() });
  });

  after(async () => {
    await kernel.stop();
  });

  for (const [name, code] of Object.entries(stoppable)) {
    it(`in ${name} ends with KeyboardInterrupt; variables are kept, and the front answers meanwhile`, async () => {
      await kernel.execute("let precious = [1, 2, 3];");
      const ran = await interrupted(kernel, code);
      assert.equal(ran.error?.ename, "KeyboardInterrupt", ran.error?.text);
      assert.equal(resultOf(await kernel.execute("precious.length")), "3");
    });
  }

  for (const [name, code] of Object.entries(deaf)) {
    it(`in ${name} is told of it after 5 s, and the next interrupt ends the session`, async () => {
      await kernel.execute("let lost = 1");
      const ran = kernel.execute(code, {
        timeout: 60_000,
        onOutput: ({ content }) => {
          if (/another interrupt ends the session/.test(String(content["text"]))) void kernel.interrupt();
        },
      });
      await sleep(200);
      await kernel.interrupt();
      assertEnded(await ran, /Native code did not react to interrupts/);
      await assertFresh(kernel);
    });
  }

  it("before it could begin, behind an endless timer of an earlier cell, ends, and the next one runs", async () => {
    await kernel.execute("const loop = setTimeout(() => { while (true) {} }, 50); let precious = 1");
    await sleep(200);
    const waiting = kernel.execute("'begun'");
    await sleep(300);
    await kernel.interrupt();
    const { reply } = await waiting;
    assert.ok(["ok", "error"].includes(String(reply["status"])));
    assert.equal(resultOf(await kernel.execute("precious")), "1");
  });
});

describe("a session lives on", { timeout: 600_000 }, () => {
  let kernel: KernelClient;

  before(async () => {
    kernel = await KernelClient.start({ spec: bareKernel() });
  });

  after(async () => {
    await kernel.stop();
  });

  it("when the stack overflows", async () => {
    await kernel.execute("let precious = 7; function deep(): number { return 1 + deep() }");
    const { error } = await kernel.execute("deep()");
    assert.equal(error?.ename, "RangeError");
    assert.match(error.text, /Maximum call stack size exceeded/);
    assert.ok(error.traceback.join("\n").length < 10_000, "the traceback is not a thousand frames");
    assert.equal(resultOf(await kernel.execute("precious")), "7");
  });

  it("when a worker thread throws, or runs out of memory: it is told of on the cell", async () => {
    const { error } = await kernel.execute(
      `import { Worker } from "node:worker_threads";
       new Worker("throw new RangeError('in the worker')", { eval: true });
       await new Promise((r) => setTimeout(r, 1000))`,
    );
    assert.equal(error?.evalue, "in the worker");
    const full = await kernel.execute(
      `await new Promise((_, reject) => new Worker("const a = []; for (;;) a.push(new Array(1e5).fill(a.length / 3))",
         { eval: true, resourceLimits: { maxOldGenerationSizeMb: 20 } }).on("error", reject))`,
    );
    assert.match(String(full.error?.evalue), /memory limit/);
  });

  it("when a rejection comes late: it is shown on the cell that made it", async () => {
    const ran = await kernel.execute(
      `void (async () => { await new Promise((r) => setTimeout(r, 50)); throw new Error("too late") })();
       await new Promise((r) => setTimeout(r, 500)); "done"`,
    );
    assert.equal(ran.error?.evalue, "too late");
    assert.equal(resultOf(ran), "'done'");
  });

  // The last: Node.js itself does not go on for long without them.
  it("when its stdout and stderr are closed: what JavaScript prints is seen all the same", async () => {
    await kernel.execute('require("node:fs").closeSync(1); require("node:fs").closeSync(2);');
    const { stdout, stderr, reply } = await kernel.execute('console.log("out"); console.error("err");');
    assert.deepEqual([stdout, stderr, reply["status"]], ["out\n", "err\n", "ok"]);
    // The next files that are opened get their numbers.
    await kernel.execute(
      'require("node:fs").writeFileSync("mine.txt", ""); const mine = require("node:fs").openSync("mine.txt", "r+")',
    );
    assert.equal(
      resultOf(await kernel.execute('[mine, require("node:fs").readFileSync("mine.txt", "utf8")]')),
      "[ 1, '' ]",
    );
  });
});

/** Runs a cell that does not end, sees that the front answers, and interrupts it. */
async function interrupted(kernel: KernelClient, code: string): Promise<Execution> {
  let running: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (running = resolve));
  const ran = kernel.execute(`${BEFORE} ${code}`, { onOutput: () => running(), timeout: 60_000 });
  await begun;
  await sleep(200);
  await kernel.heartbeat();
  const info = await kernel.request("shell", "kernel_info_request");
  assert.equal(info.content["status"], "ok");
  const { content } = await kernel.request("shell", "complete_request", { code: "Math.sq", cursor_pos: 7 });
  await kernel.interrupt();
  assert.ok((content["matches"] as string[]).includes("sqrt"));
  await kernel.request("control", "kernel_info_request");
  return ran;
}

function assertEnded({ reply, error }: Execution, says: RegExp): void {
  assert.equal(reply["status"], "error");
  assert.equal(error?.ename, "SessionEnded", error?.text);
  assert.match(error.evalue, says);
  assert.match(error.evalue, /A fresh session has been started; variables are lost/);
  assert.equal(reply["evalue"], error.evalue);
}

async function assertFresh(kernel: KernelClient): Promise<void> {
  const { error } = await kernel.execute("lost");
  assert.match(String(error?.evalue), /Cannot find name 'lost'/);
  assert.equal(resultOf(await kernel.execute("20 + 22")), "42");
}
