#!/usr/bin/env node
// @ts-check
// npm run setup:tensorflow [-- --gpu] [--force]: TensorFlow as a third engine, for METASTATE_BACKEND=tensorflow.
//
// The npm packages @tensorflow/tfjs-node and tfjs-node-gpu download a TensorFlow of years ago when they are installed. Here
// the package comes without its download, TensorFlow from a Python wheel, and the package's binding is compiled against
// that. All of it lies in .metastate/tensorflow. Repeated, it does nothing.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { notes, root, venv } from "./lib/checkout.mjs";
import { ask, Log, run } from "./lib/command.mjs";
import { commandLine } from "./lib/command-line.mjs";
import { Failure } from "./lib/failure.mjs";
import { findCompiler } from "./lib/native/compiler.mjs";
import { npmCommand } from "./lib/npm.mjs";
import { Progress } from "./lib/progress.mjs";
import { activePrefix, findPython } from "./lib/python.mjs";

/** The newest that the binding was tried with. */
const TENSORFLOW = "2.21.0";
const TFJS = "4.22.0";
const AGAIN = "npm run setup:tensorflow";

const folder = join(notes, "tensorflow");
const own = join(folder, "python");
const infoFile = join(folder, "setup.json");
const bindingFile = join(folder, "tfjs_binding.node");

/**
 * A TensorFlow for Python: what is needed of it are the C API's headers and its two libraries.
 *
 * @typedef {object} TensorFlow
 * @property {string} folder of the Python package
 * @property {string} version
 */

/** What a program that links TensorFlow needs of it. */
const needed = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2", join("include", "tensorflow", "c", "c_api.h")];

/** @param {string} path */
function isTensorFlow(path) {
  return needed.every((file) => existsSync(join(path, file)));
}

/**
 * The npm package alone: what it depends on besides tfjs-core is for parts that are not used. What it takes for tfjs is
 * this checkout's tfjs-core, or there would be two of it in one process.
 *
 * @param {string} name
 * @param {import("./lib/progress.mjs").Step} step
 */
async function installPackage(name, step) {
  const installed = join(folder, "node_modules", name, "package.json");
  if (existsSync(installed) && JSON.parse(readFileSync(installed, "utf8")).version === TFJS) return step.upToDate();
  const core = join(folder, "tfjs");
  mkdirSync(core, { recursive: true });
  writeJson(join(core, "package.json"), { name: "@tensorflow/tfjs", version: TFJS, main: "index.js" });
  writeFileSync(join(core, "index.js"), 'module.exports = require("@tensorflow/tfjs-core");\n');
  writeJson(join(folder, "package.json"), {
    private: true,
    description: "TensorFlow as an engine; made by npm run setup:tensorflow",
    dependencies: { [name]: TFJS, "@tensorflow/tfjs": "file:tfjs" },
    overrides: { "@tensorflow/tfjs": "file:tfjs" },
  });
  rmSync(join(folder, "package-lock.json"), { force: true });
  step.report(`npm install ${name}@${TFJS}`);
  const [command, ...first] = npmCommand();
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--workspaces=false"];
  const log = new Log("tensorflow-npm");
  await run(command, [...first, "install", ...options], { tool: "npm", step, log, cwd: folder });
}

/**
 * TensorFlow of the Python environment, or a wheel of its own.
 *
 * @param {boolean} gpu
 * @param {import("./lib/progress.mjs").Step} step
 * @returns {Promise<TensorFlow>}
 */
