import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { afterEach, beforeEach } from "node:test";
import { globMatcher } from "./glob.js";
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

test("the last none are none, and a number that is none means all", () => {
  const history = kernel("/a", "one", "two");
  for (const hist_access_type of ["tail", "search"]) {
    assert.deepEqual(
      [0, 1, 9, -1, null, "2"].map((n) => history.answer({ hist_access_type, n }).length),
      [0, 1, 2, 2, 2, 2],
    );
  }
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

test("lines of this session may be counted from its end, and 0 is no end", () => {
  kernel("/a", "x1", "x2", "x3");
  const history = kernel("/a", "y1", "y2", "y3");
  const inputs = (request: object): unknown[] =>
    history.answer({ hist_access_type: "range", ...request }).map(([, , input]) => input);
  assert.deepEqual(inputs({ session: 0, start: -2 }), ["y2", "y3"]);
  assert.deepEqual(inputs({ session: 0, start: 1, stop: -1 }), ["y1", "y2"]);
  assert.deepEqual(inputs({ session: 2, start: 0, stop: 0 }), ["y1", "y2", "y3"]);
  assert.deepEqual(inputs({ session: 1, start: 2, stop: null }), ["x2", "x3"]);
  assert.deepEqual(inputs({ session: -5 }), []);
});

test("outputs of this kernel's cells are kept", () => {
  kernel("/a", "one");
  const history = kernel("/a", "one + one", "let a");
  history.addOutput(1, "2");
  assert.deepEqual(history.answer({ hist_access_type: "tail", n: 3, output: true }), [
    [1, 1, ["one", null]],
    [2, 1, ["one + one", "2"]],
    [2, 2, ["let a", null]],
  ]);
});

test("kernels that run at the same time have numbers of their own, and see each other's cells", () => {
  const [a, b] = [new History("/a", () => undefined), new History("/a", () => undefined)];
  assert.deepEqual(
    [a, b].map((history) => history.answer({ hist_access_type: "tail" })),
    [[], []],
  );
  a.add(1, "a1");
  b.add(1, "b1");
  a.add(2, "a2 ä🙂");
  const all = [
    [1, 1, "a1"],
    [1, 2, "a2 ä🙂"],
    [2, 1, "b1"],
  ];
  for (const history of [a, b]) assert.deepEqual(history.answer({ hist_access_type: "tail" }), all);
  assert.deepEqual(b.answer({ hist_access_type: "range", session: 0 }), [[2, 1, "b1"]]);
  assert.deepEqual(b.answer({ hist_access_type: "range", session: -1 }), all.slice(0, 2));
});

test("without the files that tell which numbers are taken, those in the history are", () => {
  kernel("/a", "one");
  kernel("/a", "two");
  const folder = join(data, "metastate-kernel", "history");
  for (const name of readdirSync(folder)) if (name.includes(".session-")) rmSync(join(folder, name));
  assert.deepEqual(kernel("/a", "three").answer({ hist_access_type: "tail", n: 1 }), [[3, 1, "three"]]);
});

test("a file that has grown large is replaced, and the one before it is still read", () => {
  const long = "x".repeat(100);
  for (let i = 0; i < 5; i++) new History("/a", () => undefined, { largestFile: 150 }).add(1, `${long}${i}`);
  const ends = kernel("/a")
    .answer({ hist_access_type: "tail" })
    .map(([session, , input]) => [session, String(input).slice(100)]);
  assert.deepEqual(ends, [
    [3, "2"],
    [4, "3"],
    [5, "4"],
  ]);
});

test("a kernel that has read the file reads on in the one that replaces it", () => {
  const long = "x".repeat(100);
  const others = (input: string): void => {
    new History("/a", () => undefined, { largestFile: 150 }).add(1, `${long}${input}`);
  };
  others("one");
  others("two");
  const history = kernel("/a");
  const inputs = (): unknown[] =>
    history.answer({ hist_access_type: "tail" }).map(([, , input]) => String(input).slice(100));
  assert.deepEqual(inputs(), ["one", "two"]);
  others("three");
  assert.deepEqual(inputs(), ["one", "two", "three"]);
});

test("of equal inputs a unique search has the latest, at its place", () => {
  const history = kernel("/a", "a", "b", "a", "c");
  assert.deepEqual(history.answer({ hist_access_type: "search", pattern: "?", unique: true }), [
    [1, 2, "b"],
    [1, 3, "a"],
    [1, 4, "c"],
  ]);
});

test("patterns are those of SQLite's GLOB", () => {
  for (const [pattern, text, wanted] of [
    ["a*c", "abbc", true],
    ["a*c", "a\nc", true],
    ["a?c", "a🙂c", true],
    ["a?c", "ac", false],
    ["[a-c]x", "bx", true],
    ["[^a-c]x", "bx", false],
    ["[]]", "]", true],
    ["[a-]", "-", true],
    ["a.c", "abc", false],
    ["(a)+$1", "(a)+$1", true],
    ["[z-a]", "z", false],
    ["[", "[", true],
    ["b", "abc", false],
    ["", "", true],
  ] as const) {
    assert.equal(globMatcher(pattern)(text), wanted, `${pattern} on ${text}`);
  }
});

test("a pattern of many stars is answered as soon as any other", () => {
  const text = "let a = 1;".repeat(1000);
  assert.equal(globMatcher(`${"*".repeat(100)}z`)(text), false);
  assert.equal(globMatcher(`${"*a".repeat(100)}*z`)(text), false);
  assert.equal(globMatcher(`${"*a".repeat(100)}*;`)(text), true);
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
  kernel("/a", "next");
  assert.deepEqual(kernel("/a").answer({ hist_access_type: "tail" }), [
    [1, 1, "whole"],
    [2, 1, "next"],
  ]);
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
