/** `npm start` on the checkout as it is: JupyterLab's start, address and end, and what is said when it cannot be. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { freePorts } from "../client.js";
import { python, root } from "../environment.js";
import { readNotebook, writeNotebook } from "../notebook/notebook-file.js";
import { run } from "../program.js";
import { asInANewTerminal } from "./copy.js";

const start = join(root, "scripts", "start.mjs");

/** The surroundings in which `npm start` uses the environment that these tests run in. */
function withThisEnvironment(): NodeJS.ProcessEnv {
  return { ...asInANewTerminal(), VIRTUAL_ENV: dirname(dirname(python)) };
}

function temporaryFolder(t: test.TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "metastate-start-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test(
  "--no-browser --port prints an address that works, and Ctrl-C stops JupyterLab",
  { timeout: 120_000 },
  async (t) => {
    const [port] = await freePorts(1);
    const child = spawn(process.execPath, [start, "--no-browser", "--port", String(port)], {
      cwd: tmpdir(),
      env: withThisEnvironment(),
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    const ended = once(child, "exit") as Promise<[number | null]>;
    let text = "";
    const address = await new Promise<string>((resolve, reject) => {
      child.stdout.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
        const match = /(http:\/\/\S+)\?token=(\S+)[^]*Ctrl-C stops it/.exec(text);
        if (match) resolve(`${match[1]}?token=${match[2]}`);
      });
      void ended.then(([code]) => reject(new Error(`it ended with status ${code}:\n${text}`)));
    });
    assert.equal(new URL(address).port, String(port));
    assert.equal(new URL(address).pathname, "/lab/tree/notebooks", "it opens at the tutorials");
    const asked = async (path: string): Promise<unknown> => {
      const answer = await fetch(new URL(path + new URL(address).search, address));
      assert.equal(answer.status, 200, path);
      return answer.json();
    };
    // The guides that the tutorials link to are there too, and open as a reader wants them.
    for (const file of ["notebooks/01-first-light.ipynb", "docs/model.md"]) await asked(`/api/contents/${file}`);
    const { schema } = (await asked("/lab/api/settings/@jupyterlab/docmanager-extension:plugin")) as {
      schema: { properties: { defaultViewers: { default: object } } };
    };
    assert.deepEqual(schema.properties.defaultViewers.default, { markdown: "Markdown Preview" });

    child.kill("SIGINT");
    const [code] = await ended;
    assert.equal(code, 0, text);
    assert.match(text, /JupyterLab … stopped/);
    await assert.rejects(fetch(address), "nobody listens any more");
  },
);

test("a port that is taken is named, with what to do", { timeout: 120_000 }, async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const args = [start, "--no-browser", "--port", String(port)];
  const { status, stdout, stderr } = await run(process.execPath, args, { env: withThisEnvironment() });
  assert.equal(status, 1);
  assert.match(stdout, /JupyterLab … failed/);
  assert.match(stderr, new RegExp(`cause +port ${port} is taken`));
  assert.match(stderr, /remedy +choose another \(npm start -- --port/);
  assert.match(stderr, /log +\S*jupyterlab\.log/);
});

test(
  "--run stops at the cell that fails: its traceback is printed, its outputs are kept",
  { timeout: 120_000 },
  async (t) => {
    const folder = temporaryFolder(t);
    const notebook = join(folder, "fails.ipynb");
    writeNotebook(notebook, 'console.log("before")', 'throw new RangeError("on purpose")', 'console.log("after")');
    const { status, stdout } = await run(process.execPath, [start, "--run", notebook], { env: withThisEnvironment() });
    assert.equal(status, 1, stdout);
    assert.match(stdout, /\[1\/3\] ran in \d+\.\d s/);
    assert.match(stdout, /\[2\/3\] failed after/);
    assert.match(stdout, /RangeError: on purpose/);
    const { cells } = readNotebook(notebook);
    assert.deepEqual(
      cells.map(({ outputs }) => outputs?.map(({ output_type }) => output_type)),
      [["stream"], ["error"], []],
    );
    assert.deepEqual(readdirSync(folder), ["fails.ipynb"], "nothing else is left behind");
  },
);

