/**
 * For tests of other packages: `node --import` this, and tests that choose tfjs's `wasm` or `cpu` run on `native`; with
 * `METASTATE_TEST_ENGINE=cuda-emulated` or `cuda` on that, with new memory full of NaNs.
 */
import { engine } from "@tensorflow/tfjs-core";
import { loadCudaAddon } from "../cuda/addon/load.js";
import { cudaEmulatedEngine, cudaEngine } from "../cuda/engine-candidate.js";
import { nativeEngine } from "../engine-candidate.js";

const asked = process.env["METASTATE_TEST_ENGINE"] ?? nativeEngine.name;
const chosen = [nativeEngine, cudaEngine, cudaEmulatedEngine].find(({ name }) => name === asked);
if (!chosen) throw new Error(`METASTATE_TEST_ENGINE is "${asked}": give native, cuda or cuda-emulated`);
const started = await chosen.start();
if (!started.ready) throw new Error(started.reason);
if (chosen !== nativeEngine) {
  const addon = loadCudaAddon({ emulated: chosen === cudaEmulatedEngine });
  if ("binding" in addon) addon.binding.poison(true);
}
const tfjs = engine();
const choose = tfjs.setBackend.bind(tfjs);
tfjs.setBackend = (name) => choose(name === "wasm" || name === "cpu" ? started.backend : name);