async function tensorflow(gpu, step) {
  const asked = process.env["METASTATE_TENSORFLOW"];
  if (asked) {
    if (!isTensorFlow(asked)) {
      throw new Failure(
        `METASTATE_TENSORFLOW is "${asked}", which has no ${needed.find((file) => !existsSync(join(asked, file)))}`,
        "name the folder `tensorflow` of a Python environment's site-packages, or unset it",
      );
    }
    step.upToDate(asked);
    return { folder: asked, version: versionBeside(asked) };
  }
  const prefixes = [...new Set([activePrefix(process.env), venv])].filter((prefix) => prefix !== undefined);
  for (const prefix of prefixes) {
    const found = await tensorflowOf(join(prefix, "bin", "python"));
    if (!found) continue;
    step.upToDate(`TensorFlow ${found.version} of ${prefix} is used`);
    return found;
  }
  const wheel = gpu || process.arch !== "x64" ? "tensorflow" : "tensorflow-cpu";
  const target = join(own, "tensorflow");
  const stamp = join(own, `${wheel}-${TENSORFLOW}`);
  if (existsSync(stamp) && isTensorFlow(target)) {
    step.upToDate();
    return { folder: target, version: TENSORFLOW };
  }
  const python = existsSync(join(venv, "bin", "python")) ? join(venv, "bin", "python") : await findPython();
  const log = new Log("tensorflow-pip");
  rmSync(own, { recursive: true, force: true });
  /** @param {string[]} packages */
  const install = (packages) => {
    const options = ["--disable-pip-version-check", "--no-input", "--no-deps", "--no-compile", "--target", own];
    return run(python, ["-m", "pip", "install", ...options, ...packages], { tool: "pip", step, log });
  };
  step.report(`pip install ${wheel} (some hundred MB)`);
  await install([`${wheel}==${TENSORFLOW}`]);
  if (gpu) {
    const libraries = cudaRequirements();
    step.report(`pip install ${libraries.length} packages of NVIDIA's (some GB)`);
    await install(libraries);
  }
  prune(target);
  if (!isTensorFlow(target)) {
    throw new Failure(
      `the wheel ${wheel} ${TENSORFLOW} has no ${needed.find((file) => !existsSync(join(target, file)))}`,
      `name another TensorFlow by METASTATE_TENSORFLOW, then run ${AGAIN}`,
      { log: log.path },
    );
  }
  writeFileSync(stamp, "");
  return { folder: target, version: TENSORFLOW };
}

/**
 * @param {string} python
 * @returns {Promise<TensorFlow | undefined>}
 */
async function tensorflowOf(python) {
  if (!existsSync(python)) return undefined;
  // Without importing it, which takes seconds.
  const script = [
    "import importlib.util as u, json",
    "spec = u.find_spec('tensorflow')",
    "print(json.dumps(list(spec.submodule_search_locations) if spec else []))",
  ].join("\n");
  const places = /** @type {string[]} */ (JSON.parse((await ask(python, ["-c", script])) ?? "[]"));
  const place = places.find(isTensorFlow);
  return place === undefined ? undefined : { folder: place, version: versionBeside(place) };
}

/**
 * The version of a package by the folder that pip leaves beside it.
 *
 * @param {string} place
 */
function versionBeside(place) {
  const names = existsSync(dirname(place)) ? readdirSync(dirname(place)) : [];
  return names.map((name) => /^tensorflow(?:_cpu)?-(.*)\.dist-info$/.exec(name)?.[1]).find(Boolean) ?? "unknown";
}

/** The packages with the CUDA libraries that this TensorFlow was built for, as its wheel names them. */
function cudaRequirements() {
  const info = readdirSync(own).find((name) => /^tensorflow-.*\.dist-info$/.test(name));
  const metadata = info ? readFileSync(join(own, info, "METADATA"), "utf8") : "";
  return metadata
    .split("\n")
    .filter((line) => line.startsWith("Requires-Dist:") && line.includes("and-cuda"))
    .map((line) => line.slice("Requires-Dist:".length).split(";", 1)[0]?.trim() ?? "");
}

/**
 * Takes away what only Python needs.
 *
 * @param {string} target
 */
function prune(target) {
  const kept = new Set(["include", "libtensorflow_cc.so.2", "libtensorflow_framework.so.2"]);
  if (!existsSync(target)) return;
  for (const name of readdirSync(target)) {
    if (!kept.has(name)) rmSync(join(target, name), { recursive: true, force: true });
  }
}

