#!/usr/bin/env node
// @ts-check
// Compiles CUDA sources one by one, for whoever writes them; nothing is kept. A kernel that takes more registers or shared
// memory than a launch can have is an error.
//
//   node scripts/compile-cuda.mjs [--arch 90] [--usage] kernels-cuda/cuda/tfjs/elementwise.cu ...
//
// --usage prints registers, shared memory and spills of each kernel. Without files, all are compiled.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { commandLine } from "./lib/command-line.mjs";
import { findCudaToolkit } from "./lib/cuda-toolkit.mjs";
import { beyondLimits, kernelUsage } from "./lib/kernel-usage.mjs";

const root = resolve(import.meta.dirname, "..");
const { values, positionals } = commandLine(
  import.meta.filename,
  { arch: { type: "string", default: "90" }, usage: { type: "boolean", default: false } },
  { words: true },
);
const toolkit = findCudaToolkit({ venv: join(root, ".venv"), env: process.env });
if (!("nvcc" in toolkit)) {
  console.error(`${toolkit.reason}\n${toolkit.remedy}`);
  process.exit(2);
}
const { nvcc, includes } = toolkit;
const cuda = join(root, "kernels-cuda", "cuda");
const all = () =>
  readdirSync(cuda, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".cu"))
    .map((file) => join(cuda, file));

/** Names as they stand in the source, where there is a program for it. @param {string[]} names */
function inSource(names) {
  const { status, stdout } = spawnSync("c++filt", ["--no-params"], { input: names.join("\n"), encoding: "utf8" });
  return status === 0 ? stdout.split("\n").map((name) => name.replaceAll("metastate::cuda::", "")) : names;
}

/** @param {string} file @param {string} kept the folder for what the compiler makes on its way */
function compile(file, kept) {
  const folders = [cuda, join(root, "kernels-cuda", "cpp"), ...includes].map((folder) => `-I${folder}`);
  const flags = ["-cubin", "-std=c++17", "-O3", `-arch=sm_${values.arch}`, "-diag-suppress=20012", "-Xptxas", "-v"];
  const { status, stderr } = spawnSync(
    nvcc,
    [...flags, ...folders, "--keep", "--keep-dir", kept, "-o", join(kept, "compiled.cubin"), file],
    { encoding: "utf8", maxBuffer: 2 ** 28 },
  );
  if (status !== 0) {
    console.error(stderr);
    return false;
  }
  for (const line of stderr.split("\n")) if (/\bwarning\b/.test(line)) console.error(line);
  const ptx = readdirSync(kept).filter((name) => name.endsWith(".ptx"));
  const kernels = kernelUsage(stderr, ptx.map((name) => readFileSync(join(kept, name), "utf8")).join("\n"));
  const names = inSource(kernels.map(({ name }) => name));
  let isWithin = true;
  for (const [i, usage] of kernels.entries()) {
    const { registers, spilled, shared, threads } = usage;
    const wrong = beyondLimits(usage);
    if (wrong) {
      isWithin = false;
      console.error(`${names[i]}: ${wrong}`);
    } else if (values.usage) {
      const figures = [`${registers} registers`, `${threads} threads`, `${shared} bytes of shared memory`];
      console.log(`  ${figures.join(", ")}${spilled ? `, ${spilled} bytes spilled` : ""}: ${names[i]}`);
    }
  }
  return isWithin;
}

for (const file of positionals.length > 0 ? positionals : all()) {
  const kept = mkdtempSync(join(tmpdir(), "metastate-nvcc-"));
  try {
    const compiles = compile(file, kept);
    console.log(`${compiles ? "compiles" : "does not compile"}: ${file}`);
    if (!compiles) process.exitCode = 1;
  } finally {
    rmSync(kept, { recursive: true });
  }
}
