#!/usr/bin/env node
// @ts-check
// npm run setup:peers: installs what benchmarks compare with, into .metastate/peers: kernels, from npm, and PyTorch with numpy.
// Nothing outside is changed; what is there stays; delete the folder to be rid of it.
//
//   npm run setup:peers [-- --only kernels] [--only pytorch] [--with-cuda]
//
// PyTorch is its build for CPUs (about 200 MB to download, 0.8 GB on disk), from PyTorch's own index on Linux, from PyPI on
// macOS and Windows. Where that index cannot be reached it is not installed, unless --with-cuda says to take the build of PyPI,
// whose CUDA libraries come with it (about 3 GB to download, 5 GB on disk).

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { commandLine } from "../scripts/lib/command-line.mjs";
import { peersFolder, PEER_PACKAGES, kernels } from "./lib/kernels.mjs";
import { peerEnvironment, peerInterpreter } from "./lib/peer.mjs";

const PYTORCH = "torch==2.13.0";
/** numpy is a peer of its own; the other two compile the recurrence's operator. */
const BESIDE = ["numpy", "ninja", "setuptools"];
const pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input"];
const CPU_INDEX = "https://download.pytorch.org/whl/cpu";

const { values: options } = commandLine(import.meta.filename, {
  only: { type: "string" },
  "with-cuda": { type: "boolean", default: false },
});
if (options.only !== undefined && !["kernels", "pytorch"].includes(options.only)) {
  console.error(`--only has "${options.only}": give kernels or pytorch`);
  process.exit(2);
}
mkdirSync(peersFolder, { recursive: true });
const complete = [
  ...(options.only === "pytorch" ? [] : [setUpKernels()]),
  ...(options.only === "kernels" ? [] : [setUpPyTorch()]),
];
process.exit(complete.every(Boolean) ? 0 : 1);

/** @returns {boolean} whether all are there */
function setUpKernels() {
  writeFileSync(
    join(peersFolder, "package.json"),
    `${JSON.stringify({ private: true, description: "Peers that benchmarks compare with" }, undefined, 2)}\n`,
  );
  console.log(`npm install ${PEER_PACKAGES.join(" ")} in ${peersFolder}`);
  // Their install scripts are not needed: Deno's binary is in the package of its platform, zeromq comes with its own. Nested
  // as in a global install: tslab looks for the types of Node.js in its own folder, and knows no console without them.
  const { status } = spawnSync(
    process.platform === "win32" ? "npm.cmd" : "npm",
    [
      "install",
      "--install-strategy=nested",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      ...PEER_PACKAGES,
    ],
    { cwd: peersFolder, stdio: "inherit", shell: process.platform === "win32" },
  );
  if (status !== 0) {
    console.error("npm could not install the peers: what it said stands above");
    return false;
  }
  let complete = true;
  for (const kernel of kernels()) {
    console.log("reason" in kernel ? `${kernel.name}: ${kernel.reason}` : `${kernel.name} ${kernel.version}: there`);
    complete &&= !("reason" in kernel);
  }
  return complete;
}

/** @returns {boolean} whether it is there */
function setUpPyTorch() {
  const there = pyTorchVersion();
  if (there) {
    console.log(`PyTorch ${there}: there`);
    return true;
  }
  if (!existsSync(peerInterpreter)) {
    const python = process.platform === "win32" ? "python" : "python3";
    if (!ran(python, ["-m", "venv", peerEnvironment])) {
      console.error(
        `${python} could not make an environment in ${peerEnvironment}: on Debian, apt install python3-venv`,
      );
      return false;
    }
  }
  const fromPyPI = options["with-cuda"] || process.platform !== "linux";
  const index = fromPyPI ? [] : ["--index-url", CPU_INDEX];
  if (
    !fromPyPI &&
    !ran(peerInterpreter, [...pip, "--dry-run", "--quiet", "--retries", "1", ...index, "--no-deps", PYTORCH])
  ) {
    console.error(
      `PyTorch is left out: ${CPU_INDEX} does not give its build for CPUs (pip says above why). ` +
        "`npm run setup:peers -- --only pytorch --with-cuda` installs the build of PyPI: about 3 GB to download, 5 GB on disk. " +
        "Or name another Python that has PyTorch to a benchmark: --python PYTHON",
    );
    return false;
  }
  const size = options["with-cuda"]
    ? "about 3 GB to download, 5 GB on disk"
    : "about 200 MB to download, 0.8 GB on disk";
  console.log(`pip install ${PYTORCH} (${size}) in ${peerEnvironment}`);
  const installed = ran(peerInterpreter, [...pip, ...index, PYTORCH]) && ran(peerInterpreter, [...pip, ...BESIDE]);
  const version = installed ? pyTorchVersion() : undefined;
  console.log(version ? `PyTorch ${version}: there` : "PyTorch could not be installed: what pip said stands above");
  return version !== undefined;
}

/** @returns {string | undefined} that of the peers' environment */
function pyTorchVersion() {
  if (!existsSync(peerInterpreter)) return undefined;
  const { status, stdout } = spawnSync(
    peerInterpreter,
    ["-c", "import numpy, ninja, torch; print(torch.__version__)"],
    {
      encoding: "utf8",
    },
  );
  return status === 0 ? stdout.trim() : undefined;
}

/** @type {(command: string, args: readonly string[]) => boolean} */
function ran(command, args) {
  return spawnSync(command, args, { stdio: "inherit" }).status === 0;
}
