// @ts-check
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { root } from "./checkout.mjs";
import { Failure } from "./failure.mjs";
import { describe, Progress } from "./progress.mjs";

/** Takes down what is written. */
function page() {
  return {
    text: "",
    /** @param {string} text */
    write(text) {
      this.text += text;
    },
  };
}

test("a step is one line that tells how it ended", async () => {
  const out = page();
  const progress = new Progress(out);
  await progress.step("one", (step) => step.upToDate());
  await progress.step("two", () => Promise.resolve());
  assert.match(out.text, /^• one … up to date\n• two … done \(\d+\.\d s\)\n$/);
});

test("on a terminal, steps that run at once share a line, of which nothing is left", { timeout: 10_000 }, async () => {
  const out = { ...page(), isTTY: true, columns: 41 };
  const progress = new Progress(out);
  /** @type {(() => void)[]} */
  const end = [];
  const steps = ["first", "second"].map((name) =>
    progress.step(name, (step) => {
      step.report("a long line of its tool");
      return new Promise((resolve) => end.push(() => resolve(undefined)));
    }),
  );
  const last = () => out.text.split("\r\x1b[K").at(-1);
  assert.equal(last(), "• first … 0 s a lon • second … 0 s");
  end[1]?.();
  await steps[1];
  assert.match(last() ?? "", /^• second … done \(\d+\.\d s\)\n$/);
  end[0]?.();
  await steps[0];
  assert.match(last() ?? "", /^• first … done \(\d+\.\d s\)\n$/);
});

test("a failed step says so and hands the failure on", async () => {
  const out = page();
  const failure = new Failure("the disk is full", "free some");
  await assert.rejects(
    new Progress(out).step("three", () => Promise.reject(failure)),
    failure,
  );
  assert.match(out.text, /^• three … failed after \d+\.\d s\n$/);
});

test("a failure is told as cause, remedy, log and the tool's last lines", () => {
  const output = Array.from({ length: 40 }, (_, i) => `line ${i}`).join("\n");
  const text = describe(new Failure("it broke", "mend it", { log: join(root, ".metastate/logs/npm.log"), output }));
  assert.match(text, /^ {2}cause {3}it broke\n {2}remedy {2}mend it\n {2}log {5}\.metastate\/logs\/npm\.log\n\n/);
  assert.ok(text.includes("line 39") && !text.includes("line 24\n"));
});
