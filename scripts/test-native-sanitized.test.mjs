// @ts-check
// How `npm run test:native:asan` and `npm run test:cuda:races` take their words. That they find something is seen by running them:
// they compile for minutes.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";

/** @param {string[]} args */
function testSanitized(...args) {
  return spawnSync(process.execPath, [join(import.meta.dirname, "test-native-sanitized.mjs"), ...args], {
    encoding: "utf8",
  });
}

test("an addon that there is not, or a word that is in no path, is refused before anything is compiled", () => {
  const addon = testSanitized("--only", "wasm");
  assert.equal(addon.status, 2);
  assert.match(addon.stderr, /^--only wasm: give some of native,cuda-emulated$/m);
  for (const args of [["--races", "binding-of-nothing"], ["binding-of-nothing"]]) {
    const word = testSanitized(...args);
    assert.equal(word.status, 2);
    assert.match(word.stderr, /^no test file of kernels-cuda has "binding-of-nothing" in its path$/m);
  }
});
