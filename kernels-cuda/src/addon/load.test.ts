import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { native, needsNative } from "../testing/native.js";
import { addonStatus, explainLoadError, load } from "./load.js";

/** A build folder of a test's own. */
function buildFolder(t: test.TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "metastate-native-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function refusal(environment: NodeJS.ProcessEnv, folder?: string): { reason: string; remedy: string } {
  const result = load(environment, folder);
  assert.ok("reason" in result);
  return result;
}

test("the addon is loaded with all cores and the fastest instruction set", needsNative, () => {
  native();
  const status = addonStatus();
  assert.ok(status.loaded);
  assert.ok(status.simdAvailable.includes(status.simd));
  assert.ok(status.threads >= 1);
});

test("METASTATE_NATIVE=0 leaves it alone", () => {
  assert.match(refusal({ METASTATE_NATIVE: "0" }).reason, /switched off by METASTATE_NATIVE=0/);
});

test("an addon that is not built is told with the command", (t) => {
  const { reason, remedy } = refusal({}, buildFolder(t));
  assert.match(reason, /^the native addon is not built/);
  assert.equal(remedy, "run npm run build:native");
});

test("an addon that could not be built is told with the build's own reason", (t) => {
  const folder = buildFolder(t);
  const attempt = { built: false, reason: "no C++ compiler was found", remedy: "install one" };
  writeFileSync(join(folder, "last-attempt.json"), JSON.stringify(attempt));
  assert.deepEqual(refusal({}, folder), {
    reason: "the native addon is not built: no C++ compiler was found",
    remedy: "install one",
  });
});

test("an addon of another platform is told before it is loaded", (t) => {
  const folder = buildFolder(t);
  mkdirSync(join(folder, "Release"));
  writeFileSync(join(folder, "Release", "metastate_native.node"), "no addon");
  writeFileSync(join(folder, "Release", "build-info.json"), JSON.stringify({ platform: "sunos", arch: "sparc" }));
  assert.match(refusal({}, folder).reason, /was built for sunos-sparc, and this Node is /);
});

test("a damaged addon is told, and nothing crashes", (t) => {
  const folder = buildFolder(t);
  mkdirSync(join(folder, "Release"));
  writeFileSync(join(folder, "Release", "metastate_native.node"), "no addon");
  const { reason, remedy } = refusal({}, folder);
  assert.match(reason, /native addon/);
  assert.match(remedy, /npm run build:native/);
});

test("threads and instruction sets of the environment are checked", needsNative, () => {
  native();
  const addon = addonStatus();
  assert.ok(addon.loaded);
  const refused = (asked: NodeJS.ProcessEnv) => refusal({ METASTATE_NATIVE_ADDON: addon.path, ...asked });
  assert.match(refused({ METASTATE_THREADS: "many" }).reason, /METASTATE_THREADS is "many"/);
  assert.match(refused({ METASTATE_THREADS: "0" }).remedy, /integer from 1 to 1024/);
  assert.match(refused({ METASTATE_SIMD: "mmx" }).remedy, /give one of /);
});

const compiler = [process.env["CXX"], "c++", "g++", "clang++"].find(
  (name) => name && spawnSync(name, ["--version"]).status === 0,
);
const needsCompiler = needsNative.skip ? needsNative : { skip: compiler === undefined && "no C++ compiler" };

test(
  "a BLAS library that multiplies wrongly on this CPU is refused, and the one before goes on",
  needsCompiler,
  (t) => {
    const folder = buildFolder(t);
    const [source, library] = [join(folder, "blas.cpp"), join(folder, "blas.so")];
    writeFileSync(
      source,
      `extern "C" void cblas_sgemm() {}
    extern "C" const char* openblas_get_config() { return "BLAS of nothing"; }`,
    );
    const { status, stderr } = spawnSync(compiler!, ["-shared", "-fPIC", "-o", library, source], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const { blas } = native().info();
    assert.throws(() => native().loadBlas(library), /^Error: multiplies wrongly on this CPU \(BLAS of nothing\)$/);
    assert.equal(native().info().blas, blas);
  },
);

test("the environment sets threads and instruction set", needsNative, () => {
  const slowest = native().info().simdAvailable[0]!;
  const script = `import(${JSON.stringify(import.meta.resolve("./load.js"))}).then((m) => console.log(JSON.stringify(m.addonStatus())))`;
  const { stdout } = spawnSync(process.execPath, ["-e", script], {
    encoding: "utf8",
    env: { ...process.env, METASTATE_THREADS: "3", METASTATE_SIMD: slowest },
  });
  const status = JSON.parse(stdout) as { threads: number; simd: string };
  assert.equal(status.threads, 3);
  assert.equal(status.simd, slowest);
});

test("the linker's messages are put in words", () => {
  const told = (message: string) => explainLoadError(message).reason;
  assert.match(told("/x.node: wrong ELF class: ELFCLASS32"), /not for this machine/);
  assert.match(told("/lib/libstdc++.so.6: version `GLIBCXX_3.4.32' not found"), /newer system libraries/);
  assert.match(told("libfoo.so: cannot open shared object file: No such file"), /library the native addon needs/);
  assert.match(told("/x.node: undefined symbol: napi_create_function"), /another Node/);
  assert.match(told("something new"), /does not load: something new/);
});
