/** The library's own tests of ops and models, on the `native` engine in place of tfjs's. Skipped where it is not built. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { root, surroundings } from "../environment.js";
import { whereNative } from "../needs-native.js";
import { run } from "../program.js";

const library = join(root, "lib", "dist");
const asDefault = join(root, "kernels-cuda", "dist", "testing", "as-default.js");

/** Sources are listed, so that the compiled test of a source that was deleted never runs. */
function testsOf(folder: string): string[] {
  return readdirSync(join(root, "lib", "src", folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => join(library, folder, file.replace(/\.ts$/, ".js")));
}

whereNative(() => {
  for (const folder of ["ops", "model", "sse", "baselines"]) {
    test(`lib/src/${folder} passes its tests on the native engine`, { timeout: 900_000 }, async (t) => {
      const files = testsOf(folder);
      assert.ok(files.length > 0);
      const { status, stdout } = await run(
        process.execPath,
        ["--enable-source-maps", "--import", asDefault, "--test", "--test-reporter=tap", ...files],
        { cwd: join(root, "lib"), env: surroundings() },
      );
      assert.equal(
        status,
        0,
        stdout
          .split("\n")
          .filter((line) => /^\s*(not ok|error:|# fail)/.test(line))
          .join("\n"),
      );
      const passed = Number(/^# pass (\d+)$/m.exec(stdout)?.[1]);
      assert.ok(passed > 0, stdout);
      t.diagnostic(`${passed} passed`);
    });
  }
});
