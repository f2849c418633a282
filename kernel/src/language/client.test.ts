/** The language process: how it starts, with a snapshot and without. */
import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import { LanguageClient, prepareSnapshot } from "./client.js";
import { Library } from "./library.js";

const folder = mkdtempSync(join(tmpdir(), "metastate-client-"));
const cache = join(folder, "metastate-kernel");
const preload = join(folder, "preload.js");
const declarations = join(folder, "preload.d.ts");
writeFileSync(preload, "export const answer = 42;");
writeFileSync(declarations, "export declare const answer: number;");
process.env["XDG_CACHE_HOME"] = folder;
after(() => rmSync(folder, { recursive: true }));

const globals = [fileURLToPath(new URL("../cell-api/index.js", import.meta.url)), preload];

/** Nothing is made in the background. */
const HOUR_MS = 3_600_000;

/** What TypeScript says of cells, in a process of its own. */
async function types(...cells: string[]): Promise<string[]> {
  const client = new LanguageClient({ folder, globals }, HOUR_MS);
  try {
    const results = await Promise.all(cells.map((cell) => client.ask("compile", cell, "In [1]")));
    const inspected = await client.ask("inspect", "setTimeout", 10);
    assert.match(inspected?.documentation ?? "", /timer/);
    return results.map((result) => (result.ok ? "ok" : result.errors.evalue));
  } finally {
    await client.close();
  }
}

const CELLS = ["let a = answer", "a.toFixed(1)", "const s: string = answer", "declare const b: typeof later"];
const SAID = ["ok", "ok", "Type 'number' is not assignable to type 'string'.", "Cannot find name 'later'."];

test("cells mean the same with a snapshot, without one, with a damaged one, and where none can be written", async () => {
  assert.deepEqual(await types(...CELLS), SAID);
  assert.ok(await prepareSnapshot(globals));
  const [snapshot = ""] = readdirSync(cache);
  assert.deepEqual(await types(...CELLS), SAID);
  assert.deepEqual(readdirSync(cache), [snapshot], "it is kept");
  truncateSync(join(cache, snapshot), 10_000_000);
  assert.deepEqual(await types(...CELLS), SAID);
  assert.deepEqual(readdirSync(cache), [], "it is thrown away");
  rmSync(cache, { recursive: true });
  writeFileSync(cache, "no folder");
  assert.equal(await prepareSnapshot(globals), false);
  rmSync(cache);
});

test("a declaration that has changed since the snapshot was made is read again", async () => {
  assert.ok(await prepareSnapshot(globals));
  writeFileSync(declarations, "export declare const answer: number; export declare const later: string;");
  assert.deepEqual(await types(...CELLS), [...SAID.slice(0, 3), "ok"]);
});

test("a kernel that is shut down before its language process is up leaves the snapshot where it is", async () => {
  assert.ok(await prepareSnapshot(globals));
  const before = readdirSync(cache);
  const client = new LanguageClient({ folder, globals }, HOUR_MS);
  await client.close();
  assert.deepEqual(readdirSync(cache), before);
});

test("a process that was killed before it was up is started again, and the snapshot is kept", async () => {
  assert.ok(await prepareSnapshot(globals));
  const before = readdirSync(cache);
  for (const times of [1, 2]) {
    const client = new LanguageClient({ folder, globals }, HOUR_MS);
    const asked = client.ask("compile", "1 + answer", "In [1]");
    for (let i = 0; i < times; i++) {
      const { pid = 0 } = client;
      process.kill(pid, "SIGKILL");
      while (client.pid === pid) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok((await asked).ok);
    assert.deepEqual(readdirSync(cache), before);
    await client.close();
  }
});

test("certificates are left to processes with connections", { skip: process.platform !== "linux" }, async () => {
  const before = process.env["NODE_EXTRA_CA_CERTS"];
  process.env["NODE_EXTRA_CA_CERTS"] = join(folder, "certificates.pem");
  const client = new LanguageClient({ folder, globals }, HOUR_MS);
  if (before === undefined) delete process.env["NODE_EXTRA_CA_CERTS"];
  else process.env["NODE_EXTRA_CA_CERTS"] = before;
  await client.ask("completeness", "1");
  assert.doesNotMatch(readFileSync(`/proc/${client.pid ?? 0}/environ`, "utf8"), /NODE_EXTRA_CA_CERTS/);
  await client.close();
});

test("a snapshot is not made while another kernel makes it", async () => {
  const [snapshot = ""] = readdirSync(cache);
  rmSync(join(cache, snapshot));
  const lock = join(cache, `${snapshot}.lock`);
  mkdirSync(lock);
  assert.equal(await prepareSnapshot(globals), false);
  // One that was taken long ago is of a kernel that has died.
  utimesSync(lock, 0, 0);
  assert.ok(await prepareSnapshot(globals));
  assert.deepEqual(readdirSync(cache), [snapshot]);
});

test("files that are gone or have changed are forgotten, and what was made from them", () => {
  const library = new Library();
  const path = join(folder, "some.d.ts");
  writeFileSync(path, "");
  utimesSync(path, 1, 1);
  library.files.set(path, { modified: 1000, version: "1", snapshot: { text: "" } as never });
  library.derived.set("key", "text");
  assert.equal(library.refresh(), true);
  utimesSync(path, 2, 2);
  assert.equal(library.refresh(), false);
  assert.deepEqual([library.files.size, library.derived.size], [0, 0]);
});
