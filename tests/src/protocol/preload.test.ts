/** What is there in the first cell of a notebook: the library, TensorFlow.js and display, with types and completion. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { KernelClient, withoutColours, type Json } from "../client.js";

describe("the first cell", { timeout: 120_000 }, () => {
  let kernel: KernelClient;

  before(async () => {
    kernel = await KernelClient.start();
  });

  after(async () => {
    await kernel.stop();
  });

  async function completions(code: string): Promise<readonly string[]> {
    const { content } = await kernel.request("shell", "complete_request", { code, cursor_pos: code.length });
    return content["matches"] as readonly string[];
  }

  async function error(code: string): Promise<string | undefined> {
    return (await kernel.execute(code)).error?.evalue;
  }

  it("completes the library, TensorFlow.js and the methods of tensors", async () => {
    const all = await completions("ms.");
    for (const name of ["createModel", "data", "generate", "plots", "train", "wkv7"])
      assert.ok(all.includes(name), name);
    assert.deepEqual(await completions("ms.plots.stateH"), ["stateHeatmap"]);
    assert.ok((await completions("tf.matM")).includes("matMul"));
    assert.deepEqual(await completions("tf.tensor([1]).squaredD"), ["squaredDifference"]);
    assert.ok((await completions("display.")).includes("markdown"));
  });

  it("completes and inspects while a cell runs", async () => {
    // An interrupt before the preload is done would end the cell before it begins.
    assert.equal(await error("0"), undefined);
    let ended = false;
    const running = kernel.execute("await new Promise((r) => setTimeout(r, 60_000))").finally(() => (ended = true));
    assert.ok((await completions("ms.gene")).includes("generate"));
    const { content } = await kernel.request("shell", "inspect_request", { code: "ms.createModel", cursor_pos: 8 });
    assert.match(String((content["data"] as Json)["text/markdown"]), /createModel\(options: [^]*fresh parameters/);
    assert.equal(ended, false);
    await kernel.interrupt();
    assert.equal((await running).error?.ename, "KeyboardInterrupt");
  });

  it("checks the types of the library", async () => {
    const { error: failure } = await kernel.execute("ms.createModel({ vocabSize: 256 })");
    assert.match(
      withoutColours(failure?.traceback.join("\n") ?? ""),
      /missing the following properties[^]*width, layers/,
    );
    assert.match((await error('ms.data.batches("text")')) ?? "", /Expected 2 arguments|not assignable/);
    assert.equal(
      await error("const metrics: ms.TrainMetrics[] = []; const x: tf.Tensor1D = tf.tensor1d([1])"),
      undefined,
    );
  });

  it("takes an import of TensorFlow.js and of the library for the very same, in any folder", async () => {
    const cell = `import * as core from "@tensorflow/tfjs-core"; import * as library from "metastate";
      const same: tf.Tensor = core.ones([1]); [core.ones === tf.ones, library.train === ms.train, same.shape]`;
    const { outputs, error: failure } = await kernel.execute(cell);
    assert.equal(failure?.evalue, undefined);
    const result = outputs.find(({ type }) => type === "execute_result")?.content["data"] as Json | undefined;
    assert.equal(result?.["text/plain"], "[ true, true, [ 1 ] ]");
  });
});
