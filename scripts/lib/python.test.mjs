// @ts-check
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { activePrefix, findPython, removeLink, whatItLacks } from "./python.mjs";

/**
 * A program that answers as a Python would.
 *
 * @param {import("node:test").TestContext} t
 * @param {unknown} answer
 * @returns {{prefix: string, python: string}}
 */
function pretendPython(t, answer) {
  const prefix = mkdtempSync(join(tmpdir(), "metastate-python-"));
  t.after(() => rmSync(prefix, { recursive: true }));
  mkdirSync(join(prefix, "bin"));
  const python = join(prefix, "bin", "python");
  writeFileSync(python, `#!/bin/sh\necho '${JSON.stringify(answer)}'\n`);
  chmodSync(python, 0o755);
  return { prefix, python };
}

test("no Python at all: says what is needed and how to get it", async () => {
  await assert.rejects(findPython(["no-such-python-a", "no-such-python-b"]), {
    reason: "no Python was found; metastate needs Python 3.10 or newer",
    remedy: /apt install python3/,
  });
});

test("a Python that is too old is named, with its version", async (t) => {
  const { python } = pretendPython(t, { path: "/usr/bin/python3", version: [3, 8, 10], venv: true });
  await assert.rejects(findPython([python]), { reason: /3\.10 or newer, but \/usr\/bin\/python3 is Python 3\.8\.10/ });
});

test("a Python without venv is passed over for one that has it, and named when there is none", async (t) => {
  const bare = pretendPython(t, { path: "/usr/bin/python3", version: [3, 12, 3], venv: false });
  const whole = pretendPython(t, { path: "/opt/python", version: [3, 11, 0], venv: true });
  assert.equal(await findPython([bare.python, whole.python]), "/opt/python");
  await assert.rejects(findPython([bare.python]), { reason: /has no venv module/, remedy: /python3-venv/ });
});

test("a virtual environment lies on top of a conda one", () => {
  assert.equal(activePrefix({ VIRTUAL_ENV: "/a", CONDA_PREFIX: "/b" }), "/a");
  assert.equal(activePrefix({ CONDA_PREFIX: "/b" }), "/b");
  assert.equal(activePrefix({}), undefined);
});

test("what an active environment lacks is named", async (t) => {
  const { prefix } = pretendPython(t, { version: [3, 9], missing: ["nbclient"] });
  assert.deepEqual(await whatItLacks(prefix, false), [
    "Python 3.10 or newer",
    "nbclient",
    "plotly's renderer for JupyterLab (plotly 6 or newer)",
    "ipywidgets",
  ]);
  assert.deepEqual(await whatItLacks(wholeEnvironment(t), true), []);
});

/**
 * An environment that has everything.
 *
 * @param {import("node:test").TestContext} t
 * @param {string} lab the version of its JupyterLab
 */
function wholeEnvironment(t, lab = "4.4.0") {
  const { prefix } = pretendPython(t, { version: [3, 13], missing: [], lab });
  for (const extension of ["jupyterlab-plotly", "@jupyter-widgets/jupyterlab-manager"]) {
    mkdirSync(join(prefix, "share/jupyter/labextensions", extension), { recursive: true });
  }
  return prefix;
}

test("an active environment with an old JupyterLab, as a conda base may have it, is passed over", async (t) => {
  assert.deepEqual(await whatItLacks(wholeEnvironment(t, "3.6.7"), false), ["JupyterLab 4 or newer (it has 3.6.7)"]);
  assert.deepEqual(await whatItLacks(wholeEnvironment(t, "10.0.0a1"), false), []);
});

test("an active environment that belongs to somebody else is passed over", async (t) => {
  const prefix = wholeEnvironment(t);
  // A file in its place refuses root too.
  writeFileSync(join(prefix, "share/jupyter/kernels"), "");
  assert.deepEqual(await whatItLacks(prefix, false), [
    `permission to write to ${join(prefix, "share/jupyter")}, where the kernel is registered`,
  ]);
});

test("an active environment that is gone is said to be", async () => {
  assert.deepEqual(await whatItLacks("/nowhere", false), ["a Python that runs (/nowhere/bin/python)"]);
});

test("a .venv that is a link to another environment is taken away, and that environment is left alone", (t) => {
  const { prefix } = pretendPython(t, {});
  const link = join(prefix, "link");
  symlinkSync(join(prefix, "bin"), link);
  removeLink(link);
  assert.ok(!existsSync(link));
  removeLink(join(prefix, "bin"));
  removeLink(join(prefix, "nothing"));
  assert.deepEqual(readdirSync(join(prefix, "bin")), ["python"]);
});
