/** Interrupts that find more than a cell that computes: a session that still starts, and waits in native code. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { after, before, describe } from "node:test";
import { ending, TestNotebook, type Ran } from "./testing.js";

const folder = mkdtempSync(join(tmpdir(), "metastate-interrupts-"));
after(() => rmSync(folder, { recursive: true }));

/** Longer than a double click. */
const NEXT_WISH_MS = 700;

let preloads = 0;

/** A notebook whose preload module blocks until it may go on. */
function startingNotebook(): { notebook: TestNotebook; goOn: () => void } {
  const path = join(folder, `preload-${++preloads}.mjs`);
  const gate = `${path}.gate`;
  writeFileSync(
    path,
    `import { existsSync } from "node:fs"; while (!existsSync(${JSON.stringify(gate)})); export const given = 42;`,
  );
  writeFileSync(path.replace(/\.mjs$/, ".d.mts"), "export declare const given: number;");
  return {
    notebook: new TestNotebook([path]),
    goOn: () => {
      writeFileSync(gate, "");
    },
  };
}

describe("an interrupt while a preload module is loaded", () => {
  async function interrupted(notebook: TestNotebook, times = 1): Promise<Ran> {
    const running = notebook.run("const early = given; given");
    await sleep(NEXT_WISH_MS);
    for (let i = 0; i < times; i++) notebook.interrupt();
    return running;
  }

  test("ends the cell that waits, and the loading goes on; a double click is one interrupt", async () => {
    const { notebook, goOn } = startingNotebook();
    try {
      // No cell waits yet.
      notebook.interrupt();
      const ran = await interrupted(notebook, 2);
      assert.match(ending(ran), /^KeyboardInterrupt: .*before it began.*still being loaded/);
      assert.equal(ran.result, undefined);
      assert.match(ending(await notebook.run("early")), /Cannot find name 'early'/);
      const next = notebook.run("given");
      goOn();
      assert.equal((await next).result, "42");
    } finally {
      await notebook.close();
    }
  });

  test("for the second time gives it up and names the remedy, which works", async () => {
    const { notebook, goOn } = startingNotebook();
    try {
      await interrupted(notebook);
      const ran = await interrupted(notebook);
      assert.match(ending(ran), /^KeyboardInterrupt: /);
      assert.match(ran.stderr, /The preload module could not be loaded[^]*what it brings is not there.*%reset/);
      assert.match(ending(await notebook.run("given")), /^ReferenceError/);
      goOn();
      assert.equal((await notebook.run("%reset\ngiven")).result, "42");
    } finally {
      await notebook.close();
    }
  });
});

test("an interrupt while output waits for a slow reader leaves what is written whole", async () => {
  const notebook = new TestNotebook();
  try {
    await notebook.run("let precious = 42");
    let readOn: () => void = () => undefined;
    notebook.reader = new Promise((resolve) => (readOn = resolve));
    const running = notebook.run("for (;;) console.log('x'.repeat(3_000_000))");
    await sleep(300);
    notebook.interrupt();
    // Longer than the first signals take to come.
    await sleep(2000);
    readOn();
    assert.match(ending(await running), /^KeyboardInterrupt: /);
    assert.equal((await notebook.run("precious")).result, "42");
  } finally {
    await notebook.close();
  }
});

describe("an interrupt of a wait in native code", { skip: process.platform !== "linux" && "known on Linux" }, () => {
  const pipes = ["unwritten", "unread", "silent"].map((name) => join(folder, name));
  const [unwritten, unread, silent] = pipes.map((path) => JSON.stringify(path));
  const waits: Readonly<Record<string, string>> = {
    "the opening of a pipe that nobody writes to": `fs.readFileSync(${unwritten}, "utf8")`,
    "the opening of a pipe that nobody reads": `fs.writeFileSync(${unread}, "text")`,
    "a read of a pipe into which nothing comes": `fs.readSync(fs.openSync(${silent}, "r+"), Buffer.alloc(1))`,
    "a wait for another thread": "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
    "a wait for a child": `require("node:child_process").execSync("sleep 600")`,
    "a wait for what a child has left behind": `require("node:child_process").execSync("sleep 600 & echo left")`,
  };
  let notebook: TestNotebook;
  before(async () => {
    execFileSync("mkfifo", pipes);
    notebook = new TestNotebook();
    await notebook.run('import * as fs from "node:fs"; let precious = 42');
  });
  after(() => notebook.close());

  for (const [name, code] of Object.entries(waits)) {
    test(`ends ${name}, and variables are kept`, async () => {
      const running = notebook.run(code);
      await sleep(300);
      notebook.interrupt();
      const ran = await running;
      assert.match(ending(ran), /^KeyboardInterrupt: /);
      assert.equal(ran.stderr, "");
      assert.equal((await notebook.run("precious")).result, "42");
    });
  }

  test("signals nobody while the session itself is about to hear", async () => {
    const path = JSON.stringify(new URL("./session/native-waits.js", import.meta.url).href);
    const told = await notebook.run(
      `const idle = require("node:child_process").spawn("sleep", ["600"]);
       await new Promise((done, fail) => {
         const code = 'import(${path}).then(({ endWait }) => endWait("SIGTERM"))';
         const { Worker } = require("node:worker_threads");
         new Worker(code, { eval: true }).on("exit", done).on("error", fail);
       });
       await new Promise((r) => setTimeout(r, 200));
       [idle.signalCode, idle.kill()]`,
    );
    assert.equal(told.result, "[ null, true ]");
  });

  test("spares a child that nobody waits for", async () => {
    await notebook.run('const server = require("node:child_process").spawn("sleep", ["600"])');
    const running = notebook.run(`require("node:child_process").execSync("sleep 600 & sleep 600")`);
    await sleep(300);
    notebook.interrupt();
    assert.match(ending(await running), /^KeyboardInterrupt: /);
    assert.equal((await notebook.run("[server.signalCode, server.kill()]")).result, "[ null, true ]");
  });
});

