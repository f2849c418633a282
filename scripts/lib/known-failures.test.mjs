// @ts-check
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { explain, recognise } from "./known-failures.mjs";

const fixtures = join(dirname(fileURLToPath(import.meta.url)), "..", "fixtures");

/** For each captured output: the row that must explain it, and what its message must say. */
const EXPECTED = /** @type {Record<string, [row: string, says: RegExp]>} */ ({
  "venv-missing.txt": ["venv missing", /no venv module.*apt install python3-venv/],
  "pip-dns.txt": ["name not found", /no network/],
  "pip-refused.txt": ["no connection", /no network/],
  "pip-proxy.txt": ["proxy", /proxy.*HTTPS_PROXY/],
  "pip-403.txt": ["no answer from the index", /jupyterlab==4\.6\.6.*refused.*pip\.conf/],
  "pip-tls.txt": ["certificate", /certificate.*PIP_CERT/],
  "pip-noversion.txt": ["no such version", /no jupyterlab==99\.0/],
  "pip-enospc.txt": ["disk full", /disk is full.*free/],
  "npm-dns.txt": ["name not found", /no network/],
  "npm-refused.txt": ["no connection", /no network/],
  "npm-401.txt": ["registry refused", /refused \(E401\).*\.npmrc/],
  "npm-403.txt": ["registry refused", /refused \(E403\).*\.npmrc/],
  "npm-tls.txt": ["certificate", /certificate.*NODE_EXTRA_CA_CERTS/],
  "npm-lock.txt": ["lock file out of step", /package-lock\.json.*npm install/],
  "npm-enospc.txt": ["disk full", /disk is full/],
  "npm-eacces.txt": ["permission", /^\/a\/node_modules may not be written .*a clone of your own/],
  "venv-eacces.txt": ["permission", /^\/a\/\.venv may not be written/],
  "jupyter-port.txt": ["port taken", /port 9403 is taken.*--port/],
});

for (const [file, [row, says]] of Object.entries(EXPECTED)) {
  test(`${file} is explained as: ${row}`, () => {
    const output = readFileSync(join(fixtures, file), "utf8");
    assert.equal(recognise(output)?.name, row);
    const failure = explain({ tool: "pip", output, code: 1, log: "/a/pip.log" });
    assert.match(`${failure.reason}; ${failure.remedy}`, says);
    assert.equal(failure.log, "/a/pip.log");
  });
}

test("every captured output is tested", () => {
  const captured = readdirSync(fixtures).filter((file) => file.endsWith(".txt"));
  assert.deepEqual(captured.sort(), Object.keys(EXPECTED).sort());
});

test("a failure nobody has met keeps the tool's own words and its log", () => {
  const failure = explain({ tool: "pip", output: "something new\n", code: 3, log: "/a/pip.log" });
  assert.match(failure.reason, /pip ended with status 3/);
  assert.equal(failure.output, "something new\n");
  assert.equal(failure.log, "/a/pip.log");
});

test("a tool that the system killed is told apart", () => {
  assert.match(explain({ tool: "npm", output: "", code: null, signal: "SIGKILL" }).reason, /memory ran out/);
});
