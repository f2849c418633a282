// @ts-check
// What there is on a machine with a GPU: driver, compiler, PyTorch, the checker; one JSON object on standard output. A
// program of its own, because whatever opens a GPU may hang.
//
//   node gpu-facts.mjs [cuda | cuda-emulated]

import { spawnSync } from "node:child_process";
import { cpus, release } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const root = resolve(import.meta.dirname, "..", "..");
const engine = process.argv[2] ?? "cuda";

/** The first lines that a program says, or undefined where there is none. @param {string} command @param {string[]} args */
function said(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8", timeout: 30_000 });
  return status === 0 ? stdout.trim() : undefined;
}

const fields =
  "name,driver_version,memory.total,clocks.max.sm,clocks.max.mem,power.limit,mig.mode.current,ecc.mode.current";
const torch = "import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available())";
const facts = {
  system: `${process.platform} ${release()}, ${process.arch}`,
  processor: `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} threads`,
  node: process.version,
  libc: said("getconf", ["GNU_LIBC_VERSION"]),
  "nvidia-smi": said("nvidia-smi", [`--query-gpu=${fields}`, "--format=csv,noheader"]),
  nvcc: said("nvcc", ["--version"])?.split("\n").at(-2),
  PyTorch: said("python3", ["-c", torch]),
  "compute-sanitizer": said("compute-sanitizer", ["--version"])?.split("\n").at(-1),
};
const { addonStatus, loadCudaAddon, cudaEngine, cudaEmulatedEngine } = await import(
  pathToFileURL(join(root, "kernels-cuda", "dist", "index.js")).href
);
const addon = loadCudaAddon({ emulated: engine !== "cuda" });
if (!("binding" in addon)) {
  console.log(JSON.stringify({ facts, refused: `${addon.reason}\n${addon.remedy}` }));
  process.exit(0);
}
const started = await (engine === "cuda" ? cudaEngine : cudaEmulatedEngine).start();
console.log(
  JSON.stringify({
    facts,
    device: addon.device,
    // What runs the kernels that have no CUDA code, as those of other head sizes.
    native: addonStatus(),
    versions: started.ready ? started.controls?.versions() : started.reason,
    memory: addon.binding.memory(),
  }),
);
process.exit(0);
