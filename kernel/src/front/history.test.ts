import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { afterEach, beforeEach } from "node:test";
import { History } from "./history.js";

const { XDG_DATA_HOME } = process.env;
let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), "metastate-history-"));
  process.env["XDG_DATA_HOME"] = data;
});
afterEach(() => {
  if (XDG_DATA_HOME === undefined) delete process.env["XDG_DATA_HOME"];
  else process.env["XDG_DATA_HOME"] = XDG_DATA_HOME;
  rmSync(data, { recursive: true });
});

function kernel(folder: string, ...inputs: string[]): History {
  const history = new History(folder, () => undefined);
  for (const [i, input] of inputs.entries()) history.add(i + 1, input);
  return history;
}

test("the tail has the last cells of earlier kernels and of this one", () => {
  kernel("/a", "one", "two");
  const history = kernel("/a", "three");
  assert.deepEqual(history.answer({ hist_access_type: "tail", n: 2 }), [
    [1, 2, "two"],
    [2, 1, "three"],
  ]);
});

test("with outputs an entry is a pair", () => {
  const history = kernel("/a", "one");
  assert.deepEqual(history.answer({ hist_access_type: "tail", output: true }), [[1, 1, ["one", null]]]);
});

test("another folder has another history", () => {
  kernel("/a", "one");
  assert.deepEqual(kernel("/b").answer({ hist_access_type: "tail", n: 10 }), []);
});

test("a range is of one session, this one by default, up to but not with its end", () => {
  kernel("/a", "x1", "x2");
  const history = kernel("/a", "y1", "y2", "y3");
  assert.deepEqual(history.answer({ hist_access_type: "range", session: 0, start: 2, stop: 3 }), [[2, 2, "y2"]]);
  assert.deepEqual(history.answer({ hist_access_type: "range", session: -1, start: 1 }), [
    [1, 1, "x1"],
    [1, 2, "x2"],
  ]);
});

test("a search matches whole inputs by glob, newest last, each once when asked", () => {
  const history = kernel("/a", "let a = 1", "a + 1", "let a = 1", "(a)");
  const inputs = (request: object): unknown[] =>
    history.answer({ hist_access_type: "search", ...request }).map(([, , input]) => input);
  assert.deepEqual(inputs({ pattern: "let*" }), ["let a = 1", "let a = 1"]);
  assert.deepEqual(inputs({ pattern: "let*", unique: true }), ["let a = 1"]);
  assert.deepEqual(inputs({ pattern: "?a?" }), ["(a)"]);
  assert.deepEqual(inputs({ pattern: "*a*", n: 1 }), ["(a)"]);
});

test("a file that was cut in the middle of a line loses that line only", () => {
  kernel("/a", "whole");
  const folder = join(data, "metastate-kernel", "history");
  const [file = ""] = readdirSync(folder);
  writeFileSync(join(folder, file), '{"session":1,"line":2,"inp', { flag: "a" });
  assert.deepEqual(kernel("/a").answer({ hist_access_type: "tail" }), [[1, 1, "whole"]]);
});

test("a folder that cannot be written to is logged once and cells go on", () => {
  writeFileSync(join(data, "metastate-kernel"), "a file where a folder should be");
  const log: string[] = [];
  const history = new History("/a", (line) => log.push(line));
  history.add(1, "one");
  history.add(2, "two");
  assert.equal(log.length, 1);
  assert.equal(history.answer({ hist_access_type: "tail" }).length, 2);
});
