/** What is there in the first cell of a notebook: the library, TensorFlow.js and display, with types and completion. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { KernelClient, withoutColours, type Json, type Message } from "../client.js";

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

  /** The text of what a cell ends with. */
  async function resultOf(code: string): Promise<unknown> {
    const { outputs, error: failure } = await kernel.execute(code);
    assert.equal(failure?.evalue, undefined);
    const result = outputs.find(({ type }) => type === "execute_result")?.content["data"] as Json | undefined;
    return result?.["text/plain"];
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

  it("frees what a training held whose cell was terminated, and profiles again after a profile that was", async () => {
    const made = await error(`const model = ms.createModel({ vocabSize: 256, width: 8, layers: 1, headSize: 8 });
      const batches = ms.data.batches(ms.byteTokenizer().encode("to be or not to be"), { batchSize: 1, length: 8 });
      const tensors = tf.memory().numTensors;`);
    assert.equal(made, undefined);
    const terminated = async (code: string): Promise<string | undefined> => {
      const onOutput = ({ type }: Message): void => void (type === "stream" && kernel.interrupt());
      return (await kernel.execute(code, { onOutput })).error?.ename;
    };
    const hangs = 'console.log("hangs"); while (true);';
    const training = `for await (const _ of ms.train(model, batches, { steps: 9, ema: 0.9, onStep() { ${hangs} } }));`;
    assert.equal(await terminated(training), "KeyboardInterrupt");
    assert.equal(await resultOf("tf.memory().numTensors - tensors"), "0");
    // In the second of two batches whose gradients are added up.
    const second = `let passes = 0;
      const watched = Object.assign(Object.create(model) as ms.Model, {
        forward(...given: Parameters<ms.Model["forward"]>) {
          if (++passes === 2) { ${hangs} }
          return model.forward(...given);
        },
      });
      for await (const _ of ms.train(watched, batches, { steps: 9, accumulate: 2 }));`;
    assert.equal(await terminated(second), "KeyboardInterrupt");
    assert.equal(await resultOf("tf.memory().numTensors - tensors"), "0");
    assert.equal(await terminated(`await ms.profile(() => { ${hangs} })`), "KeyboardInterrupt");
    assert.equal(
      await resultOf("(await ms.profile(() => tf.dispose(tf.ones([1])), { peak: false })).result"),
      undefined,
    );
  });

  it("frees the model that a cell made when the cell is run again", async () => {
    const cell = "const again = ms.createModel({ vocabSize: 256, width: 8, layers: 1, headSize: 8 })";
    assert.equal(await error(cell), undefined);
    const before = Number(await resultOf("tf.memory().numTensors"));
    for (let i = 0; i < 5; i++) assert.equal(await error(cell), undefined);
    const collect = `const { setFlagsFromString } = await import("node:v8");
      setFlagsFromString("--expose-gc");
      const { runInNewContext } = await import("node:vm");
      for (let i = 0; i < 20; i++) {
        runInNewContext("gc")();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      tf.memory().numTensors`;
    assert.equal(Number(await resultOf(collect)), before);
  });

  it("takes an import of TensorFlow.js and of the library for the very same, in any folder", async () => {
    const cell = `import * as core from "@tensorflow/tfjs-core"; import * as library from "metastate";
      const same: tf.Tensor = core.ones([1]); [core.ones === tf.ones, library.train === ms.train, same.shape]`;
    assert.equal(await resultOf(cell), "[ true, true, [ 1 ] ]");
  });
});
