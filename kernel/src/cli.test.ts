/** The command as a person, or Jupyter, runs it. */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { afterEach, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const command = fileURLToPath(new URL("../bin/metastate-kernel.mjs", import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "metastate-cli-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return runIn({}, ...args);
}

function runIn(
  env: Record<string, string>,
  ...args: string[]
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [command, ...args], {
    cwd: folder,
    encoding: "utf8",
    // No folder: to make snapshots is not what is tested here.
    env: { ...process.env, XDG_CACHE_HOME: command, ...env },
  });
}

test("install registers the kernel in two environments, with the preload that package.json names", () => {
  writeFileSync(join(folder, "package.json"), JSON.stringify({ "metastate-kernel": { preload: "./p.mjs" } }));
  writeFileSync(join(folder, "p.mjs"), "");
  for (const environment of ["one", "two"]) {
    const { status, stdout } = run("install", "--prefix", environment);
    assert.equal(status, 0);
    const spec = join(folder, environment, "share/jupyter/kernels/metastate/kernel.json");
    assert.match(stdout, /The kernel "metastate" is registered in .*\n.*preload .*p\.mjs/);
    assert.match(readFileSync(spec, "utf8"), /p\.mjs/);
    assert.ok(existsSync(join(spec, "..", "logo-64x64.png")));
  }
});

test("install makes the snapshot from which the first kernel starts", () => {
  assert.equal(runIn({ XDG_CACHE_HOME: folder }, "install", "--prefix", "one").status, 0);
  const snapshots = (): string[] => readdirSync(join(folder, "metastate-kernel"));
  const made = snapshots();
  assert.match(made.join(), /^[0-9a-f]+\.snapshot$/);
  assert.equal(runIn({ XDG_CACHE_HOME: folder }, "install", "--prefix", "two").status, 0);
  assert.deepEqual(snapshots(), made);
});

test("install --sys-prefix asks the first Python on the path for its environment, --user takes Jupyter's own folder", () => {
  const python = join(folder, "python3");
  writeFileSync(python, `#!/bin/sh\necho ${join(folder, "active")}\n`, { mode: 0o755 });
  assert.equal(runIn({ PATH: folder }, "install", "--sys-prefix").status, 0);
  assert.ok(existsSync(join(folder, "active/share/jupyter/kernels/metastate/kernel.json")));
  assert.match(runIn({ PATH: "/nowhere" }, "install", "--sys-prefix").stderr, /needs a Python on the path/);
  assert.equal(runIn({ JUPYTER_DATA_DIR: join(folder, "data") }, "install", "--name", "mine").status, 0);
  assert.ok(existsSync(join(folder, "data/kernels/mine/kernel.json")));
});

test("install takes a name to show and environment variables; uninstall takes the kernel out again", () => {
  const names = ["--name", "big", "--display-name", "Big notebooks"];
  const env = ["--env", "NODE_OPTIONS=--max-old-space-size=8192", "--env", "EMPTY="];
  assert.equal(run("install", "--prefix", "here", ...names, ...env).status, 0);
  const file = join(folder, "here/share/jupyter/kernels/big/kernel.json");
  const spec = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
  assert.equal(spec["display_name"], "Big notebooks");
  const given = spec["env"] as Record<string, string>;
  assert.deepEqual([given["NODE_OPTIONS"], given["EMPTY"]], ["--max-old-space-size=8192", ""]);
  assert.match(run("install", "--prefix", "here", "--env", "NOTHING").stderr, /Give it as KEY=VALUE/);
  assert.equal(run("uninstall", "--prefix", "here", "--name", "big").status, 0);
  assert.ok(!existsSync(file));
  assert.deepEqual(readdirSync(join(folder, "here/share/jupyter/labextensions")), []);
  const again = run("uninstall", "--prefix", "here", "--name", "big");
  assert.equal(again.status, 1);
  assert.match(again.stderr, /^There is no kernel "big" in .*kernels: metastate-kernel doctor lists those found\n$/);
});

test("doctor runs a cell, and names what a kernelspec lacks", () => {
  const data = { JUPYTER_DATA_DIR: join(folder, "data"), PATH: "/nowhere" };
  assert.equal(runIn(data, "install").status, 0);
  const healthy = runIn(data, "doctor");
  assert.match(healthy.stdout, /^ok +Node\.js [^]*^ok +ZeroMQ [^]*^ok +kernelspec [^]*^ok +a first cell runs in /m);
  assert.equal(healthy.status, 0);
  const file = join(folder, "data/kernels/metastate/kernel.json");
  writeFileSync(file, readFileSync(file, "utf8").replace(JSON.stringify(process.execPath), '"/gone/node"'));
  const ill = runIn(data, "doctor");
  assert.match(ill.stdout, /^PROBLEM +kernelspec .*\/gone\/node is gone; run metastate-kernel install again$/m);
  assert.equal(ill.status, 1);
});

test("doctor finds a kernel in the .venv beside it, which need not be active", () => {
  const env = { JUPYTER_DATA_DIR: join(folder, "data"), PATH: "/nowhere" };
  assert.equal(runIn(env, "install", "--prefix", ".venv").status, 0);
  const { stdout, status } = runIn(env, "doctor");
  assert.match(stdout, /^ok +kernelspec .*\.venv\/share\/jupyter\/kernels\/metastate\/kernel\.json$/m);
  assert.equal(status, 0);
});

test("what cannot be done is one line and exit status 1", () => {
  const two = run("install", "--user", "--prefix", "x");
  assert.deepEqual([two.status, two.stderr], [1, "Give one of --user, --sys-prefix and --prefix\n"]);
  const none = run("run", "no-such-file.json");
  assert.equal(none.status, 1);
  assert.match(none.stderr, /^Cannot read the connection file no-such-file\.json/);
  writeFileSync(join(folder, "c.json"), '{"shell_port": 1}');
  assert.match(run("run", "c.json").stderr, /has no integer "iopub_port"/);
});

test("what jupyter run and jupyter console hand on to the kernel is none of its business", () => {
  const { status, stderr } = run("run", "none.json", "script.ts", "--ZMQTerminalInteractiveShell.banner=x");
  assert.equal(status, 1);
  assert.match(stderr, /none\.json/);
});

test("a kernel that cannot bind its ports says so and ends", () => {
  const ports = { shell_port: 1, iopub_port: 1, stdin_port: 1, control_port: 1, hb_port: 1 };
  writeFileSync(
    join(folder, "c.json"),
    JSON.stringify({ transport: "ipc", ip: "/no/such/folder/k", key: "k", ...ports }),
  );
  const { status, stderr } = run("run", "c.json");
  assert.equal(status, 1);
  assert.match(stderr, /^\[metastate-kernel\] the kernel could not be started: /);
});

test("a kernel whose Jupyter is gone ends, and its session with it", async () => {
  const connection = { transport: "ipc", ip: join(folder, "k"), key: "k", signature_scheme: "hmac-sha256" };
  const ports = { shell_port: 1, iopub_port: 2, stdin_port: 3, control_port: 4, hb_port: 5 };
  writeFileSync(join(folder, "c.json"), JSON.stringify({ ...connection, ...ports }));
  // A parent that starts the kernel as Jupyter does, tells its process id, and dies when the kernel is up.
  const parent = `
    const { spawn } = require("node:child_process");
    const env = { ...process.env, JPY_PARENT_PID: String(process.pid) };
    const kernel = spawn(process.execPath, [${JSON.stringify(command)}, "run", "c.json"], { env, stdio: "ignore", detached: true });
    console.log(kernel.pid);
    setInterval(() => {
      if (["k-1", "k-2", "k-3", "k-4", "k-5"].every((file) => require("node:fs").existsSync(file)))
        setTimeout(() => process.kill(process.pid, "SIGKILL"), 1000);
    }, 50);`;
  const started = spawn(process.execPath, ["-e", parent], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  const pid = await new Promise<number>((resolve) => {
    started.stdout.once("data", (data: Buffer) => {
      resolve(Number(data.toString()));
    });
  });
  await new Promise((resolve) => started.once("exit", resolve));
  assert.ok(isAlive(pid), "the kernel lives when its parent dies");
  for (let i = 0; i < 100 && isAlive(pid); i++) await sleep(100);
  assert.ok(!isAlive(pid), "it ends within 10 s");
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("the process that answers messages loads no TypeScript: it is ready sooner, and smaller", () => {
  const code = `import("${new URL("./front/kernel.js", import.meta.url).href}").then(() => {
    const { cache } = process.getBuiltinModule("node:module").createRequire("/x.js");
    console.log(Object.keys(cache).filter((path) => path.includes("typescript")).length);
  })`;
  assert.equal(execFileSync(process.execPath, ["--eval", code], { encoding: "utf8" }).trim(), "0");
});
