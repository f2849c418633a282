import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, symlink, writeFile, lstat } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { setTimeout } from "node:timers/promises";

import { Random } from "../random.js";
import { useBackend } from "../testing.js";
import { writeAtomically } from "./atomic-write.js";
import { loadModel } from "./load-model.js";
import { saveModel } from "./save-model.js";
import { bitsOf, randomModel, withFolder } from "./testing.js";

const text = (content: string) => new TextEncoder().encode(content);

test("a failed write leaves the old file, and nothing else", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a");
    await writeAtomically(path, (sink) => sink.write(text("old")));
    const failing = writeAtomically(path, async (sink) => {
      await sink.write(text("half of the ne"));
      throw new Error("out of luck");
    });
    await assert.rejects(failing, /out of luck/);
    assert.equal(await readFile(path, "utf8"), "old");
    assert.deepEqual(await readdir(folder), ["a"]);
  });
});

test("a symbolic link stays one; the file it names is replaced", { skip: process.platform === "win32" }, async () => {
  await withFolder(async (folder) => {
    await writeFile(join(folder, "real"), "old");
    await symlink("real", join(folder, "link"));
    await writeAtomically(join(folder, "link"), (sink) => sink.write(text("new")));
    assert.equal(await readFile(join(folder, "real"), "utf8"), "new");
    assert.ok((await lstat(join(folder, "link"))).isSymbolicLink());
  });
});

test("two writes at once: one of them wins, whole", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a");
    const write = (letter: string) =>
      writeAtomically(path, async (sink) => {
        for (let i = 0; i < 50; i++) await sink.write(text(letter));
      });
    await Promise.all([write("x"), write("y")]);
    assert.match(await readFile(path, "utf8"), /^(x{50}|y{50})$/);
    assert.deepEqual(await readdir(folder), ["a"]);
  });
});

test("what a killed process of the same number left is in nobody's way, and goes; what is being written stays", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a");
    let left: string[] = [];
    await writeAtomically(path, async (sink) => {
      const [ours] = await readdir(folder);
      // In a container a program has the same number each time it is started, and counts its files from 1.
      const count = Number(/(\d+)\.tmp$/.exec(ours!)![1]);
      left = [1, 2, 3].map((more) => ours!.replace(/\d+\.tmp$/, `${count + more}.tmp`));
      // A checkpoint of a step that is not written again.
      left.push(ours!.replace(/^\.a/, ".step-15").replace(/\d+\.tmp$/, `${count + 4}.tmp`));
      for (const name of left) await writeFile(join(folder, name), "half");
      await writeAtomically(path, (other) => other.write(text("meanwhile")));
      assert.deepEqual((await readdir(folder)).sort(), [ours, "a"]);
      await sink.write(text("new"));
    });
    assert.equal(left.length, 4);
    assert.equal(await readFile(path, "utf8"), "new");
    assert.deepEqual(await readdir(folder), ["a"]);
  });
});

/** Saves two models in turn until it is killed. */
const saver = (folder: string): string => `
  import { useBackend } from ${JSON.stringify(new URL("../testing.js", import.meta.url))};
  import { randomModel } from ${JSON.stringify(new URL("./testing.js", import.meta.url))};
  import { saveModel } from ${JSON.stringify(new URL("./save-model.js", import.meta.url))};
  await useBackend("cpu");
  const models = [randomModel({}, 1), randomModel({}, 2)];
  for (let i = 0; ; i++) {
    const model = models[i % 2];
    await saveModel(model, ${JSON.stringify(join(folder, "model.pth"))});
    await saveModel(model, ${JSON.stringify(join(folder, "model.safetensors"))});
    await saveModel(model, ${JSON.stringify(join(folder, "folder"))}, { maxShardBytes: i % 3 ? 3000 : 1e9 });
    if (i === 1) process.stdout.write("ready");
  }
`;

test("killed at any moment while saving, each file and folder holds the old model or the new, whole", async () => {
  await useBackend("cpu");
  const random = new Random(5);
  const known = [randomModel({}, 1), randomModel({}, 2)].map((model) => JSON.stringify([...bitsOf(model)]));
  await withFolder(async (folder) => {
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, ["--input-type=module", "-e", saver(folder)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(child.stdout, "data");
      await setTimeout(random.uniform(0, 60));
      child.kill("SIGKILL");
      await once(child, "exit");
      for (const name of ["model.pth", "model.safetensors", "folder"]) {
        const model = await loadModel(join(folder, name));
        assert.ok(known.includes(JSON.stringify([...bitsOf(model)])), `${name} in round ${round}`);
        model.dispose();
      }
    }
    // What killed processes left is cleared away by the next.
    const model = randomModel({}, 1);
    for (const name of ["model.pth", "model.safetensors", "folder"]) await saveModel(model, join(folder, name));
    assert.deepEqual((await readdir(folder)).sort(), ["folder", "model.pth", "model.safetensors"]);
  });
});
