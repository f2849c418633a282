/** Where and how a kernel is started, and what becomes of its processes. */
import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient, type StartOptions } from "../client.js";
import { bareKernel, python, root, surroundings } from "../environment.js";
import { run } from "../program.js";
import { isAlive, resultOf } from "./results.js";

describe("a kernel", { timeout: 300_000 }, () => {
  let folder: string;

  before(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "metastate surroundings é ")));
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  async function withKernel<T>(options: StartOptions, body: (kernel: KernelClient) => Promise<T>): Promise<T> {
    const kernel = await KernelClient.start({ spec: bareKernel(), ...options });
    try {
      return await body(kernel);
    } finally {
      await kernel.stop();
    }
  }

  function newFolder(name: string): string {
    const path = join(folder, name);
    mkdirSync(path);
    return path;
  }

  it("runs in a folder with spaces and letters of other languages, and in one behind a link", async () => {
    const real = newFolder("Blätter & 笔记 #1%20");
    const link = join(folder, "link");
    symlinkSync(real, link, "junction");
    writeFileSync(join(real, "helper.ts"), "export const helped: number = 42;\n");
    for (const cwd of [real, link]) {
      await withKernel({ cwd }, async (kernel) => {
        const ran = await kernel.execute('import { helped } from "./helper.ts"; [helped, import.meta.dirname]');
        assert.equal(ran.error, undefined, ran.error?.text);
        assert.match(String(resultOf(ran)), /^\[ 42, '.*笔记 #1%20' \]$/);
      });
    }
  });

  it("runs in a folder that may not be written to", async () => {
    const cwd = newFolder("read-only");
    chmodSync(cwd, 0o555);
    await withKernel({ cwd }, async (kernel) => {
      assert.equal(resultOf(await kernel.execute("1+1")), "2");
      assert.deepEqual(readdirSync(cwd), []);
    });
    chmodSync(cwd, 0o755);
  });

  it("runs on when its folder is deleted; a new session needs the folder, and says so", async () => {
    const cwd = newFolder("short-lived");
    await withKernel({ cwd }, async (kernel) => {
      await kernel.execute("let kept = 5");
      rmSync(cwd, { recursive: true });
      assert.equal(resultOf(await kernel.execute("kept")), "5");
      await kernel.execute("process.exit(1)");
      const { error } = await kernel.execute("1+1");
      assert.match(String(error?.evalue), /could not be started: the notebook's folder .*short-lived does not exist/);
      mkdirSync(cwd);
      assert.equal(resultOf(await kernel.execute("1+1")), "2");
    });
  });

  it("runs without a home, and leaves nothing in the notebook's folder", async () => {
    for (const [i, env] of [
      { HOME: undefined, XDG_DATA_HOME: undefined },
      { HOME: folder, XDG_DATA_HOME: "" },
    ].entries()) {
      const cwd = newFolder(`homeless-${i}`);
      await withKernel({ cwd, env }, async (kernel) => {
        assert.equal(resultOf(await kernel.execute("1+1")), "2");
        assert.deepEqual(readdirSync(cwd), []);
      });
    }
  });

  it("runs when its history cannot be written, and says so once in the log", async () => {
    const data = join(folder, "a-file");
    writeFileSync(data, "");
    await withKernel({ env: { XDG_DATA_HOME: data } }, async (kernel) => {
      for (let i = 0; i < 3; i++) assert.equal(resultOf(await kernel.execute("1+1")), "2");
      assert.equal(kernel.log.split("history is not kept on disk").length, 2, kernel.log);
    });
  });

  it("runs on when nobody reads its log any more", async () => {
    const { argv } = bareKernel();
    // The reader of its standard error has ended before the first line comes.
    const spec = { argv: ["bash", "-c", 'exec "$@" 2> >(exit 0)', "bash", ...argv] };
    await withKernel({ spec }, async (kernel) => {
      for (let i = 0; i < 3; i++) {
        // Each is a line in the log.
        await kernel.connection.send("shell", "unheard_of_request", {});
        assert.match(String((await kernel.execute(`process.exit(${i})`)).error?.evalue), /process\.exit/);
      }
      assert.equal(resultOf(await kernel.execute("1 + 1")), "2");
    });
  });

  it("shares its folder, and its history, with another", async () => {
    const cwd = newFolder("shared");
    const env = { XDG_DATA_HOME: newFolder("data") };
    await withKernel({ cwd, env }, (one) =>
      withKernel({ cwd, env }, async (two) => {
        await Promise.all([one.execute("const mine = 'one'"), two.execute("const mine = 'two'")]);
        assert.equal(resultOf(await one.execute("mine")), "'one'");
        assert.equal(resultOf(await two.execute("mine")), "'two'");
      }),
    );
    await withKernel({ cwd, env }, async (later) => {
      const request = { hist_access_type: "search", pattern: "const mine*", output: false, raw: true, unique: true };
      const { content } = await later.request("shell", "history_request", request);
      const inputs = (content["history"] as [number, number, string][]).map(([, , input]) => input).sort();
      assert.deepEqual(inputs, ["const mine = 'one'", "const mine = 'two'"]);
    });
  });

  it("that is killed takes its session, and what cells have started, with it", async () => {
    await withKernel({}, async (kernel) => {
      const started = await kernel.execute(
        `const child = require("node:child_process").spawn("sleep", ["600"]); [process.pid, child.pid ?? 0].join(" ")`,
      );
      const pids = String(resultOf(started)).replaceAll("'", "").split(" ").map(Number);
      assert.ok(pids.every(isAlive));
      void kernel.execute('console.log("busy"); while (true) {}').catch(() => undefined);
      await sleep(500);
      kernel.kill("SIGKILL");
      await gone(pids);
    });
  });

  it("that is shut down leaves no process behind, also while a cell runs", async () => {
    await withKernel({}, async (kernel) => {
      const pids = [Number(resultOf(await kernel.execute("process.pid"))), kernel.pid];
      void kernel.execute("while (true) {}").catch(() => undefined);
      await sleep(500);
      await kernel.request("control", "shutdown_request", { restart: false });
      await kernel.ended();
      await gone(pids);
    });
  });

  it("is restarted and shut down by Jupyter's kernel manager", async () => {
    const script = join(root, "tests", "src", "kernel", "manager.py");
    const { status, stdout, stderr } = await run(python, [script], { env: surroundings(), cwd: folder });
    assert.equal(status, 0, stderr);
    const { before: first, after: second, lost, interrupted } = JSON.parse(stdout) as Record<string, unknown>;
    assert.notEqual(first, second, "another session");
    assert.match(String(lost), /Cannot find name 'precious'/);
    assert.equal(interrupted, "KeyboardInterrupt");
    await gone([Number(first), Number(second)]);
  });
});

/** The processes end, each in its time. */
async function gone(pids: readonly number[]): Promise<void> {
  for (let wait = 0; pids.some(isAlive); wait++) {
    assert.ok(wait < 200, `of ${pids.join(", ")}, ${pids.filter(isAlive).join(", ")} still run after 20 s`);
    await sleep(100);
  }
}