/**
 * Compiles the package's binding against TensorFlow.
 *
 * @param {string} name
 * @param {TensorFlow} found
 * @param {boolean} force
 * @param {import("./lib/progress.mjs").Step} step
 */
async function compileBinding(name, found, force, step) {
  const sources = join(folder, "node_modules", name, "binding");
  const log = (/** @type {string} */ line) => step.report(line);
  const compiler = await findCompiler({ log, folder, venv, env: process.env }).catch(
    (/** @type {Error & {remedy?: string}} */ error) => {
      throw new Failure(error.message, error.remedy ?? "install a C++ compiler");
    },
  );
  const files = readdirSync(sources).sort();
  const hash = createHash("sha256").update(
    JSON.stringify([name, found, compiler, process.arch, process.platform, "1"]),
  );
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(sources, file)));
  const key = hash.digest("hex");
  if (!force && existsSync(bindingFile) && readJson(infoFile)?.key === key) return step.upToDate();

  const headers = createRequire(join(root, "kernels-cuda", "package.json")).resolve("node-api-headers/package.json");
  const [command = "c++", ...flags] = compiler.command.split(/\s+/);
  const libraries = [found.folder, ...cudaFolders(found.folder)];
  const staged = `${bindingFile}.${process.pid}`;
  step.report(`compiling with ${compiler.name}`);
  const args = [
    ...[...flags, "-O2", "-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden", "-DNAPI_VERSION=8", "-w"],
    ...["-I", join(dirname(headers), "include"), "-I", join(found.folder, "include")],
    ...files.filter((file) => file.endsWith(".cc")).map((file) => join(sources, file)),
    ...["-L", found.folder, "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"],
    ...libraries.map((library) => `-Wl,-rpath,${library}`),
    ...["-o", staged],
  ];
  await run(command, args, { tool: compiler.name, step, log: new Log("tensorflow-compiler") });
  renameSync(staged, bindingFile);
  writeJson(infoFile, { key, package: name, tensorflow: found, platform: process.platform, arch: process.arch });
}

/**
 * Where the CUDA libraries of Python wheels lie beside TensorFlow.
 *
 * @param {string} tensorflowFolder
 */
function cudaFolders(tensorflowFolder) {
  const nvidia = join(dirname(tensorflowFolder), "nvidia");
  if (!existsSync(nvidia)) return [];
  return readdirSync(nvidia)
    .map((library) => join(nvidia, library, "lib"))
    .filter((path) => existsSync(path));
}

/**
 * @param {string} path
 * @param {object} value
 */
function writeJson(path, value) {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * @param {string} path
 * @returns {{key?: string} | undefined}
 */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // not there, or half written: the step is done again
  }
}

async function main() {
  const { values } = commandLine(import.meta.filename, {
    gpu: { type: "boolean", default: false },
    force: { type: "boolean", default: false },
  });
  if (process.platform !== "linux") {
    throw new Failure(`the TensorFlow engine is set up on Linux only, and this is ${process.platform}`, "use WSL");
  }
  const { gpu, force } = values;
  const name = `@tensorflow/${gpu ? "tfjs-node-gpu" : "tfjs-node"}`;
  mkdirSync(folder, { recursive: true });
  const progress = new Progress();
  await progress.step(name, (step) => installPackage(name, step));
  const found = await progress.step("TensorFlow", (step) => tensorflow(gpu, step));
  await progress.step("binding", (step) => compileBinding(name, found, force, step));
  progress.note(`METASTATE_BACKEND=tensorflow runs on TensorFlow ${found.version}`);
}

try {
  await main();
} catch (error) {
  if (error instanceof Failure) console.error(`${error.reason}\n${error.remedy}${error.log ? `\n(${error.log})` : ""}`);
  else console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
