import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";

import { makeFolder } from "./make-folder.js";
import { withFolder } from "./testing.js";

test("a folder is made with those above it, and one that is there is left alone", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a", "b", "c");
    await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(folder, "a", "d"))]);
    await writeFile(join(path, "file"), "kept");
    await makeFolder(path);
    await makeFolder(`${path}/`);
    assert.deepEqual(await readdir(path), ["file"]);
    await assert.rejects(makeFolder(join(path, "file")), { code: "EEXIST" });
    await assert.rejects(makeFolder(join(path, "file", "below")), { code: "EEXIST" });
  });
});

// Node's own would go on for ever.
test("a folder that the system refuses to make is an error", { skip: process.platform !== "linux" }, async () => {
  await assert.rejects(makeFolder("/proc/no-such-folder/below"), { code: "ENOENT" });
});
