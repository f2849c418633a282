/**
 * The TypeScript of the guides that are written for a notebook, run as the cells of one: each block a cell, its types checked by
 * the kernel, with trainings cut short. Pages that are programs of their own (they import the library) are run by
 * `lib/src/documentation.test.ts`.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { loadAddon } from "@metastate/kernels-cuda";

import { KernelClient } from "../client.js";
import { bareKernel, root } from "../environment.js";

const pages = ["README.md", "kernels-cuda/README.md", ...docs()];

/** What a page takes for granted: the reader has a model, a text, a state, … by then. */
const taken: Readonly<Record<string, string>> = {
  "docs/files.md": `
    const made = ms.createModel({ vocabSize: 256, width: 16, layers: 2, headSize: 8, sse: "none" });
    await ms.saveModel(made, "RWKV-x070-World-0.1B.pth");`,
  "docs/growth.md": `
    const text = ms.data.mobyDick().slice(0, 20_000);
    const tokenizer = ms.byteTokenizer();
    const batches = ms.data.batches(tokenizer.encode(text), { batchSize: 4, length: 64 });
    const model = ms.createModel({ vocabSize: 256, width: 32, layers: 2, headSize: 8, parameterTokens: 64 });
    const tokens = [[1, 2, 3]];
    const next = [[4]];
    const options = { steps: 2, checkpoint: { folder: "run" } };
    for await (const _ of ms.train(model, batches, options));`,
  "docs/kernel.md": `
    const name = "Ishmael";
    const age = 30;
    const n = 3;
    const files = ["a", "b"];
    const read = async (file: string): Promise<string> => file;`,
  "docs/model.md": `
    const model = ms.createModel({ vocabSize: 256, width: 24, layers: 4, headSize: 8 });
    const { state } = model.forward([[1, 2, 3]]);
    const { state: other } = model.forward([[4, 5, 6]]);
    const { state: after } = model.forward([[7]], state);
    const before = state;`,
  "docs/plots.md": `
    const model = ms.createModel({ vocabSize: 256, width: 16, layers: 1, headSize: 8 });
    const batches = ms.data.batches(ms.byteTokenizer().encode("to be or not to be "), { batchSize: 2, length: 8 });
    const curve = [{ step: 1, accuracy: 0.1 }, { step: 2, accuracy: 0.2 }];`,
};

/** Blocks that need what a test has not: a browser that draws, an ellipsis filled in. */
const unable = [/figure\.save\("loss\.png"\)/, /…$/m];

function docs(): string[] {
  return readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`);
}

/** The blocks of a page, each with its line. */
function blocksOf(page: string): { readonly line: number; readonly code: string }[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => ({
    line: text.slice(0, match.index).split("\n").length + 1,
    code: match[1]!,
  }));
}

/** Hundreds of steps over a whole book show nothing more than two over some pages. */
function shortened(code: string): string {
  return code
    .replace(/\bsteps: \d+/g, "steps: 2")
    .replace(/\bseeds: 3\b/, "seeds: 1")
    .replace("mobyDick()", "mobyDick().slice(0, 20_000)");
}

describe("the examples of the guides, as cells", { timeout: 600_000 }, () => {
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "metastate-examples-"));
  });

  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  for (const page of pages) {
    const blocks = blocksOf(page);
    if (blocks.length === 0 || / from "metastate";$/m.test(blocks[0]!.code)) continue;
    const addon = loadAddon();
    const skip = page.startsWith("kernels-cuda") && "reason" in addon ? addon.reason : false;
    it(page, { skip }, async (t) => {
      const spec = bareKernel(join(root, "notebooks", "dist", "preload.js"));
      const kernel = await KernelClient.start({ cwd: mkdtempSync(join(folder, "cells-")), spec });
      t.after(() => kernel.stop());
      const run = async (code: string, place: string): Promise<void> => {
        const { error } = await kernel.execute(code, { timeout: 120_000 });
        assert.equal(error?.traceback.join("\n"), undefined, place);
      };
      await run(taken[page] ?? "0", `what ${page} takes for granted`);
      let ran = 0;
      for (const { line, code } of blocks) {
        if (unable.some((pattern) => pattern.test(code))) continue;
        await run(shortened(code), `${page}:${line}`);
        ran++;
      }
      assert.ok(ran > 0, "a block of the page was run");
    });
  }
});
