// @ts-check
// JupyterLab, opened at notebooks/, watched, and stopped cleanly.

import { spawn } from "node:child_process";
import { delimiter, relative } from "node:path";
import { jupyterConfig, notebooks, root } from "./checkout.mjs";
import { Log } from "./command.mjs";
import { jupyterSurroundings } from "./kernelspec.mjs";
import { explain } from "./known-failures.mjs";

/** How long JupyterLab may take to shut its kernels down before it is ended by force, in milliseconds. */
const PATIENCE = 15_000;

/** What a person wants to see of JupyterLab's own log once it runs. */
const WORTH_SHOWING = /^\[E /;

/**
 * Runs JupyterLab until it ends or is told to.
 *
 * @param {import("./progress.mjs").Progress} progress
 * @param {import("./python.mjs").PythonEnvironment} environment
 * @param {{browser: boolean, port: number | undefined}} options
 * @returns {Promise<number>} the exit status for this process
 * @throws {import("./failure.mjs").Failure} when it does not start, or ends by itself with an error
 */
export async function openJupyterLab(progress, environment, { browser, port }) {
  const canShow = browser && hasDisplay(process.env);
  // The root is the checkout, since tutorials link to docs/; what opens is the folder of the tutorials.
  const opensAt = `/lab/tree/${relative(root, notebooks)}`;
  const args = ["-m", "jupyterlab", `--ServerApp.root_dir=${root}`, `--LabApp.default_url=${opensAt}`];
  if (!canShow) args.push("--no-browser");
  // A port that was asked for is that port or nothing; otherwise the next free one will do.
  if (port !== undefined) args.push(`--port=${port}`, "--ServerApp.port_retries=0");
  // In a container one is root and Jupyter would refuse.
  if (process.getuid?.() === 0) args.push("--allow-root");

  const log = new Log("jupyterlab");
  log.append(`$ ${[environment.python, ...args].join(" ")}\n`);
  // In a process group of its own, so that Ctrl-C reaches it through us alone: once, and without its question.
  const child = spawn(environment.python, args, {
    cwd: root,
    env: withConfig(jupyterSurroundings()),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  /** @type {(line: string) => void} */
  let onLine = () => {};
  let partial = "";
  /** @param {string} text */
  const take = (text) => {
    log.append(text);
    output = (output + text).slice(-100_000);
    const lines = (partial + text).split("\n");
    partial = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  };
  child.stdout.setEncoding("utf8").on("data", take);
  child.stderr.setEncoding("utf8").on("data", take);

  let stopping = false;
  /** @type {NodeJS.Timeout | undefined} */
  let force;
  const stop = () => {
    if (stopping) return;
    stopping = true;
    progress.note("\n• JupyterLab … stopping");
    child.kill("SIGTERM");
    force = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
  };
  const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
  for (const signal of signals) process.on(signal, stop);

  /** @type {Promise<void>} */
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (stopping || code === 0) resolve();
      else reject(explain({ tool: "JupyterLab", output, code, signal, log: log.path }));
    });
  });

  try {
    const address = await progress.step("JupyterLab", async (step) => {
      /** @type {Promise<string>} */
      const ready = new Promise((resolve) => {
        onLine = (line) => {
          step.report(line);
          const match = /ServerApp\] (https?:\/\/\S+)/.exec(line);
          if (match) resolve(match[1]);
        };
      });
      return await Promise.race([ready, ended.then(() => undefined)]);
    });
    if (address !== undefined) {
      onLine = (line) => {
        if (WORTH_SHOWING.test(line)) progress.note(line);
      };
      progress.note(`  ${address}`);
      if (browser && !canShow) progress.note("  There is no display here: open that address in a browser.");
      progress.note("  Ctrl-C stops it.");
    }
    await ended;
    progress.note("• JupyterLab … stopped");
    return 0;
  } finally {
    clearTimeout(force);
    for (const signal of signals) process.off(signal, stop);
  }
}

/**
 * Surroundings in which JupyterLab has our defaults beside the user's own configuration; settings that the user has made stay.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
function withConfig(env) {
  const folders = [env.JUPYTER_CONFIG_PATH, jupyterConfig].filter(Boolean);
  return { ...env, JUPYTER_CONFIG_PATH: folders.join(delimiter) };
}

/**
 * Whether a browser window could be seen. Without this check Jupyter opens a text browser in the terminal, over ssh too.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {NodeJS.Platform} [platform]
 * @returns {boolean}
 */
function hasDisplay(env, platform = process.platform) {
  if (platform !== "linux") return true;
  return Boolean(env.DISPLAY || env.WAYLAND_DISPLAY || env.WSL_DISTRO_NAME || env.BROWSER);
}
