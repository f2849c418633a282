// @ts-check
// The CUDA sources compile, where there is a compiler; how it is found and called, and what is told where there is none.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import test from "node:test";
import { buildNative } from "./build-native.mjs";
import { cudaFlags, findCudaToolkit, ownArchitectures, ownGpus } from "./lib/cuda-toolkit.mjs";
import { fingerprint } from "./lib/native/place.mjs";

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

test("machine code for every architecture from Ampere to Blackwell, and PTX of the oldest for those to come", () => {
  const flags = cudaFlags("", "13.0").filter((flag) => flag.startsWith("-gencode"));
  assert.deepEqual(flags, [
    ...["80", "86", "89", "90", "100", "120"].map((arch) => `-gencode=arch=compute_${arch},code=sm_${arch}`),
    "-gencode=arch=compute_80,code=compute_80",
  ]);
});

test("architectures that a CUDA does not know are left out", () => {
  assert.ok(!cudaFlags("", "12.4").some((flag) => /_1[02]0/.test(flag)));
  assert.ok(cudaFlags("", "13.0").includes("-gencode=arch=compute_120,code=sm_120"));
  assert.deepEqual(
    cudaFlags("90", "13.0").filter((flag) => flag.startsWith("-gencode")),
    ["-gencode=arch=compute_90,code=sm_90", "-gencode=arch=compute_90,code=compute_90"],
  );
});

test("of a machine's own GPUs only what runs on them is built, and everything where one is not known", () => {
  const of = (/** @type {string[]} */ ...capabilities) => ownArchitectures({ capabilities }, "13.0");
  assert.equal(of("9.0"), "90");
  assert.equal(of("8.9", "8.0", "8.9"), "80,89");
  assert.equal(of("8.7"), "86", "code for 8.6 runs on 8.7");
  assert.equal(of("12.1", "10.3"), "100,120");
  assert.equal(of("11.0"), "", "a generation that there is no code for takes PTX");
  assert.equal(of(), "");
  assert.equal(ownArchitectures({ capabilities: ["12.0"] }, "12.4"), "", "this CUDA does not know it");
  assert.deepEqual(
    cudaFlags("80,89", "13.0").filter((flag) => flag.startsWith("-gencode")),
    ["80,code=sm_80", "89,code=sm_89", "80,code=compute_80"].map((code) => `-gencode=arch=compute_${code}`),
  );
});

/**
 * A folder laid out as a toolkit, whose nvcc does what a shell script says.
 *
 * @param {test.TestContext} t
 * @param {string} script
 * @param {{isWhole?: boolean}} [options] `isWhole`: with the runtime's header and library
 */
