// @ts-check
// The CUDA sources compile, where there is a compiler.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import test from "node:test";
import { cudaFlags, findCudaToolkit } from "./lib/cuda-toolkit.mjs";

const root = resolve(import.meta.dirname, "..");
const toolkit = findCudaToolkit({ venv: join(root, ".venv"), env: process.env });
const cuda = join(root, "kernels-cuda", "cuda");
const sources = readdirSync(cuda, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".cu"));
/** One, to find errors of ours; METASTATE_CUDA_ARCH=all compiles for all of them, which takes minutes. */
const asked = process.env["METASTATE_CUDA_ARCH"] ?? "90";
const arch = asked === "all" ? "" : asked;

for (const file of sources.sort()) {
  const skip = "nvcc" in toolkit ? false : `${toolkit.reason}; ${toolkit.remedy}`;
  test(`${file} compiles with nvcc`, { skip, timeout: 600_000 }, () => {
    assert.ok("nvcc" in toolkit);
    const includes = [cuda, join(root, "kernels-cuda", "cpp"), ...toolkit.includes].map((folder) => `-I${folder}`);
    // To PTX only when one will do: the assembler finds no errors of ours.
    const flags = arch ? ["-ptx", `-arch=compute_${arch}`] : ["-c", ...cudaFlags("", toolkit.version)];
    const { status, stderr } = spawnSync(
      toolkit.nvcc,
      [...flags, "-std=c++17", ...includes, "-o", "/dev/null", join(cuda, file)],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
  });
}

test("architectures that a CUDA does not know are left out", () => {
  assert.ok(!cudaFlags("", "12.4").some((flag) => flag.includes("120")));
  assert.ok(cudaFlags("", "13.0").includes("-gencode=arch=compute_120,code=sm_120"));
  assert.deepEqual(
    cudaFlags("90", "13.0").filter((flag) => flag.startsWith("-gencode")),
    ["-gencode=arch=compute_90,code=sm_90", "-gencode=arch=compute_90,code=compute_90"],
  );
});

test("a CUDA_HOME without a compiler is told", () => {
  const found = findCudaToolkit({ venv: "/nowhere", env: { CUDA_HOME: "/nowhere" } });
  assert.ok("reason" in found && found.broken);
  assert.match(found.reason, /CUDA_HOME is "\/nowhere", and has no bin\/nvcc/);
});
