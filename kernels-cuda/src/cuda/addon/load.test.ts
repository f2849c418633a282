/** What is told when the GPU cannot be used; none of it needs one. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { needsEmulator } from "../../testing/cuda.js";
import { cudaEngine } from "../engine-candidate.js";
import { hasNvidiaDriver, load } from "./load.js";

function refusal(environment: NodeJS.ProcessEnv, options?: { folder?: string; emulated?: boolean }) {
  const result = load(environment, options);
  assert.ok("reason" in result);
  return result;
}

function buildFolder(t: test.TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "metastate-cuda-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("METASTATE_CUDA=0 leaves the GPU alone", () => {
  assert.match(refusal({ METASTATE_CUDA: "0" }).reason, /switched off by METASTATE_CUDA=0/);
});

test("a CUDA addon that is not built is told with the command", (t) => {
  const { reason, remedy } = refusal({}, { folder: buildFolder(t) });
  assert.equal(reason, "the CUDA addon is not built");
  assert.match(remedy, /^run npm run build:native -- --cuda/);
});

test("a CUDA addon that could not be built is told with the build's own reason", (t) => {
  const folder = buildFolder(t);
  writeFileSync(join(folder, "last-attempt-cuda.json"), JSON.stringify({ reason: "no nvcc", remedy: "install it" }));
  assert.deepEqual(refusal({}, { folder }), { reason: "the CUDA addon is not built: no nvcc", remedy: "install it" });
});

test("a damaged addon is told, and nothing crashes", (t) => {
  const folder = buildFolder(t);
  mkdirSync(join(folder, "Cuda"));
  writeFileSync(join(folder, "Cuda", "metastate_cuda.node"), "no addon");
  assert.match(refusal({}, { folder }).reason, /not for this machine, or is damaged/);
});

test("the emulated addon does not pass for the GPU", needsEmulator, () => {
  const path = join(import.meta.dirname, "..", "..", "..", "build", "CudaEmulated", "metastate_cuda_emulated.node");
  const { reason } = refusal({ METASTATE_CUDA_ADDON: path });
  assert.match(reason, /built from another version/);
});

const real = join(import.meta.dirname, "..", "..", "..", "build", "Cuda", "metastate_cuda.node");

test(
  "the CUDA addon loads without a driver, and says what is missing",
  { skip: hasNvidiaDriver() ? "there is a driver" : existsSync(real) ? false : "the CUDA addon is not built" },
  async () => {
    const { reason, remedy } = refusal({});
    assert.match(reason, /^no NVIDIA driver: libcuda\.so\.1 is not there|built from another version/);
    assert.ok(remedy);
    const started = await cudaEngine.start();
    assert.ok(!started.ready && started.reason.length > 0);
  },
);
