/**
 * For tests of other packages: `node --import` this, and tests that choose tfjs's `wasm` or `cpu` run on `native`.
 */
import { engine } from "@tensorflow/tfjs-core";
import { useNativeEngine } from "../engine-candidate.js";

const started = useNativeEngine();
if (!started.ready) throw new Error(started.reason);
const tfjs = engine();
const choose = tfjs.setBackend.bind(tfjs);
tfjs.setBackend = (name) => choose(name === "wasm" || name === "cpu" ? "native" : name);
