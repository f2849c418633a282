#!/usr/bin/env node
// @ts-check
// Compiles CUDA sources one by one, for whoever writes them; nothing is kept.
//
//   node scripts/compile-cuda.mjs [--arch 90] [--usage] kernels-cuda/cuda/tfjs/elementwise.cu ...
//
// --usage prints registers, shared memory and spills of each kernel. Without files, all are compiled.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { commandLine } from "./lib/command-line.mjs";
import { findCudaToolkit } from "./lib/cuda-toolkit.mjs";

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
const cuda = join(root, "kernels-cuda", "cuda");
const all = () =>
  readdirSync(cuda, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".cu"))
    .map((file) => join(cuda, file));
for (const file of positionals.length > 0 ? positionals : all()) {
  const { status } = spawnSync(
    toolkit.nvcc,
    [
      ...["-cubin", "-std=c++17", "-O3", `-arch=sm_${values.arch}`, "-diag-suppress=20012"],
      ...(values.usage ? ["-Xptxas", "-v"] : []),
      ...[cuda, join(root, "kernels-cuda", "cpp"), ...toolkit.includes].map((folder) => `-I${folder}`),
      ...["-o", "/dev/null", file],
    ],
    { stdio: "inherit" },
  );
  console.log(`${status === 0 ? "compiles" : "does not compile"}: ${file}`);
  if (status !== 0) process.exitCode = 1;
}