describe("interrupts that meet one another", () => {
  let notebook: TestNotebook;
  before(async () => {
    notebook = new TestNotebook();
    await notebook.run('import * as fs from "node:fs"; let saved = 0');
  });
  after(() => notebook.close());

  /** Starts a cell, and waits until it says by a file that it has begun. */
  async function begun(code: string): Promise<{ readonly ends: Promise<Ran> }> {
    const file = join(notebook.folder, "begun");
    rmSync(file, { force: true });
    const ends = notebook.run(code);
    while (!existsSync(file)) await sleep(20);
    return { ends };
  }

  test("leave alone what the first of them lets finish", async () => {
    const { ends } = await begun(
      `try { fs.writeFileSync("begun", ""); await new Promise(() => {}) }
       finally { for (const end = Date.now() + 600; Date.now() < end; ); saved++ }`,
    );
    for (let i = 0; i < 20; i++) {
      notebook.interrupt();
      await sleep(20);
    }
    assert.match(ending(await ends), /^KeyboardInterrupt: /);
    assert.equal((await notebook.run("saved")).result, "1");
  });

  test(
    "in a session that gets no processor end neither it nor the child that it waits for, which may clean up",
    { skip: process.platform === "win32" && "known on Unix" },
    async () => {
      const pid = Number((await notebook.run("process.pid")).result);
      const { ends } = await begun(
        `require("node:child_process").execSync("trap 'echo > cleaned; exit' INT; echo > begun; sleep 600 & wait")`,
      );
      notebook.interrupt();
      // The session has heard of it; what stopped it here is, for all that it knows, a machine that has much else to do.
      await sleep(50);
      process.kill(pid, "SIGSTOP");
      await sleep(6000);
      notebook.interrupt();
      process.kill(pid, "SIGCONT");
      const ran = await ends;
      assert.match(ending(ran), /^KeyboardInterrupt: /);
      assert.equal(ran.stderr, "");
      assert.equal((await notebook.run('[typeof saved, fs.existsSync("cleaned")]')).result, "[ 'number', true ]");
    },
  );
});

test("what was terminated may be collected as garbage at once", async () => {
  const notebook = new TestNotebook();
  try {
    // Once the event loop turns again; Node 22 crashes where V8 reports from the collector that an evaluation is gone.
    await notebook.run(
      `require("node:v8").setFlagsFromString("--expose-gc");
       const collect = require("node:vm").runInNewContext("gc") as () => void;
       let before = 0, precious = 42;
       setInterval(() => { if (Date.now() - before < 40) collect(); before = Date.now() }, 10)`,
    );
    const running = notebook.run("for (;;);");
    await sleep(400);
    notebook.interrupt();
    assert.match(ending(await running), /^KeyboardInterrupt: /);
    assert.equal((await notebook.run("precious")).result, "42");
  } finally {
    await notebook.close();
  }
});

test("what was interrupted while it was compiled has declared nothing", async () => {
  const notebook = new TestNotebook();
  try {
    await notebook.run("const before = 1");
    const running = notebook.run("const before = 'shadowed', early = 2");
    notebook.interrupt();
    assert.match(ending(await running), /^KeyboardInterrupt: /);
    assert.match(ending(await notebook.run("early")), /Cannot find name 'early'/);
    assert.equal((await notebook.run("before.toFixed(1)")).result, "'1.0'");
  } finally {
    await notebook.close();
  }
});
