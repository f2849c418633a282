/** What cells ask of whoever sits before the notebook. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import test, { after, before, beforeEach } from "node:test";
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

test("a cell that waits for a line of process.stdin is told what asks instead", async () => {
  const ran = await notebook.run(
    `import { createInterface } from "node:readline/promises";
     const lines = createInterface({ input: process.stdin, output: process.stdout });
     const ended = new Promise((resolve) => process.stdin.once("end", () => resolve("never asked")));
     await Promise.race([lines.question("name? "), ended])`,
  );
  assert.equal(ran.result, "'never asked'");
  assert.match(ran.stderr, /process\.stdin has nothing to read.*await input/);
  assert.equal(ran.stdout, "name? ");
});
