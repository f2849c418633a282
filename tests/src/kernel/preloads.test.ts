/** Preload modules that go wrong: the notebook says so, and cells run all the same where they can. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KernelClient, type Execution } from "../client.js";
import { bareKernel } from "../environment.js";
import { resultOf } from "./results.js";

describe("a preload module", { timeout: 300_000 }, () => {
  let folder: string;

  before(() => {
    // A path with what URLs and shells take for something else.
    folder = mkdtempSync(join(tmpdir(), "metastate preload é#%41 "));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  /** A kernel with a preload of this text, and of these declarations. */
  async function withPreload<T>(
    javascript: string,
    declarations: string,
    body: (kernel: KernelClient) => Promise<T>,
  ): Promise<T> {
    writeFileSync(join(folder, "preload.mjs"), javascript);
    writeFileSync(join(folder, "preload.d.mts"), declarations);
    const kernel = await KernelClient.start({ spec: bareKernel(join(folder, "preload.mjs")), cwd: folder });
    try {
      return await body(kernel);
    } finally {
      await kernel.stop();
    }
  }

  for (const [when, waitMs] of [
    ["asked for at once", 0],
    ["asked for when it is loaded", 3000],
  ] as const) {
    it(`brings its exports into the first cell, ${when}, which shows what it has printed`, () =>
      withPreload(
        `console.log("a line"); console.error("a warning"); export const given = 42;`,
        "export declare const given: number;",
        async (kernel) => {
          await sleep(waitMs);
          await kernel.execute("given", { silent: true });
          const first = await kernel.execute("given");
          assert.equal(resultOf(first), "42");
          assert.deepEqual([first.stdout, first.stderr], ["a line\n", "a warning\n"]);
          const second = await kernel.execute("given");
          assert.deepEqual([second.stdout, second.stderr], ["", ""]);
        },
      ));
  }

  it("that throws is told of on the first cell, which runs", () =>
    withPreload(`throw new RangeError("no device")`, "export {};", async (kernel) => {
      const first = await kernel.execute("1+1");
      assert.equal(resultOf(first), "2");
      assert.match(first.stderr, /The preload module could not be loaded[^]*RangeError[^]*no device/);
      assert.equal((await kernel.execute("2+2")).stderr, "");
    }));

  it("that exits is told of on each cell, and the front lives", () =>
    withPreload(`process.exit(9)`, "export {};", async (kernel) => {
      for (let i = 0; i < 3; i++) {
        const { error } = await kernel.execute("1+1");
        assert.match(String(error?.evalue), /process\.exit\(9\) was called/);
      }
      await kernel.heartbeat();
    }));

  it("that crashes is told of on the cell", () =>
    withPreload(`process.abort()`, "export {};", async (kernel) => {
      const { error } = await kernel.execute("1+1");
      assert.match(String(error?.evalue), /SIGABRT/);
    }));

  it("whose hook fails after an interrupt is told of on the cell, which ends as interrupted", () =>
    withPreload(
      `export const sessionHooks = { afterInterrupt() { throw new RangeError("not restored") } }`,
      "export {};",
      async (kernel) => {
        const running = kernel.execute('console.log("runs"); while (true) {}', {
          onOutput: ({ type }) => {
            if (type === "stream") void kernel.interrupt();
          },
        });
        const { reply, outputs } = await running;
        assert.equal(reply["ename"], "KeyboardInterrupt", JSON.stringify(reply));
        const errors = outputs.filter(({ type }) => type === "error").map(({ content }) => content["ename"]);
        assert.deepEqual(errors, ["RangeError", "KeyboardInterrupt"]);
        assert.equal(resultOf(await kernel.execute("1+1")), "2");
      },
    ));

  for (const [how, javascript] of [
    ["waits for ever", "await new Promise((r) => setTimeout(r, 1e9));"],
    ["computes for ever", "while (true) {}"],
  ] as const) {
    it(`that ${how} is given up by a second interrupt, which is told of; cells run without it`, () =>
      withPreload(javascript, "export {};", async (kernel) => {
        const interrupted = async (): Promise<Execution> => {
          const running = kernel.execute("1+1");
          await sleep(1500);
          await kernel.interrupt();
          const ran = await running;
          assert.equal(ran.reply["ename"], "KeyboardInterrupt", JSON.stringify(ran.reply));
          return ran;
        };
        assert.match((await interrupted()).error?.evalue ?? "", /still being loaded[^]*interrupt again/);
        const { stderr } = await interrupted();
        assert.match(stderr, /The preload module could not be loaded[^]*its loading was interrupted[^]*%reset/);
        assert.equal(resultOf(await kernel.execute("2+2")), "4");
      }));
  }
});
