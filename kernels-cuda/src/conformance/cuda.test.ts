/** The suite that tfjs ships for backends, on `cuda` or its emulator. */
import test from "node:test";
import { emulated, needsCuda } from "../testing/cuda.js";
import { passesSuite, patienceMilliseconds } from "./suite.js";

const engine = emulated ? "cuda-emulated" : "cuda";

test(`${engine} passes tfjs's conformance suite`, { ...needsCuda, timeout: patienceMilliseconds }, (t) => {
  passesSuite(t, engine, "cuda");
});
