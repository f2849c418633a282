import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { afterEach, beforeEach } from "node:test";
import { configuredPreloads, installKernelspec } from "./kernelspec.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "metastate-kernelspec-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

interface Spec {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly interrupt_mode: string;
  readonly language: string;
}

test("the spec starts this kernel with this Node, and installing again replaces it", () => {
  const preload = join(folder, "preload.js");
  writeFileSync(preload, "");
  const target = { kind: "prefix", prefix: folder } as const;
  installKernelspec({ target, preloads: [], name: "metastate" });
  const at = installKernelspec({ target, preloads: [preload], name: "metastate" });
  assert.equal(at, join(folder, "share", "jupyter", "kernels", "metastate"));
  assert.deepEqual(readdirSync(join(at, "..")), ["metastate"]);
  const spec = JSON.parse(readFileSync(join(at, "kernel.json"), "utf8")) as Spec;
  assert.equal(spec.argv[0], process.execPath);
  assert.deepEqual(spec.argv.slice(2), ["run", "{connection_file}", "--preload", preload]);
  assert.equal(spec.interrupt_mode, "message");
  assert.equal(spec.language, "typescript");
});

test("the extension of JupyterLab for live figures lies beside the spec, which says so", () => {
  const at = installKernelspec({ target: { kind: "prefix", prefix: folder }, preloads: [], name: "metastate" });
  const spec = JSON.parse(readFileSync(join(at, "kernel.json"), "utf8")) as Spec;
  assert.equal(spec.env["METASTATE_LIVE_FIGURES"], "1");
  const extension = join(folder, "share", "jupyter", "labextensions", "metastate-live-figures");
  const { name, jupyterlab } = JSON.parse(readFileSync(join(extension, "package.json"), "utf8")) as {
    name: string;
    jupyterlab: { _build: { load: string } };
  };
  // JupyterLab asks for the extension's files under its name, and knows its container by it.
  assert.equal(name, "metastate-live-figures");
  assert.match(
    readFileSync(join(extension, jupyterlab._build.load), "utf8"),
    /containers\["metastate-live-figures"\] =/,
  );
});

test("a user's spec goes where their Jupyter looks", (t) => {
  const { JUPYTER_DATA_DIR } = process.env;
  t.after(() => {
    if (JUPYTER_DATA_DIR === undefined) delete process.env["JUPYTER_DATA_DIR"];
    else process.env["JUPYTER_DATA_DIR"] = JUPYTER_DATA_DIR;
  });
  process.env["JUPYTER_DATA_DIR"] = join(folder, "data");
  const at = installKernelspec({ target: { kind: "user" }, preloads: [], name: "other" });
  assert.equal(at, join(folder, "data", "kernels", "other"));
});

test("what cannot be installed says why", () => {
  const target = { kind: "prefix", prefix: folder } as const;
  assert.throws(() => installKernelspec({ target, preloads: [], name: "a name" }), /cannot be named "a name"/);
  assert.throws(
    () => installKernelspec({ target, preloads: ["/no/such.js"], name: "x" }),
    /does not exist: build it first/,
  );
  writeFileSync(join(folder, "share"), "a file in the way");
  assert.throws(
    () => installKernelspec({ target, preloads: [], name: "x" }),
    /Cannot write the kernelspec to .*(ENOTDIR|EEXIST)/,
  );
});

test("preloads are read from the nearest package.json that names them", () => {
  mkdirSync(join(folder, "deep", "er"), { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ "metastate-kernel": { preload: "./p.js" } }));
  writeFileSync(join(folder, "deep", "package.json"), JSON.stringify({ name: "says nothing of it" }));
  assert.deepEqual(configuredPreloads(join(folder, "deep", "er")), [join(folder, "p.js")]);
  assert.deepEqual(configuredPreloads("/"), []);
});
