/** jupyter_kernel_test, the protocol's own suite: all of it passes, and nothing is skipped. */
import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { python, root, surroundings } from "../environment.js";
import { run } from "../program.js";

interface Outcome {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly detail: string;
}

/** As many as version 0.7.0 of the suite has. A suite that ran fewer has lost some. */
const TESTS = 13;

test("jupyter_kernel_test", { timeout: 300_000 }, async (t) => {
  const script = join(root, "tests", "src", "protocol", "conformance.py");
  const { stdout, stderr } = await run(python, [script], { env: surroundings() });
  const outcomes = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Outcome);
  for (const { name, outcome, detail } of outcomes) {
    await t.test(name, () => assert.equal(outcome, "passed", `${detail}\n${stderr}`));
  }
  assert.ok(outcomes.length >= TESTS, `${outcomes.length} tests ran, ${TESTS} are expected\n${stderr}`);
});
