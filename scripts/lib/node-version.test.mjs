// @ts-check
import assert from "node:assert/strict";
import test from "node:test";
import { isRecent } from "./node-version.mjs";

test("Node.js 20.19 and 22.12 are recent and so is all that came later, what came between is not", () => {
  for (const version of ["20.19.0", "20.20.2", "22.12.0", "22.23.3", "23.0.0", "24.9.0", "26.0.0"]) {
    assert.equal(isRecent(version), true, version);
  }
  for (const version of ["8.0.0", "18.20.0", "20.18.3", "21.7.3", "22.0.0", "22.11.0"]) {
    assert.equal(isRecent(version), false, version);
  }
});
