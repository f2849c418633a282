/** What cells ask of whoever sits before the notebook. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import test, { after, before, beforeEach, describe } from "node:test";
import { ending, TestNotebook, type Ran } from "./testing.js";

let notebook: TestNotebook;
before(() => {
  notebook = new TestNotebook();
});
after(() => notebook.close());
beforeEach(() => {
  notebook.questions.length = 0;
  notebook.answers.length = 0;
});

/** Runs a cell whose questions get these answers. */
function answered(code: string, ...answers: (string | null)[]): Promise<Ran> {
  notebook.answers.push(...answers);
  return notebook.run(code);
}

async function question(): Promise<string> {
  for (let i = 0; i < 500; i++) {
    const asked = notebook.questions.at(-1);
    if (asked !== undefined) return asked.id;
    await sleep(10);
  }
  throw new Error("nothing was asked within 5 s");
}

test("await input() asks and gives the text", async () => {
  const cell = await answered(
    '[await input("name: "), await input("secret", { password: true }), await input()]',
    "a",
    "b",
    "",
  );
  assert.equal(cell.result, "[ 'a', 'b', '' ]");
  assert.deepEqual(
    notebook.questions.map(({ content }) => content),
    [
      { prompt: "name: ", password: false },
      { prompt: "secret", password: true },
      { prompt: "", password: false },
    ],
  );
});

test("prompt, confirm and alert block until they are answered", async () => {
  const cell = await answered(
    '[prompt("Name?"), prompt("Name?", "Ann"), prompt(), confirm("Sure?"), confirm("Sure?"), confirm(), alert("There")]',
    ...["Bob", "", "", "y", "n", " YES ", "ignored"],
  );
  assert.equal(cell.result, "[ 'Bob', 'Ann', '', true, false, true, undefined ]");
  assert.deepEqual(
    notebook.questions.map(({ content }) => content["prompt"]),
    ["Name? ", "Name? [Ann] ", "", "Sure? [y/N] ", "Sure? [y/N] ", "Are you sure? [y/N] ", "There [Enter] "],
  );
});

test("a long answer, and one in any script, comes as it was typed", async () => {
  const long = "ä\n🙂".repeat(100_000);
  const cell = await answered("[prompt(), await input()].map((text) => [text.length, text.slice(0, 4)])", long, long);
  assert.equal(cell.result, `[ [ ${long.length}, 'ä\\n🙂' ], [ ${long.length}, 'ä\\n🙂' ] ]`);
});

test("timers run while input() waits", async () => {
  const cell = notebook.run(
    "let ticks = 0; const clock = setInterval(() => ticks++, 5); await input(); clearInterval(clock); ticks > 0",
  );
  const id = await question();
  await sleep(100);
  notebook.reply("", id);
  assert.equal((await cell).result, "true");
});

for (const asks of ["input()", "prompt()"]) {
  test(`an interrupt ends ${asks}, keeps the variables, and a late answer is not taken for that to a later question`, async () => {
    await notebook.run("let kept = 5");
    const cell = notebook.run(`kept++; await ${asks}; kept = 0`);
    const stale = await question();
    const start = performance.now();
    notebook.interrupt();
    assert.match(ending(await cell), /^KeyboardInterrupt/);
    assert.ok(performance.now() - start < 3000);
    const next = notebook.run(`[kept, await ${asks}]`);
    while (notebook.questions.length < 2) await sleep(10);
    notebook.reply("late", stale);
    notebook.reply("fresh", notebook.questions[1]?.id);
    assert.equal((await next).result, "[ 6, 'fresh' ]");
  });

  test(`${asks} says so where there is nobody to ask`, async () => {
    const refused = /^StdinNotImplementedError: there is nobody to ask[^]*allow_stdin[^]*Run it in JupyterLab/;
    assert.match(ending(await notebook.run(`await ${asks}`, { allowStdin: false })), refused);
    assert.match(ending(await answered(`await ${asks}`, null)), refused);
  });
}

test("an answer that does not say what it is for is for the oldest question", async () => {
  const cell = notebook.run("await Promise.all([input(), input()])");
  while (notebook.questions.length < 2) await sleep(10);
  notebook.reply("first");
  notebook.reply("second");
  notebook.reply("to nothing");
  assert.equal((await cell).result, "[ 'first', 'second' ]");
});

