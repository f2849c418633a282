/** What a token of a model asks of the `cuda` engine and its driver. Skipped where it is not built. */
import assert from "node:assert/strict";
import test from "node:test";
import { cudaEmulatedEngine, cudaEngine, loadCudaAddon } from "@metastate/kernels-cuda";
import * as tf from "@tensorflow/tfjs-core";
import * as ms from "metastate";
import { whereCuda } from "../needs-native.js";

whereCuda((engine) => {
  test("a token of a model is a few launches, and asks the driver for no memory", async () => {
    const started = await (engine === "cuda" ? cudaEngine : cudaEmulatedEngine).start();
    assert.ok(started.ready);
    const addon = loadCudaAddon({ emulated: engine !== "cuda" });
    assert.ok("binding" in addon);
    const { binding } = addon;
    assert.ok(await tf.setBackend("cuda"));
    const model = ms.createModel(
      { vocabSize: 16, width: 32, layers: 2, headSize: 16, parameterTokens: 48 },
      { seed: 5 },
    );

    /** Logits of a few tokens one after the other; from the fourth on, what each was. */
    const write = async () => {
      const logits: Float32Array[] = [];
      const launches: number[] = [];
      const requests: number[] = [];
      let state: ms.ModelState | undefined;
      for (let token = 0; token < 8; token++) {
        const before = [binding.launches(), binding.memory().requests] as const;
        const next = model.forward([[token]], state);
        logits.push((await next.logits.data()) as Float32Array);
        next.logits.dispose();
        state?.dispose();
        ({ state } = next);
        if (token < 3) continue;
        launches.push(binding.launches() - before[0]);
        requests.push(binding.memory().requests - before[1]);
      }
      state?.dispose();
      return { logits, launches, requests };
    };
    const first = await write();
    // 4 of time mixing and 3 of the Meta-State layer in each layer; the embedding, two norms, the product that gives logits.
    assert.deepEqual(first.launches, Array(5).fill(18));
    assert.deepEqual(first.requests, Array(5).fill(0));
    binding.trim();
    const again = await write();
    assert.deepEqual(again.requests, first.requests);
    assert.deepEqual(again.logits, first.logits, "the same bits out of other memory");
    model.dispose();
  });
});