function toolkitFolder(t, script, { isWhole = true } = {}) {
  const home = mkdtempSync(join(tmpdir(), "metastate-toolkit-"));
  t.after(() => rmSync(home, { recursive: true }));
  for (const folder of ["bin", "include", "lib"]) mkdirSync(join(home, folder));
  writeFileSync(join(home, "bin", "nvcc"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  if (isWhole) {
    writeFileSync(join(home, "include", "cuda_runtime.h"), "");
    writeFileSync(join(home, "lib", "libcudart_static.a"), "");
  }
  return home;
}

/** @param {string} home */
const foundBy = (home) => findCudaToolkit({ venv: "/nowhere", env: { CUDA_HOME: home } });

const release = (/** @type {string} */ version) => `echo "Cuda compilation tools, release ${version}, V${version}.20"`;

test("a toolkit is found with its version, headers and runtime", (t) => {
  const home = toolkitFolder(t, release("13.0"));
  const wanted = {
    nvcc: join(home, "bin", "nvcc"),
    version: "13.0",
    includes: [join(home, "include")],
    cudart: join(home, "lib", "libcudart_static.a"),
  };
  assert.deepEqual(foundBy(home), wanted);
  assert.deepEqual(findCudaToolkit({ venv: "/nowhere", env: { PATH: join(home, "bin") } }), wanted);
});

test("a compiler that is too old, not whole, or does not run is told with the remedy", (t) => {
  const cases = /** @type {const} */ ([
    [toolkitFolder(t, release("12.2")), /nvcc is of CUDA 12\.2; 12\.4 or newer is needed/],
    [toolkitFolder(t, release("13.0"), { isWhole: false }), /not the CUDA runtime's headers and static library/],
    [toolkitFolder(t, "exit 1"), /nvcc does not run/],
  ]);
  for (const [home, reason] of cases) {
    const found = foundBy(home);
    assert.ok("reason" in found && found.broken);
    assert.match(found.reason, reason);
    assert.equal(found.remedy, "install the whole toolkit, or name another by CUDA_HOME");
  }
});

test("a driver that is too old for the CUDA is told before anything is built; for other machines it is no matter", async (t) => {
  const home = toolkitFolder(t, release("13.0"));
  const bin = join(home, "bin");
  const program = (/** @type {string} */ name, /** @type {string} */ script) =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  program("g++", "exit 1");
  program("nvidia-smi", "echo 550.54.15, 8.9\necho 550.54.15, 9.0");
  const env = { PATH: bin };
  assert.deepEqual(ownGpus(env), { driver: "550.54.15", capabilities: ["8.9", "9.0"] });
  const build = (/** @type {import("./build-native.mjs").BuildOptions} */ options) =>
    buildNative({ target: "cuda", folder: join(home, "build"), venv: "/nowhere", env, ...options });
  const own = await build({ arch: "own" });
  assert.deepEqual(own, {
    built: false,
    reason: "what CUDA 13.0 builds needs NVIDIA's driver 580 or newer, and this machine has 550.54.15",
    remedy:
      "update the driver, or name a toolkit of CUDA 12 (12.4 or newer) by CUDA_HOME, then run npm run build:native -- --cuda",
  });
  for (const options of [{ arch: "90" }, { arch: "own", env: { ...env, CUDA_HOME: home } }]) {
    const result = await build(options);
    assert.ok(!result.built && !/driver/.test(result.reason), JSON.stringify(result));
  }
  program("nvidia-smi", "echo 580.95.05, 9.0");
  const newer = await build({ arch: "own" });
  assert.ok(!newer.built && !/driver/.test(newer.reason), JSON.stringify(newer));
  program("nvidia-smi", "echo 'NVIDIA-SMI has failed' >&2; exit 9");
  assert.deepEqual(ownGpus(env), { driver: undefined, capabilities: [] });
});

test("a CUDA_HOME without a compiler is told", () => {
  const found = foundBy("/nowhere");
  assert.ok("reason" in found && found.broken);
  assert.match(found.reason, /CUDA_HOME is "\/nowhere", and has no bin\/nvcc/);
});

test(
  "no compiler anywhere is told with what installs one",
  { skip: existsSync("/usr/local/cuda/bin/nvcc") ? "there is one in /usr/local/cuda" : false },
  () => {
    const found = findCudaToolkit({ venv: "/nowhere", env: { PATH: "/nowhere" } });
    assert.ok("reason" in found && !found.broken);
    assert.equal(found.reason, "no CUDA compiler (nvcc) was found");
    assert.match(found.remedy, /^install the CUDA toolkit, or .*npm start, then run npm run build:native -- --cuda$/);
  },
);

/** @param {string} home @param {string[]} args */
const compileCuda = (home, ...args) =>
  spawnSync(process.execPath, [join(root, "scripts", "compile-cuda.mjs"), ...args], {
    env: { ...process.env, CUDA_HOME: home },
    encoding: "utf8",
  });

test("compile-cuda gives nvcc the architecture and the folders of headers, and tells what compiles", (t) => {
  const home = toolkitFolder(
    t,
    `[ "$1" = --version ] && ${release("13.0")} && exit\necho "$@" >&2\ncase "$*" in *bad.cu) exit 1;; esac`,
  );
  const { status, stdout, stderr } = compileCuda(home, "--arch", "86", "--usage", "good.cu", "bad.cu");
  assert.equal(status, 1);
  for (const flag of ["-arch=sm_86", "-Xptxas -v", `-I${cuda} `, `-I${join(home, "include")}`]) {
    assert.ok(stderr.includes(flag), `${flag} is not in ${stderr}`);
  }
  assert.equal(stdout, "compiles: good.cu\ndoes not compile: bad.cu\n");
});

test("a kernel that takes more than a launch can have does not pass for compiled", (t) => {
  const said = (/** @type {string} */ name, /** @type {string} */ used) =>
    `ptxas info    : Compiling entry function '${name}' for 'sm_90'\n    0 bytes stack frame, 16 bytes spill stores, 16 bytes spill loads\nptxas info    : Used ${used}`;
  const ptx = [
    ".extern .shared .align 128 .b8 _ZN1k5bytesE[];",
    ".visible .entry many(\n)\n.maxntid 32, 16, 1\n{\n\tret;\n}",
    ".visible .entry unbound(\n)\n{\n\tret;\n}",
    ".visible .entry both(\n)\n.maxntid 128\n{\n\tmov.u64 %rd1, _ZN1k5bytesE;\n}",
    ".visible .entry alone(\n)\n.maxntid 128\n{\n\tret;\n}",
    "",
  ].join("\n");
  const home = toolkitFolder(
    t,
    `[ "$1" = --version ] && ${release("13.0")} && exit
while [ "$1" != --keep-dir ]; do shift; done
cat >"$2/x.ptx" <<'PTX'
${ptx}
PTX
cat >&2 <<'SAID'
${said("many", "129 registers, used 1 barriers")}
${said("unbound", "255 registers")}
${said("both", "40 registers, used 1 barriers, 16388 bytes smem")}
${said("alone", "40 registers, used 1 barriers, 43008 bytes smem")}
SAID`,
  );
  const { status, stdout, stderr } = compileCuda(home, "--usage", "x.cu");
  assert.equal(status, 1);
  assert.equal(
    stderr,
    "many: 512 threads want 69632 registers; there are 65536\n" +
      "both: it declares 16388 bytes of shared memory; 16384 are allowed beside those of its launch\n",
  );
  assert.equal(
    stdout,
    "  255 registers, 256 threads, 0 bytes of shared memory, 16 bytes spilled: unbound\n" +
      "  40 registers, 128 threads, 43008 bytes of shared memory, 16 bytes spilled: alone\n" +
      "does not compile: x.cu\n",
  );
});

test("compile-cuda without nvcc ends with the reason and the remedy", () => {
  const { status, stderr } = compileCuda("/nowhere");
  assert.equal(status, 2);
  assert.equal(stderr, 'CUDA_HOME is "/nowhere", and has no bin/nvcc\ncorrect CUDA_HOME or unset it\n');
});

test("a CUDA addon is built anew for another architecture, CUDA or compiler, not for another Node.js", (t) => {
  const env = { PATH: "" };
  const compiler = { command: process.execPath, path: process.execPath, name: "node" };
  const key = (/** @type {string[]} */ ...options) => fingerprint(compiler, options, { target: "cuda", env });
  const built = key("", "90", "13.0", "/a/nvcc");
  const { version } = process;
  t.after(() => Object.defineProperty(process, "version", { value: version }));
  Object.defineProperty(process, "version", { value: "v99.0.0" });
  assert.equal(key("", "90", "13.0", "/a/nvcc"), built);
  for (const other of [
    key("", "", "13.0", "/a/nvcc"),
    key("", "90", "12.9", "/a/nvcc"),
    key("", "90", "13.0", "/b/nvcc"),
    key("address", "90", "13.0", "/a/nvcc"),
    fingerprint(compiler, ["", "90", "13.0", "/a/nvcc"], { target: "cuda-emulated", env }),
    fingerprint(compiler, ["", "90", "13.0", "/a/nvcc"], { target: "cuda", env: { CXXFLAGS: "-g" } }),
  ]) {
    assert.notEqual(other, built);
  }
});
