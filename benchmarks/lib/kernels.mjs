// @ts-check
// The kernels that are compared: how each is started, and the cells that make each do the same.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");

const ourCommand = join(root, "kernel", "bin", "metastate-kernel.mjs");

/** Where `npm run setup:peers` puts them; git ignores it. */
export const peersFolder = join(root, ".metastate", "peers");

/** @type {Record<string, string>} */
const DENO_PACKAGES = {
  "linux-x64": "@deno/linux-x64-glibc",
  "linux-arm64": "@deno/linux-arm64-glibc",
  "darwin-x64": "@deno/darwin-x64",
  "darwin-arm64": "@deno/darwin-arm64",
};
/** @type {string | undefined} */
const DENO_PACKAGE = DENO_PACKAGES[`${process.platform}-${process.arch}`];
const VERSIONS = { tslab: "1.0.22", deno: "2.9.6" };

/** What `npm install` is given. */
export const PEER_PACKAGES = [
  `tslab@${VERSIONS.tslab}`,
  ...(DENO_PACKAGE === undefined ? [] : [`${DENO_PACKAGE}@${VERSIONS.deno}`]),
];

/**
 * @typedef {object} Cells the same deeds in a kernel's language; a `then` is what the next cell prints when all is well
 * @property {(n: number) => string} varying a cell that differs from the ones before, declares a name and shows a value
 * @property {[code: string, match: string]} completion the text before the cursor, and what must be among the answers
 * @property {string} typed declares what `typedCompletion` completes
 * @property {[code: string, match: string]} typedCompletion
 * @property {string} lines prints the numbers from 0 to 19,999, a line each
 * @property {string} longLine prints a line of 20,000,000 "x"
 * @property {string} early prints the time in milliseconds since 1970, then computes for a second
 * @property {string} busy prints, then computes for two seconds
 * @property {string} keep declares a variable
 * @property {string} kept prints it: 42
 * @property {string} loop prints, then loops without end
 * @property {string} [timer] prints, then awaits a timer of an hour
 * @property {string} [rejection] makes a promise that rejects after the cell's end with "too late"
 * @property {string} abort
 * @property {string} exit
 * @property {string} [heap] fills the heap
 */

/**
 * @typedef {object} Kernel
 * @property {string} name
 * @property {string} version
 * @property {{argv: string[], env?: Record<string, string>}} spec
 * @property {"message" | "signal"} interrupt how its kernelspec wants to be interrupted
 * @property {() => void} [install] what a user does once before the first start
 * @property {Record<string, string>} smallHeap environment in which its JavaScript heap is small, or the wait is long
 * @property {Cells} cells
 */

/**
 * A kernel that cannot be measured here, and why.
 * @typedef {{name: string, reason: string}} Absent
 */

const SMALL_HEAP = "--max-old-space-size=200";

/** @type {Cells} */
const typescript = {
  varying: (n) => `const v${n} = ${n}; v${n} * 2`,
  completion: ["Math.sq", "sqrt"],
  typed: 'const someText = "abc"; class Point { constructor(readonly across: number, readonly down: number) {} }',
  typedCompletion: ["const p = new Point(1, 2); p.acr", "across"],
  lines: "for (let i = 0; i < 20000; i++) console.log(i)",
  longLine: 'console.log("x".repeat(20_000_000))',
  early: "console.log(Date.now()); { const end = Date.now() + 1000; while (Date.now() < end); }",
  busy: 'console.log("busy"); { const end = Date.now() + 2000; while (Date.now() < end); }',
  keep: "let precious = 42",
  kept: "console.log(precious)",
  loop: 'console.log("begun"); while (true) {}',
  timer: 'console.log("begun"); await new Promise((r) => setTimeout(r, 3_600_000))',
  rejection: 'setTimeout(() => { void Promise.reject(new Error("too late")) }, 100); 1',
  abort: 'require("node:process").abort()',
  exit: 'require("node:process").exit(3)',
  heap: "const hoard = []; while (true) hoard.push(new Array(10_000).fill(hoard.length / 3))",
};

/** @type {Cells} */
const ours = {
  ...typescript,
  heap: "const hoard: unknown[] = []; while (true) hoard.push(new Array(10_000).fill(hoard.length / 3))",
};

/** @type {Cells} */
const deno = {
  ...typescript,
  abort: "process.abort()",
  exit: "Deno.exit(3)",
  heap: ours.heap,
};

/** @type {Cells} */
const tslab = {
  ...typescript,
  // It runs cells as scripts of its own, in which blocks and types are as ever.
  heap: "const hoard: any[] = []; while (true) hoard.push(new Array(10_000).fill(hoard.length / 3))",
};

