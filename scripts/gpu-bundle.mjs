#!/usr/bin/env node
// @ts-check
// npm run gpu:bundle: packs Node, the built addons, tests and benchmarks into one archive that runs on a machine with an
// NVIDIA driver, without Node, compiler or network:
//
//   tar xf metastate-gpu.tar.xz && metastate-gpu/run.sh [--quick]    writes metastate-gpu/report/*.json
//
// cuBLASLt is taken from that machine: of a CUDA toolkit, or of a Python environment that has PyTorch. The sources of the
// addons go along: where there is nvcc, it can be built anew there.
//
//   node scripts/gpu-bundle.mjs [--arch 90] [--as-built] [--peers] [--output metastate-gpu.tar.xz]
//
// --arch builds for one architecture only; --as-built packs the addons that are there; --peers takes
// flash-linear-attention along (the wheel fla-core), for the PyTorch of that machine.

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { buildNative } from "./build-native.mjs";
import { commandLine } from "./lib/command-line.mjs";
import { runtimePackages, unneeded } from "./lib/runtime-packages.mjs";

const root = resolve(import.meta.dirname, "..");
const mostBytes = 60 * 2 ** 20;
const { values: options } = commandLine(import.meta.filename, {
  arch: { type: "string", default: "" },
  "as-built": { type: "boolean", default: false },
  peers: { type: "boolean", default: false },
  output: { type: "string", default: join(root, "test-results", "metastate-gpu.tar.xz") },
});

/** @param {string} message @returns {never} */
function refuse(message) {
  console.error(message);
  process.exit(1);
}

for (const target of options["as-built"] ? [] : /** @type {const} */ (["native", "cuda-emulated", "cuda"])) {
  const result = await buildNative({ target, arch: options.arch, incremental: true, log: (line) => console.log(line) });
  if (!result.built) refuse(`the addon ${target} is not built: ${result.reason}\n${result.remedy}`);
  console.log(`${target} addon: ${result.how}`);
}
if (!existsSync(join(root, "lib", "dist", "index.js"))) refuse("the TypeScript is not built: run npm run build");
// Addons of other sources are of no use there, and nobody could build them.
const here = spawnSync(process.execPath, [join(root, "scripts", "lib", "gpu-facts.mjs"), "cuda-emulated"], {
  encoding: "utf8",
});
const { native, refused } = JSON.parse(here.stdout || '{"refused": "the addons cannot be loaded"}');
if (refused ?? !native.loaded) refuse(refused ?? `${native.reason}; ${native.remedy}`);

const stage = mkdtempSync(join(tmpdir(), "metastate-bundle-"));
const bundle = join(stage, "metastate-gpu");

/** Copies a file or folder of the checkout to its place in the bundle. @param {string} path @param {RegExp} [but] */
function take(path, but = /$^/) {
  const filter = (/** @type {string} */ file) => !but.test(relative(root, file));
  cpSync(join(root, path), join(bundle, path), { recursive: true, filter, dereference: true });
}

/** Unpacks the wheel of flash-linear-attention's operators, which need nothing compiled. */
function takePeers() {
  const wheels = join(stage, "wheels");
  const python = join(root, ".venv", "bin", "python");
  const run = (/** @type {string[]} */ ...args) => {
    if (spawnSync(python, ["-m", ...args], { stdio: "inherit" }).status !== 0)
      refuse(`python -m ${args.join(" ")} failed`);
  };
  run("pip", "download", "--quiet", "--no-deps", "--dest", wheels, "fla-core");
  for (const wheel of readdirSync(wheels)) run("zipfile", "-e", join(wheels, wheel), join(bundle, "peers"));
}

mkdirSync(join(bundle, "bin"), { recursive: true });
copyFileSync(process.execPath, join(bundle, "bin", "node"));
chmodSync(join(bundle, "bin", "node"), 0o755);
for (const workspace of ["lib", "kernels-cuda"]) {
  take(`${workspace}/package.json`);
  take(`${workspace}/dist`, unneeded);
}
for (const folder of ["Release", "Cuda", "CudaEmulated"]) take(`kernels-cuda/build/${folder}`);
// The last two build the addons.
const besides = ["jasmine-core", "node-addon-api", "node-api-headers"];
for (const folder of runtimePackages(["lib", "kernels-cuda"], besides)) take(folder, unneeded);
for (const [name, workspace] of [
  ["metastate", "lib"],
  ["@metastate/kernels-cuda", "kernels-cuda"],
]) {
  // By a file and not by a link, which some archives lose.
  const place = join(bundle, "node_modules", name ?? "");
  mkdirSync(place, { recursive: true });
  const entry = relative(place, join(bundle, workspace ?? "", "dist", "index.js"));
  writeFileSync(join(place, "package.json"), JSON.stringify({ name, type: "module", exports: "./index.js" }));
  writeFileSync(join(place, "index.js"), `export * from ${JSON.stringify(entry)};\n`);
}
for (const file of ["CMakeLists.txt", "cmake", "cpp", "cuda"]) take(`kernels-cuda/${file}`);
const programs = [
  "test-gpu",
  "build-native",
  "compile-cuda",
  "lib/checkout",
  "lib/command-line",
  "lib/cuda-toolkit",
  "lib/find-program",
  "lib/kernel-usage",
];
for (const part of ["compiler", "place", "programs", "run", "tools"]) programs.push(`lib/native/${part}`);
programs.push("lib/gpu-conformance", "lib/gpu-facts", "lib/gpu-test-file", "lib/gpu-test-hooks");
for (const name of programs) take(`scripts/${name}.mjs`);
for (const name of ["gpu", "lib/gpu-measures", "lib/machine"]) take(`benchmarks/${name}.mjs`);
for (const name of ["one_operator", "pytorch_gpu", "timed_model"]) take(`benchmarks/peers/${name}.py`);
take("tests/parity/reference.py");
take("package.json");
if (options.peers) takePeers();
copyFileSync(join(root, "scripts", "gpu-bundle-run.sh"), join(bundle, "run.sh"));
chmodSync(join(bundle, "run.sh"), 0o755);

mkdirSync(dirname(resolve(options.output)), { recursive: true });
// xz: Node alone is 100 MB; what is left of it is a quarter.
const tar = spawnSync("tar", ["-cJf", resolve(options.output), "-C", stage, "metastate-gpu"], {
  stdio: "inherit",
  env: { ...process.env, XZ_OPT: process.env["XZ_OPT"] ?? "-6 -T0" },
});
rmSync(stage, { recursive: true, force: true });
if (tar.status !== 0) refuse("tar could not pack the bundle: it needs xz (Debian: apt install xz-utils)");
const { size } = statSync(options.output);
console.log(`${options.output}: ${(size / 2 ** 20).toFixed(1)} MiB`);
if (size > mostBytes) refuse(`the bundle is larger than ${mostBytes / 2 ** 20} MiB`);
