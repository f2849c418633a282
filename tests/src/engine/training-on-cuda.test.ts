/** A model trained on the `cuda` engine as on `native`. Skipped where either is not built. */
import assert from "node:assert/strict";
import test from "node:test";
import { cudaEmulatedEngine, cudaEngine, hostFallbacks, nativeEngine } from "@metastate/kernels-cuda";
import * as tf from "@tensorflow/tfjs-core";
import * as ms from "metastate";
import { whereCuda, whereNative } from "../needs-native.js";

/** A text with a rule: each byte is the one before plus 1 or 2, modulo 16, by turns. */
const text = Uint8Array.from({ length: 600 }, (_, i) => (i + Math.floor(i / 2)) % 16);

interface Training {
  readonly losses: number[];
  readonly norms: number[];
}

/** The same few steps of the same small model, on a backend. */
async function training(backend: string): Promise<Training> {
  assert.ok(await tf.setBackend(backend));
  const model = ms.createModel({ vocabSize: 16, width: 32, layers: 2, headSize: 16, parameterTokens: 48 }, { seed: 5 });
  const before = tf.memory().numTensors;
  const history: Training = { losses: [], norms: [] };
  const batches = ms.data.batches(text, { batchSize: 2, length: 19, seed: 3 });
  for await (const { loss, gradientNorm } of ms.train(model, batches, { steps: 8, learningRate: 5e-3 })) {
    history.losses.push(loss);
    history.norms.push(gradientNorm);
  }
  assert.equal(tf.memory().numTensors, before);
  model.dispose();
  return history;
}

/** The largest relative difference of two lists. */
function difference(a: readonly number[], b: readonly number[]): number {
  assert.equal(a.length, b.length);
  return Math.max(...a.map((x, i) => Math.abs(x - b[i]!) / Math.abs(b[i]!)));
}

whereCuda((engine) =>
  whereNative(() => {
    test(
      "a Meta-State model trains on cuda as on native, and no kernel runs on the CPU",
      { timeout: 300_000 },
      async (t) => {
        const cuda = engine === "cuda" ? cudaEngine : cudaEmulatedEngine;
        for (const candidate of [cuda, nativeEngine]) assert.ok((await candidate.start()).ready);
        hostFallbacks.clear();
        const found = await training("cuda");
        assert.deepEqual([...hostFallbacks], [], "kernels that ran on the CPU");
        const expected = await training("native");
        assert.ok(expected.losses.at(-1)! < expected.losses[0]! - 0.1, "the model learns");
        const [losses, norms] = [difference(found.losses, expected.losses), difference(found.norms, expected.norms)];
        t.diagnostic(`largest relative differences: losses ${losses}, norms of gradients ${norms}`);
        // Measured on an AVX-512 machine: 1.5e-7 and 5.3e-7. Other instruction sets add in other orders.
        assert.ok(losses < 3e-6, `losses differ by ${losses}`);
        assert.ok(norms < 1e-5, `norms differ by ${norms}`);
      },
    );
  }),
);