test(
  "--run is interrupted by Ctrl-C, however often it is heard, and keeps what there is",
  { timeout: 120_000 },
  async (t) => {
    const notebook = join(temporaryFolder(t), "long.ipynb");
    writeNotebook(notebook, 'console.log("before")', "await new Promise((resolve) => setTimeout(resolve, 600_000));");
    const child = spawn(process.execPath, [start, "--run", notebook], {
      env: withThisEnvironment(),
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      if (piece.includes("[1/2] ran")) {
        // The cell that follows needs a moment to begin. The terminal and npm both send the signal.
        setTimeout(() => child.kill("SIGINT"), 1000);
        setTimeout(() => child.kill("SIGINT"), 1010);
      }
    });
    const [code] = (await once(child, "close")) as [number | null];
    assert.equal(code, 130, text);
    assert.match(text, /interrupted; the outputs so far are kept/);
    const { cells } = readNotebook(notebook);
    assert.equal(cells[0]?.outputs?.[0]?.output_type, "stream");
    assert.equal(cells[1]?.outputs?.[0]?.ename, "KeyboardInterrupt");
  },
);

test("--timeout ends a cell that takes too long", { timeout: 120_000 }, async (t) => {
  const notebook = join(temporaryFolder(t), "slow.ipynb");
  writeNotebook(notebook, "await new Promise((resolve) => setTimeout(resolve, 600_000));");
  const args = [start, "--run", notebook, "--timeout", "1"];
  const { status, stdout } = await run(process.execPath, args, { env: withThisEnvironment() });
  assert.equal(status, 1, stdout);
  assert.match(stdout, /longer than --timeout 1/);
});

test("an active environment that has what is needed is used, and gets the kernel", { timeout: 120_000 }, async (t) => {
  // An environment of its own that sees the packages of the one that is there: quick to make, and nothing is installed.
  const active = join(temporaryFolder(t), "active");
  assert.equal((await run(python, ["-m", "venv", "--without-pip", active])).status, 0);
  const base = dirname(dirname(python));
  const packages = (prefix: string) => {
    const [version] = readdirSync(join(prefix, "lib")).filter((name) => name.startsWith("python"));
    assert.ok(version);
    return join(prefix, "lib", version, "site-packages");
  };
  writeFileSync(join(packages(active), "base.pth"), `${packages(base)}\n`);
  mkdirSync(join(active, "share", "jupyter"), { recursive: true });
  symlinkSync(join(base, "share", "jupyter", "labextensions"), join(active, "share", "jupyter", "labextensions"));
  const notebook = join(active, "sum.ipynb");
  writeNotebook(notebook, "console.log(20 + 22)");

  const env = { ...asInANewTerminal(), VIRTUAL_ENV: active };
  const { status, stdout, stderr } = await run(process.execPath, [start, "--run", notebook], { env });
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  assert.ok(stdout.includes(`the active environment ${active} is used`), stdout);
  assert.ok(existsSync(join(active, "share", "jupyter", "kernels", "metastate", "kernel.json")));
  assert.match(JSON.stringify(readNotebook(notebook).cells), /42/);
});

test("an active environment that lacks something is told what", { timeout: 240_000 }, async (t) => {
  const active = join(temporaryFolder(t), "bare");
  assert.equal((await run(python, ["-m", "venv", "--without-pip", active])).status, 0);
  const notebook = join(active, "sum.ipynb");
  writeNotebook(notebook, "console.log(1)");
  const env = { ...asInANewTerminal(), VIRTUAL_ENV: active };
  const { stdout } = await run(process.execPath, [start, "--run", notebook], { env });
  assert.match(
    stdout,
    /the active environment \S+bare lacks jupyterlab, nbclient, plotly, ipywidgets: \.venv is used instead/,
  );
});
