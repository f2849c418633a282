import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import test from "node:test";
import { nativeEngine } from "./engine-candidate.js";
import { needsNative } from "./testing/native.js";

test("the native engine tells its memory, versions, threads and what the machine can do", needsNative, async () => {
  const started = await nativeEngine.start();
  assert.ok(started.ready && started.controls);
  await tf.setBackend("native");
  const { controls } = started;
  const before = controls.memory!().used;
  const kept = tf.ones([1024]);
  assert.equal(controls.memory!().used, before + 4096);
  tf.dispose(tf.add(kept, kept));
  const { reserved, free } = controls.memory!();
  assert.ok(reserved! >= 4096, "the sum's array waits for the next tensor of its length");
  assert.ok(free! > 0);
  kept.dispose();
  assert.match(controls.versions!()["addon"]!, /^\d+ \((GCC|Clang)/);
  assert.ok(controls.threads!() >= 1);
  const { gflops, gigabytesPerSecond } = await controls.peak!();
  assert.ok(gflops > 0 && gigabytesPerSecond > 0);
});
