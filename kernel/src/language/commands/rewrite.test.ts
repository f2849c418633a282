/** Taking the commands out of a cell: what is a command, and that no position moves. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { rewriteCommands } from "./rewrite.js";
import { stageFrom } from "./stages.js";

/** Names of the commands in a text; "!" for a line for the shell. */
function commands(text: string): string[] {
  return rewriteCommands(text).commands.map(({ name }) => (name === "shell" ? "!" : name));
}

test("a line is a command where a statement may begin, and nowhere else", () => {
  const table: readonly (readonly [text: string, commands: readonly string[]])[] = [
    ["%time f()", ["time"]],
    ["  %time f()", ["time"]],
    ["f();\n%time g()", ["time"]],
    ["f()\n%time g()", ["time"]],
    ["f()\n  %time g()", []],
    ["a\n% b", []],
    ["a\n%b", []],
    ["const o = { a: 1 }\n%who", ["who"]],
    ["function f() {\n}\n%who", ["who"]],
    ["function f() {\n%who\n}", []],
    ["if (a) {\n!ls\n}", []],
    ["if (a)\n!ls", []],
    ["while (a)\n!b\n!c", ["!"]],
    ["const x =\n!ls", []],
    ["const x = a &&\n!b", []],
    ["f(\n!a,\n!b\n)", []],
    ["`\n%who\n${`\n!ls\n`}\n!ls\n`\n!ls", ["!"]],
    ["'a \\\n%who'\n%who", ["who"]],
    ["/* \n%who\n*/ %who\n%help", ["help"]],
    ["/* \n%who\n*/\n%help", ["help"]],
    ["// `\n%who", ["who"]],
    ["/`/;\n%who\n/`/", ["who"]],
    ["a / b\n!ls /tmp/x", ["!"]],
    ["!ls\n!ls `pwd`\n!echo 'x\n%who", ["!", "!", "!", "who"]],
    ["!ls \\\n  %who\n%who", ["!", "who"]],
    ["!(a)\n!!a\n! a\n![a]\n!= b", []],
    ["@dec\n%who\nclass A {}", []],
    ["label:\n%who", []],
    ["%time await f(\n  1,\n)\n%who", ["time", "who"]],
    ["interface A {\n}\n%who", ["who"]],
    ["type A = 1\n%who", ["who"]],
    ["import a from 'a'\n%who", ["who"]],
    ["%who\r\n!ls\r\n1", ["who", "!"]],
  ];
  for (const [text, expected] of table) {
    const { problem } = rewriteCommands(text);
    assert.deepEqual(commands(text), expected, text);
    assert.equal(problem, undefined, text);
  }
});

test("no position moves, whatever the text", () => {
  const line = fc.oneof(
    fc.constantFrom(
      "%time f()",
      "%%time",
      "%who x",
      "!ls {a} '{b}' {c + 1}",
      "!a \\",
      "const x = !ls {a} 'b' {c + 1}",
      "x = !w",
      "%notype on",
      "%npm i x",
      "%load x",
    ),
    fc.constantFrom(
      "`",
      "/*",
      "*/",
      "}",
      "{",
      "a",
      "(",
      ")",
      "'",
      "%",
      "!",
      "% b",
      "!b",
      "%nothing",
      "// x",
      "\r",
      "{x}{y}",
    ),
    fc.string(),
  );
  const cell = fc.array(line, { maxLength: 8 }).map((lines) => lines.join("\n"));
  fc.assert(
    fc.property(cell, fc.nat(), (source, from) => {
      const rewritten = rewriteCommands(source);
      for (const { text } of [rewritten, stageFrom(rewritten, 0), stageFrom(rewritten, from % (source.length + 1))]) {
        assert.equal(text.length, source.length);
        for (const [i, char] of [...source].entries()) if (char === "\n") assert.equal([...text][i], "\n");
      }
      for (const { start, end } of rewritten.commands) assert.ok(start < end && end <= source.length);
    }),
    { numRuns: 500 },
  );
});

test("values for the shell stay at their place", () => {
  const line = "!echo {a} \"{b}\" '{c}' {d,e} ${f} {{g}} \\{h} {i.map((x) => ({ x }))}{j}";
  const { text, commands: found } = rewriteCommands(line);
  assert.equal(text.length, line.length);
  assert.equal(text.replace(/ +/g, " "), "; [a, b, i.map((x) => ({ x })), j]");
  assert.equal(text.indexOf("i.map"), line.indexOf("i.map"));
  assert.deepEqual(found[0]?.args, ["echo ", ' "', "\" '{c}' {d,e} ${f} {{g}} \\{h} ", "", ""]);
});

test("what is assigned is a command's output where it is no TypeScript, or names what nobody has declared", () => {
  const isDeclared = (name: string): boolean => name === "known";
  const table: readonly (readonly [text: string, left: string])[] = [
    ["const x = !ls", "const x = ᐅ ;"],
    ["const x = !w", "const x = ᐅ;"],
    ["let x: string[] = !ls -la\n[1]", "let x: string[] = ᐅ     ;\n[1]"],
    ["x = !git log {a} b {c}", "x = ᐳ        (a,    c)"],
    ["const [first] = !ls *", "const [first] = ᐅ   ;"],
    ["const x = !known", "const x = !known"],
    ["const x = !known - a", "const x = !known - a"],
    ["const x = !known -la", "const x = !known -la"],
    ["const x = !unknown()", "const x = !unknown()"],
    ["const x = !a.b &&\n  c", "const x = !a.b &&\n  c"],
    ["const x = !(a)", "const x = !(a)"],
    ["const x = !!a", "const x = !!a"],
    ["a != b", "a != b"],
    ["if (a) {\nx = !ls -la x\n}", "if (a) {\nx = !ls -la x\n}"],
  ];
  for (const [text, left] of table) {
    assert.equal(rewriteCommands(text, isDeclared).text, left, text);
  }
});
