/**
 * The library's own tests of ops and models, on the engines of kernels-cuda in place of tfjs's: all of them on `native`; on
 * `cuda` all where METASTATE_TEST_GPU=1, and under the emulator a few, or all with METASTATE_TEST_ALL=1. Skipped where the addon is not built.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { root, surroundings } from "../environment.js";
import { whereCuda, whereNative } from "../needs-native.js";
import { run } from "../program.js";

const library = join(root, "lib", "dist");
const asDefault = join(root, "kernels-cuda", "dist", "testing", "as-default.js");

/** Sources are listed, so that the compiled test of a source that was deleted never runs. */
function testsOf(folder: string): string[] {
  return readdirSync(join(root, "lib", "src", folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => join(library, folder, file.replace(/\.ts$/, ".js")));
}

const folders = ["ops", "model", "sse", "baselines", "generation"];
const onGpu = process.env["METASTATE_TEST_GPU"] === "1";
/** The emulator runs a thread after the other: these have small sizes. */
const fewForEmulator = ["ops/ops.test.js", "model/state.test.js", "generation/generation.test.js"];

async function passesOn(engine: string, files: readonly string[], t: test.TestContext): Promise<void> {
  assert.ok(files.length > 0);
  const { status, stdout } = await run(
    process.execPath,
    ["--enable-source-maps", "--import", asDefault, "--test", "--test-reporter=tap", ...files],
    { cwd: join(root, "lib"), env: surroundings({ METASTATE_TEST_ENGINE: engine }) },
  );
  const wrong = stdout.split("\n").filter((line) => /^\s*(not ok|error:|# fail)/.test(line));
  assert.equal(status, 0, wrong.join("\n"));
  const passed = Number(/^# pass (\d+)$/m.exec(stdout)?.[1]);
  assert.ok(passed > 0, stdout);
  t.diagnostic(`${passed} passed`);
}

const patience = { timeout: 900_000 };

if (!onGpu) {
  whereNative(() => {
    for (const folder of folders) {
      test(`lib/src/${folder} passes its tests on the native engine`, patience, (t) =>
        passesOn("native", testsOf(folder), t),
      );
    }
  });
}

whereCuda((engine) => {
  if (onGpu || process.env["METASTATE_TEST_ALL"] === "1") {
    for (const folder of folders) {
      test(`lib/src/${folder} passes its tests on ${engine}`, patience, (t) => passesOn(engine, testsOf(folder), t));
    }
  } else {
    test(`tests of the library's ops, states and writing pass on ${engine}`, patience, (t) =>
      passesOn(
        engine,
        fewForEmulator.map((file) => join(library, file)),
        t,
      ),
    );
  }
});
