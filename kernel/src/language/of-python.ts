/** What people write who come from Python, and what it is called in TypeScript. */

const NAMES: Readonly<Record<string, string>> = {
  None: "TypeScript has null, and undefined for what has no value.",
  True: "It is true in TypeScript.",
  False: "It is false in TypeScript.",
  print: "console.log(x) prints; the last expression of a cell is shown without it.",
  len: "It is a property: list.length, or size of a Map or a Set.",
  range: "Array.from({ length: 3 }, (_, i) => i) is [0, 1, 2]; a loop is: for (let i = 0; i < 3; i++) { … }.",
  enumerate: "for (const [i, x] of list.entries()) { … }",
  zip: "list.map((x, i) => [x, other[i]])",
  sorted: "list.toSorted((a, b) => a - b); without a function it sorts by text.",
  sum: "list.reduce((a, b) => a + b, 0)",
  abs: "It is Math.abs; Math has sqrt, exp, log, max, min and others too.",
  min: "It is Math.min(a, b), or Math.min(...list).",
  max: "It is Math.max(a, b), or Math.max(...list).",
  round: "It is Math.round(x); x.toFixed(2) gives a text with two decimals.",
  str: "String(x), or `${x}` within a text.",
  int: "Math.trunc(x), or Number.parseInt(text).",
  float: "Number(text)",
  isinstance: 'x instanceof Class, or typeof x === "number".',
  open: "readFile and writeFile of node:fs/promises read and write files.",
  dir: "Object.keys(x); Tab after x. completes its names, x? tells what it is.",
  help: "%help lists the commands, and name? shows what is known of a name.",
  exit: "process.exit() ends the session; %reset starts a fresh one.",
  quit: "process.exit() ends the session; %reset starts a fresh one.",
  self: "It is this, within the methods of a class.",
  _: "The value of a cell is kept only where it has a name: const x = ….",
  Out: "The values of cells are kept only where they have names: const x = ….",
  In: "The texts of cells are in the history of the front end.",
};

/** What a name of Python's is in TypeScript; undefined where it is none. */
export function remedyOfName(name: string): string | undefined {
  return Object.hasOwn(NAMES, name) ? NAMES[name] : undefined;
}

/** Lines that are no TypeScript, by what they look like in Python. */
const LINES: readonly (readonly [RegExp, string])[] = [
  [
    /^\s*(from\s+[\w.]+\s+import\b|import\s+[\w.]+(\s+as\s+\w+)?\s*(,|$))/,
    'An import is: import { name } from "package", or import * as all from "package".',
  ],
  [/^\s*(async\s+)?def\s/, "A function is: function f(x: number) { return x + 1; }"],
  [/^\s*class\s.*:\s*$/, "The members of a class stand in braces: class A extends B { … }"],
  [/^\s*for\s+[^(].*\bin\b.*:/, "A loop is: for (const x of list) { … }"],
  [/^\s*(if|while)\s.*:\s*$/, "Conditions stand in parentheses, and what they decide in braces: if (x > 1) { … }"],
  [/^\s*(elif\b|else\s*:)/, "if (x > 1) { … } else if (x > 0) { … } else { … }"],
  [/^\s*(try|finally|except\b.*)\s*:/, "try { … } catch (error) { … } finally { … }"],
  [/^\s*#/, "A comment begins with //."],
  [/\blambda\b/, "A function without a name is: (x) => x + 1"],
  [/\b[fr]["']/, "Values within a text: `${x} and ${y}`, between backticks."],
  [/\s(and|or|not)\s/, "TypeScript has && for and, || for or, ! for not."],
];

/** What a line of Python's is in TypeScript; undefined where it looks like none. Only for lines that could not be read. */
export function remedyOfLine(line: string): string | undefined {
  const code = line.replace(/(["'`]).*?\1/g, "$1$1");
  return LINES.find(([pattern]) => pattern.test(code))?.[1];
}