test("a session that ends while it asks is replaced", async () => {
  const cell = notebook.run("setTimeout(() => process.exit(4), 50); await input()");
  const id = await question();
  assert.match(ending(await cell), /^SessionEnded/);
  notebook.reply("too late", id);
  assert.equal((await answered("await input()", "in time")).result, "'in time'");
});

describe("readline on process.stdin asks", () => {
  const PROMISES = 'import { createInterface } from "node:readline/promises";';
  const CALLBACKS = 'import * as readline from "node:readline";';
  const BOTH = "{ input: process.stdin, output: process.stdout }";

  test("the question of an interface, once", async () => {
    const cell = await answered(
      `${PROMISES} const lines = createInterface(${BOTH});
       const name = await lines.question("name? "); const age = await lines.question("age? "); lines.close(); [name, age]`,
      ...["Ann", "33"],
    );
    assert.equal(cell.result, "[ 'Ann', '33' ]");
    assert.equal(cell.stdout, "name? age? ");
    assert.equal(notebook.questions.length, 2);
  });

  test("by a callback, for which the cell waits", async () => {
    const cell = await answered(
      `${CALLBACKS} const rl = readline.createInterface(process.stdin, process.stdout);
       rl.question("name? ", (name) => { console.log("Hello", name); rl.close(); })`,
      "Bob",
    );
    assert.equal(cell.stdout, "name? Hello Bob\n");
  });

  test("in a later cell than the one that has made the interface, which asks nothing by itself", async () => {
    await notebook.run(
      `${CALLBACKS} const rl = readline.createInterface(${BOTH}), promisify = require("util").promisify`,
    );
    assert.equal(notebook.questions.length, 0);
    const cell = await answered('const said = await promisify(rl.question)("say: "); said', "now");
    assert.equal(cell.result, "'now'");
    assert.equal(notebook.questions.length, 1);
  });

  test("for its lines, until it is closed", async () => {
    const loop = await answered(
      `${CALLBACKS} const got: string[] = [];
       for await (const line of readline.createInterface({ input: process.stdin })) { if (line === "") break; got.push(line) }
       got`,
      ...["a", "b", ""],
    );
    assert.equal(loop.result, "[ 'a', 'b' ]");
    const events = await answered(
      `const heard: string[] = []; const rl = readline.createInterface({ input: process.stdin });
       rl.on("line", (line) => { heard.push(line); if (heard.length === 2) rl.close() });`,
      ...["c", "d"],
    );
    assert.equal(ending(events), "ok");
    assert.equal((await notebook.run("heard")).result, "[ 'c', 'd' ]");
    assert.equal(notebook.questions.length, 5);
  });
});

describe("process.stdin asks", () => {
  test("who listens to it, for as long as that is", async () => {
    const cell = await answered(
      `process.stdout.write("name? "); const text = await new Promise((r) => process.stdin.once("data", r)); String(text)`,
      "Ann",
    );
    assert.equal(cell.result, "'Ann\\n'");
    const loop = await answered(
      `process.stdin.setEncoding("utf8"); const all: string[] = [];
       for await (const chunk of process.stdin) { all.push(chunk); if (all.length === 2) break }
       all`,
      ...["a", "b"],
    );
    assert.equal(loop.result, "[ 'a\\n', 'b\\n' ]");
    assert.equal(notebook.questions.length, 3);
  });

  test("nobody where nobody can be asked: the cell fails", async () => {
    const refused = /^StdinNotImplementedError: there is nobody to ask/;
    const waits = "await new Promise((r) => process.stdin.once('data', r))";
    assert.match(ending(await notebook.run(waits, { allowStdin: false })), refused);
    const listens = "process.stdin.once('data', () => 0);";
    assert.match(ending(await notebook.run(listens, { allowStdin: false })), refused);
    assert.equal((await answered(`String(${waits})`, "now")).result, "'now\\n'");
  });

  test("until an interrupt", async () => {
    await notebook.run("let kept = 5");
    const cell = notebook.run("process.stdin.on('data', () => kept++);");
    await question();
    notebook.interrupt();
    assert.match(ending(await cell), /^KeyboardInterrupt/);
    assert.equal((await notebook.run("process.stdin.removeAllListeners('data'); kept")).result, "5");
    assert.equal(
      (await answered("String(await new Promise((r) => process.stdin.once('data', r)))", "on")).result,
      "'on\\n'",
    );
  });
});