/** @type {Cells} */
const python = {
  varying: (n) => `v${n} = ${n}; v${n} * 2`,
  completion: ["import math; math.sq", "sqrt"],
  typed:
    "class Point:\n    def __init__(self, across, down):\n        self.across = across\n        self.down = down\np = Point(1, 2)",
  typedCompletion: ["p.acr", "across"],
  lines: "for i in range(20000): print(i)",
  longLine: 'print("x" * 20_000_000)',
  early: "import time\nprint(int(time.time() * 1000))\nend = time.time() + 1\nwhile time.time() < end: pass",
  busy: 'import time\nprint("busy")\nend = time.time() + 2\nwhile time.time() < end: pass',
  keep: "precious = 42",
  kept: "print(precious)",
  loop: 'print("begun")\nwhile True: pass',
  timer: 'import asyncio\nprint("begun")\nawait asyncio.sleep(3600)',
  abort: "import os; os.abort()",
  exit: "import os; os._exit(3)",
};

/** @returns {(Kernel | Absent)[]} ours first */
export function kernels() {
  return [ourKernel(), ourKernelWithLibrary(), tslabKernel(), denoKernel(), ipykernel()];
}

/** @returns {Kernel | Absent} with the Meta-State library and TensorFlow.js in it */
function ourKernelWithLibrary() {
  const name = "ours, with the library";
  const bare = ourKernel();
  const preload = join(root, "notebooks", "dist", "preload.js");
  if ("reason" in bare || !existsSync(preload)) return { name, reason: "it is not built: run npm run build" };
  return {
    ...{ ...bare, name, cells: { ...ours, completion: ["ms.createM", "createModel"] } },
    spec: { argv: [...bare.spec.argv, "--preload", preload] },
    install: () => installOurs("--preload", preload),
  };
}

/** @returns {Kernel | Absent} */
function ourKernel() {
  const name = "ours";
  if (!existsSync(join(root, "kernel", "dist", "cli.js")))
    return { name, reason: "it is not built: run npm run build" };
  const { version } = JSON.parse(readFileSync(join(root, "kernel", "package.json"), "utf8"));
  return {
    ...{ name, version, interrupt: "message", cells: ours },
    spec: { argv: [process.execPath, ourCommand, "run", "{connection_file}"] },
    install: () => installOurs(),
    smallHeap: { NODE_OPTIONS: SMALL_HEAP },
  };
}

/**
 * Registers our kernel somewhere, which makes the snapshot that it starts from.
 *
 * @param {...string} args
 */
function installOurs(...args) {
  const prefix = mkdtempSync(join(tmpdir(), "metastate-bench-"));
  try {
    execFileSync(process.execPath, [ourCommand, "install", "--prefix", prefix, ...args], {
      stdio: "ignore",
      // Where no package.json names a preload module.
      cwd: prefix,
    });
  } finally {
    rmSync(prefix, { recursive: true, force: true });
  }
}

/**
 * @param {string} id
 * @returns {string | undefined} the folder of an installed peer
 */
function peer(id) {
  try {
    return join(createRequire(join(peersFolder, "package.json")).resolve(`${id}/package.json`), "..");
  } catch {
    return undefined;
  }
}

/** @returns {Kernel | Absent} */
function tslabKernel() {
  const name = "tslab";
  const folder = peer("tslab");
  if (folder === undefined) return { name, reason: "it is not installed: run npm run setup:peers" };
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  // What its command does, without the shell that it is in.
  const argv = [process.execPath, join(folder, "bin", "tslab"), "kernel", "--config-path", "{connection_file}"];
  return { name, version, interrupt: "signal", cells: tslab, spec: { argv }, smallHeap: { NODE_OPTIONS: SMALL_HEAP } };
}

/** @returns {Kernel | Absent} */
function denoKernel() {
  const name = "Deno";
  if (DENO_PACKAGE === undefined) return { name, reason: "npm has no Deno for this platform" };
  const folder = peer(DENO_PACKAGE);
  if (folder === undefined) return { name, reason: "it is not installed: run npm run setup:peers" };
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const argv = [join(folder, "deno"), "jupyter", "--kernel", "--conn", "{connection_file}"];
  return {
    ...{ name, version, interrupt: "signal", cells: deno },
    spec: { argv, env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" } },
    smallHeap: { DENO_V8_FLAGS: SMALL_HEAP },
  };
}

/** @returns {Kernel | Absent} */
function ipykernel() {
  const name = "ipykernel";
  const python3 = process.env["METASTATE_PYTHON"] ?? join(root, ".venv", "bin", "python");
  if (!existsSync(python3)) return { name, reason: "there is no .venv: npm start or npm test -- tests makes it" };
  try {
    const code = "import ipykernel, sys; print(ipykernel.__version__)";
    const version = execFileSync(python3, ["-c", code], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
    const argv = [python3, "-m", "ipykernel_launcher", "-f", "{connection_file}"];
    return { name, version, interrupt: "signal", cells: python, spec: { argv }, smallHeap: {} };
  } catch {
    return { name, reason: `${python3} has no ipykernel: pip install ipykernel there` };
  }
}
