// @ts-check
// The Python environment that JupyterLab lives in: the active one when it has all that is needed, else .venv here.

import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { requirements, venv } from "./checkout.mjs";
import { ask, Log, run } from "./command.mjs";
import { Failure } from "./failure.mjs";

/** The oldest Python that the pinned packages run on. */
const OLDEST = [3, 10];

/** The oldest JupyterLab whose extensions the kernel's is one of; what a bare conda base brings may be older. */
const OLDEST_LAB = 4;

/** Newest first is not wanted: what the person calls python3 comes before what else lies about. */
const CANDIDATES = ["python3", "python", "python3.13", "python3.12", "python3.11", "python3.10"];

/** The labextension inside the plotly package that draws the figures; older plotly packages have none. */
const RENDERER = join("share", "jupyter", "labextensions", "jupyterlab-plotly");

/** The labextension that draws widgets; the ipywidgets package brings it. */
const WIDGETS = join("share", "jupyter", "labextensions", "@jupyter-widgets", "jupyterlab-manager");

/**
 * @typedef {object} PythonEnvironment
 * @property {string} prefix its folder
 * @property {string} python its interpreter
 */

/**
 * Finds or makes the Python environment.
 *
 * @param {import("./progress.mjs").Progress} progress
 * @param {{forTests?: boolean}} [options] tests need the conformance suite as well
 * @returns {Promise<PythonEnvironment>}
 */
export function pythonEnvironment(progress, { forTests = false } = {}) {
  return progress.step("Python environment", async (step) => {
    const active = activePrefix(process.env);
    if (active && !isOurs(active)) {
      step.report(`looking into ${active}`);
      const lacks = await whatItLacks(active, forTests);
      if (lacks.length === 0) {
        step.upToDate(`the active environment ${active} is used`);
        return { prefix: active, python: interpreter(active) };
      }
      progress.note(`  the active environment ${active} lacks ${lacks.join(", ")}: .venv is used instead`);
    }
    return ownEnvironment(step);
  });
}

/**
 * The folder of the virtual or conda environment that is active. A virtual environment lies on top of a conda one.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {string | undefined}
 */
export function activePrefix(env) {
  return env.VIRTUAL_ENV || env.CONDA_PREFIX || undefined;
}

/** @param {string} prefix */
function isOurs(prefix) {
  return existsSync(venv) && existsSync(prefix) && realpathSync(prefix) === realpathSync(venv);
}

/** @param {string} prefix */
function interpreter(prefix) {
  return join(prefix, "bin", "python");
}

/**
 * What an environment would need before it can be used, as a person would name it; empty when nothing is missing.
 *
 * @param {string} prefix
 * @param {boolean} forTests
 * @returns {Promise<string[]>}
 */
export async function whatItLacks(prefix, forTests) {
  const python = interpreter(prefix);
  const packages = ["jupyterlab", "nbclient", "plotly", ...(forTests ? ["jupyter_kernel_test"] : [])];
  const script = [
    "import importlib.metadata as m, importlib.util as u, json, sys",
    "missing = [p for p in sys.argv[1:] if not u.find_spec(p)]",
    "lab = None if 'jupyterlab' in missing else m.version('jupyterlab')",
    "print(json.dumps({'version': sys.version_info[:2], 'missing': missing, 'lab': lab}))",
  ].join("\n");
  const answer = await ask(python, ["-c", script, ...packages]);
  if (answer === undefined) return [`a Python that runs (${python})`];
  const { version, missing, lab } = JSON.parse(answer);
  const lacks = [...missing];
  if (!isRecentPython(version)) lacks.unshift(`Python ${OLDEST.join(".")} or newer`);
  if (lab && Number.parseInt(lab, 10) < OLDEST_LAB) lacks.push(`JupyterLab ${OLDEST_LAB} or newer (it has ${lab})`);
  if (!missing.includes("plotly") && !existsSync(join(prefix, RENDERER))) {
    lacks.push("plotly's renderer for JupyterLab (plotly 6 or newer)");
  }
  if (!existsSync(join(prefix, WIDGETS))) lacks.push("ipywidgets");
  if (!mayWrite(join(prefix, "share", "jupyter", "kernels"))) {
    lacks.push(`permission to write to ${join(prefix, "share", "jupyter")}, where the kernel is registered`);
  }
  return lacks;
}

/**
 * Whether a folder can be written to, or made where it is not there yet.
 *
 * @param {string} folder
 * @returns {boolean}
 */
