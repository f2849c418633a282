/** The suite that tfjs ships for backends, on `native`. */
import test from "node:test";
import { needsNative } from "../testing/native.js";
import { passesSuite, patienceMilliseconds } from "./suite.js";

test("native passes tfjs's conformance suite", { ...needsNative, timeout: patienceMilliseconds }, (t) => {
  passesSuite(t, "native", "native");
});
