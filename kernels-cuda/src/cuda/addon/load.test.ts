/** What is told when the GPU cannot be used; none of it needs one. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
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

/** What a process is told that runs on such a machine, as the emulator plays it. */
function toldOn(machine: string): { reason?: string; remedy?: string; device?: { computeCapability: string } } {
  const script = `import { load } from ${JSON.stringify(import.meta.resolve("./load.js"))};
    const { reason, remedy, device } = load(process.env, { emulated: true });
    console.log(JSON.stringify({ reason, remedy, device }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    env: { ...process.env, METASTATE_EMULATOR_MACHINE: machine },
    encoding: "utf8",
  });
  assert.ok(stdout, stderr);
  return JSON.parse(stdout) as ReturnType<typeof toldOn>;
}

test("each machine that CUDA cannot use is told with its remedy", needsEmulator, () => {
  assert.equal(toldOn("").device?.computeCapability, "8.6");
  assert.deepEqual(toldOn("no driver"), {
    reason: "no NVIDIA driver: libcuda.so.1 is not there or does not load",
    remedy: "install NVIDIA's driver; on a machine without an NVIDIA GPU use the engine native",
  });
  assert.deepEqual(toldOn("old driver"), {
    reason: "the NVIDIA driver is too old: it serves CUDA 12.2, and this addon is built with CUDA 13.0",
    remedy: "update the driver, or build with an older CUDA: CUDA_HOME=… npm run build:native -- --cuda",
  });
  assert.deepEqual(toldOn("no GPU"), {
    reason: "no NVIDIA GPU is visible to this process",
    remedy: "see nvidia-smi, and CUDA_VISIBLE_DEVICES if it is set",
  });
  assert.deepEqual(toldOn("old GPU"), {
    reason: "emulated GPU has compute capability 7.5; 8.0 (Ampere) or later is needed",
    remedy: "use the engine native",
  });
});

test(
  "where the host has no memory to be pinned, values go to the GPU and come back through plain memory",
  needsEmulator,
  () => {
    const script = `import * as tf from "@tensorflow/tfjs-core";
    import { useCuda } from ${JSON.stringify(import.meta.resolve("../../testing/cuda.js"))};
    await useCuda();
    const told = [];
    for (const values of [[1, -2], [-3, 4]]) told.push(...(await tf.relu(tf.tensor(values)).data()));
    console.log(JSON.stringify(told));`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      env: { ...process.env, METASTATE_EMULATOR_MACHINE: "no pinned memory" },
      encoding: "utf8",
      cwd: import.meta.dirname,
    });
    assert.ok(stdout, stderr);
    assert.deepEqual(JSON.parse(stdout), [1, 0, 0, 4]);
  },
);

for (const machine of ["no pools", "pools without memory"]) {
  test(`where the driver has ${machine}, tensors are its plain memory, which is used again`, needsEmulator, () => {
    const script = `import * as tf from "@tensorflow/tfjs-core";
      import { useCuda, cuda } from ${JSON.stringify(import.meta.resolve("../../testing/cuda.js"))};
      await useCuda();
      const told = [];
      const large = () => tf.tidy(() => tf.sum(tf.relu(tf.fill([2 ** 21], 0.5))).dataSync()[0]);
      told.push(large());
      const { requests, waiting } = cuda().memory();
      told.push(large(), cuda().memory().requests - requests, waiting >= 2 ** 23);
      cuda().trim();
      cuda().setMemory(2 ** 22);
      try { large(); } catch (error) { told.push(error.message); }
      cuda().setMemory(2 ** 24 + 2 ** 20);
      told.push(large(), cuda().memory().used);
      console.log(JSON.stringify(told));`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      env: { ...process.env, METASTATE_EMULATOR_MACHINE: machine },
      encoding: "utf8",
      cwd: import.meta.dirname,
    });
    assert.ok(stdout, stderr);
    const [first, second, requests, waits, message, after, used] = JSON.parse(stdout) as unknown[];
    assert.deepEqual([first, second, requests, waits], [2 ** 20, 2 ** 20, 0, true]);
    assert.match(String(message), /^GPU memory exhausted: 8 MiB were asked for/);
    assert.deepEqual([after, used], [2 ** 20, 0]);
  });
}

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