function mayWrite(folder) {
  if (!existsSync(folder)) return dirname(folder) !== folder && mayWrite(dirname(folder));
  try {
    accessSync(folder, constants.W_OK);
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}

/** @param {readonly number[]} version */
function isRecentPython([major, minor]) {
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/**
 * The environment in the checkout, made or brought up to date where it is not.
 *
 * @param {import("./progress.mjs").Step} step
 * @returns {Promise<PythonEnvironment>}
 */
async function ownEnvironment(step) {
  const environment = { prefix: venv, python: interpreter(venv) };
  const stampFile = join(venv, "metastate-stamp.json");
  const wanted = stamp();
  const found = readStamp(stampFile);
  // A stamp cannot know that the interpreter the environment was made with has been removed since.
  const works = existsSync(environment.python);
  if (works && found?.packages === wanted.packages && found.place === wanted.place) {
    step.upToDate();
    return environment;
  }

  const log = new Log("python");
  // The scripts of an environment hold its absolute path, so one that was moved is made anew.
  const reusable = works && (found === undefined || found.place === wanted.place) && (await hasPip(environment.python));
  if (!reusable) {
    const base = await findPython();
    step.report(`making .venv with ${base}`);
    removeLink(venv);
    await run(base, ["-m", "venv", "--clear", venv], { tool: "python -m venv", step, log });
  }
  rmSync(stampFile, { force: true });
  step.report("installing JupyterLab");
  const args = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", requirements];
  await run(environment.python, args, { tool: "pip", step, log });
  quietenJupyterLab();
  shieldScripts();
  writeFileSync(stampFile, JSON.stringify(wanted));
  return environment;
}

/**
 * Takes a link away, not what it points to: that is another checkout's environment, and `venv --clear` would empty it.
 *
 * @param {string} path
 */
export function removeLink(path) {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(path);
}

function stamp() {
  // The number stands for what set-up itself puts into the environment; it rises when that changes.
  const packages = createHash("sha256").update(readFileSync(requirements)).update("2").digest("hex");
  return { packages, place: venv };
}

/**
 * @param {string} path
 * @returns {{packages?: string, place?: string} | undefined}
 */
function readStamp(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** @param {string} python */
async function hasPip(python) {
  return (await ask(python, ["-m", "pip", "--version"])) !== undefined;
}

/**
 * In our own environment JupyterLab does not ask, on its first start and over the notebook, whether it may fetch news.
 */
function quietenJupyterLab() {
  const folder = join(venv, "share", "jupyter", "lab", "settings");
  mkdirSync(folder, { recursive: true });
  const settings = { "@jupyterlab/apputils-extension:notification": { fetchNews: "false", checkForUpdates: false } };
  writeFileSync(join(folder, "overrides.json"), `${JSON.stringify(settings, null, 2)}\n`);
}

/**
 * JupyterLab runs CommonJS scripts of its own with Node.js. Inside this checkout, whose package.json says that scripts are
 * ES modules, they would fail.
 */
function shieldScripts() {
  writeFileSync(join(venv, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
}

/**
 * A Python that can make the environment.
 *
 * @param {readonly string[]} [candidates]
 * @returns {Promise<string>} the path of its interpreter
 * @throws {Failure} when there is none, telling what to install
 */
export async function findPython(candidates = CANDIDATES) {
  const script = [
    "import importlib.util as u, json, sys",
    "venv = bool(u.find_spec('venv') and u.find_spec('ensurepip'))",
    "print(json.dumps({'path': sys.executable, 'version': sys.version_info[:3], 'venv': venv}))",
  ].join("\n");
  /** @type {string[]} */
  const tooOld = [];
  /** @type {string[]} */
  const withoutVenv = [];
  for (const candidate of candidates) {
    const answer = await ask(candidate, ["-c", script]);
    if (answer === undefined) continue;
    const { path, version, venv: complete } = JSON.parse(answer);
    if (!isRecentPython(version)) tooOld.push(`${path} is Python ${version.join(".")}`);
    else if (complete) return path;
    else withoutVenv.push(`${path} (Python ${version.join(".")}) has no venv module`);
  }
  const needed = `metastate needs Python ${OLDEST.join(".")} or newer`;
  if (withoutVenv.length) {
    throw new Failure(
      withoutVenv.join("; "),
      "install it (on Debian and Ubuntu: sudo apt install python3-venv), then run the command again",
    );
  }
  const remedy = `install one (on Debian and Ubuntu: sudo apt install python3 python3-venv), then run the command again`;
  if (tooOld.length) throw new Failure(`${needed}, but ${tooOld.join("; ")}`, remedy);
  throw new Failure(`no Python was found; ${needed}`, remedy);
}
