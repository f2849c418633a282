/** A JupyterLab of the test's own: on a folder and a port of its own, with none of the user's settings. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../client.js";
import { python, surroundings } from "../environment.js";

export interface JupyterLab {
  /** The address of a file in the folder, opened in the lab. */
  address(file: string): string;
  /** What the server has logged. */
  log(): string;
  stop(): Promise<void>;
}

/** Starts JupyterLab on `folder`, with more in its kernels' environment, and waits until it answers. */
export async function startJupyterLab(folder: string, extra: Record<string, string> = {}): Promise<JupyterLab> {
  const [port] = await freePorts(1);
  const token = randomUUID();
  const home = mkdtempSync(join(tmpdir(), "metastate-jupyter-"));
  const settings = join(home, "settings");
  mkdirSync(join(settings, "@jupyterlab", "apputils-extension"), { recursive: true });
  // Otherwise a question about news lies over the notebook.
  writeFileSync(
    join(settings, "@jupyterlab", "apputils-extension", "notification.jupyterlab-settings"),
    JSON.stringify({ fetchNews: "false", checkForUpdates: false }),
  );
  const child = spawn(
    python,
    [
      ...["-m", "jupyterlab", "--no-browser", "--allow-root", `--port=${port}`, "--ServerApp.port_retries=0"],
      ...[`--ServerApp.root_dir=${folder}`, `--IdentityProvider.token=${token}`, "--LabApp.expose_app_in_browser=True"],
    ],
    {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: surroundings({
        JUPYTER_CONFIG_DIR: join(home, "config"),
        JUPYTER_DATA_DIR: join(home, "data"),
        JUPYTER_RUNTIME_DIR: join(home, "runtime"),
        JUPYTERLAB_SETTINGS_DIR: settings,
        JUPYTERLAB_WORKSPACES_DIR: join(home, "workspaces"),
        ...extra,
      }),
    },
  );
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (log += text));

  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await ended;
      clearTimeout(force);
    }
    rmSync(home, { recursive: true, force: true });
  };

  const base = `http://127.0.0.1:${port}`;
  for (const giveUp = Date.now() + 60_000; ; await sleep(200)) {
    if (child.exitCode !== null || Date.now() > giveUp) {
      await stop();
      assert.fail(`JupyterLab does not start:\n${log}`);
    }
    const answer = await fetch(`${base}/api/status?token=${token}`).catch(() => undefined);
    if (answer?.ok) break;
  }
  return { address: (file) => `${base}/lab/tree/${file}?token=${token}`, log: () => log, stop };
}
