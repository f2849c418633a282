/** What completion and inspection tell of the values in the session, beside what TypeScript knows. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ending, TestNotebook } from "./testing.js";

let notebook: TestNotebook;
before(async () => {
  notebook = new TestNotebook();
  const ran = await notebook.run(`
    let count = 42;
    const data: any = { rows: [{ name: "Ann", "two words": 3, 'q"': 4 }], total: 5 };
    const ages: Record<string, { years: number }> = { ann: { years: 3 }, bob: { years: 4 } };
    const text: any = "abc", sure: unknown = { hidden: 1 }, fence = "a \`\`\` b", later = Promise.resolve(1);
    const URL = "shadows";
    let touched = "";
    class Watched { field = 1; #own = 2; get got() { touched += "getter "; return { in: 1 } } method() {} }
    const watched: any = new Watched();
    const proxy: any = new Proxy({ a: 1 }, { get() { touched += "get "; }, ownKeys() { touched += "keys "; return [] } });
    const print = Symbol.for("nodejs.util.inspect.custom");
    class Tensor { #shape = [2, 3]; data = [1, 2]; [print]() { return "Tensor [" + this.#shape + "]" } }
    const tensor = new Tensor(), model = { weights: tensor };
    const many = Object.assign(new Tensor(), Object.fromEntries(Array.from({ length: 2000 }, (_, i) => ["k" + i, i])));
    const endless = { v: 1, [print]() { while (true); } };
    const broken = { v: 1, [print]() { throw new Error("broken") } };
    const fake: any = new Proxy({ [print]() { touched += "print " } }, {});
    const words = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => ["word" + i, i]));
    process.env.SET_BY_A_CELL = "1";`);
  assert.equal(ending(ran), "ok", ran.stderr);
});
after(() => notebook.close());

/** Asks until there is an answer: a busy machine may keep the session from giving one in time. */
async function asked<T>(ask: () => Promise<T>, isAnswer: (given: T) => boolean): Promise<T> {
  let given = await ask();
  for (let tries = 1; tries < 5 && !isAnswer(given); tries++) given = await ask();
  return given;
}

async function completed(text: string): Promise<readonly string[]> {
  const { items } = await asked(
    () => notebook.complete(text),
    ({ items }) => items.length > 0,
  );
  return items.map((item) => item.text);
}

/** What is shown of a value; undefined where none is. */
async function shown(text: string): Promise<string | undefined> {
  const value = async (): Promise<string | undefined> =>
    /^Value:\n\n```\n([^]*?)\n```/.exec((await notebook.inspect(text))?.documentation ?? "")?.[1];
  return asked(value, (given) => given !== undefined);
}

test("strings are completed with the files beside the notebook, where TypeScript knows nothing better", async () => {
  mkdirSync(join(notebook.folder, "readings"));
  for (const name of ["readings/may.csv", "readings/march.csv", "read me.txt", ".hidden"]) {
    writeFileSync(join(notebook.folder, name), "");
  }
  const paths = async (text: string): Promise<readonly string[]> =>
    (await notebook.complete(text)).items.map((i) => i.text);
  assert.deepEqual(await paths('readFile("re'), ["read me.txt", "readings/"]);
  assert.deepEqual(await paths("!ls\nreadFile(`./readings/ma"), ["./readings/march.csv", "./readings/may.csv"]);
  assert.deepEqual(await paths("readFile('.h"), [".hidden"]);
  const { start, end } = await notebook.complete('readFile("readings/m');
  assert.deepEqual([start, end], [10, 20]);
  for (const none of ['// "re', '"re\\n', 'import "./read m', "`${x} re", 'const side: "left" | "right" = "re']) {
    assert.deepEqual(await paths(none), [], none);
  }
  assert.deepEqual(await paths('const side: "left" | "right" = "ri'), ["right"]);
});

test("members of a value are completed where its type tells none", async () => {
  assert.deepEqual(await completed("data."), ["rows", "total"]);
  assert.deepEqual(await completed("if (x) { f(data.rows[0]."), ["name"]);
  assert.deepEqual(await completed("data?.to"), ["total"]);
  assert.deepEqual(await completed("(data as any).TO"), ["total"]);
  assert.deepEqual(await completed("ages."), ["ann", "bob"]);
  assert.deepEqual(await completed("ages.ann."), ["years"]);
  assert.ok((await completed("text.")).includes("padStart"));
  assert.ok((await completed("data.rows.")).includes("toSorted"));
  assert.ok(!(await completed("data.rows.")).includes("0"));
  assert.deepEqual(await completed("process.env.SET_BY"), ["SET_BY_A_CELL"]);
  const { items } = await asked(
    () => notebook.complete("watched."),
    ({ items }) => items.length > 0,
  );
  assert.deepEqual(
    items.map(({ text, type, start, end }) => [text, type, start, end]),
    [
      ["field", "property", 8, 8],
      ["got", "property", 8, 8],
      ["method", "method", 8, 8],
    ],
  );
});

test("keys of a value are completed in quotes, but for those that need escapes", async () => {
  assert.deepEqual(await completed('data.rows[0]["'), ["name", "two words"]);
  assert.deepEqual(await completed("data.rows[0]['two"), ["two words"]);
  assert.deepEqual(await completed('process.env["SET_BY'), ["SET_BY_A_CELL"]);
});

test("what is local, or of an unknown type, or called, has no members of a value", async () => {
  for (const text of ["(data: any) => data.", "const f = ({ ages }: any) => { ages.", "sure.", "data.rows.at(0)."]) {
    assert.deepEqual(await completed(text), [], text);
  }
});

test("inspection shows the value of a variable and of a member", async () => {
  assert.equal(await shown("count"), "42");
  assert.equal(await shown("1 + count"), "42");
  assert.equal(await shown("data.rows[0].name"), "'Ann'");
  assert.equal(await shown("ages.bob"), "{ years: 4 }");
  assert.equal(await shown("const count"), "42");
  assert.equal(await shown("URL"), "'shadows'");
  assert.equal(await shown("fence"), "'a `\u200b`\u200b` b'");
  assert.equal(await shown("later"), "Promise { 1 }");
  assert.match((await notebook.inspect("count"))?.signature ?? "", /^let count: number$/);
  assert.match((await shown("words")) ?? "", /^\{\n {2}word0: 0,[^]*\n…$/);
});

test("what is local to a function, a function, and a member that is not there have no value to show", async () => {
  for (const text of ["(count: number) => count", "Watched", "structuredClone", "data.none", "count.toFixed"]) {
    assert.equal(await shown(text), undefined, text);
  }
  assert.equal(await notebook.inspect("data.none"), undefined);
});

test("inspection shows a value as it is printed", async () => {
  assert.equal(await shown("tensor"), "Tensor [2,3]");
  assert.equal(await shown("model"), "{ weights: Tensor [2,3] }");
  assert.equal(await shown("many"), "Tensor [2,3]");
});

test("a value that fails to print itself, or takes too long for it, is shown without", async () => {
  assert.match((await shown("broken")) ?? "", /^\{\s+v: 1,/);
  assert.match((await shown("endless")) ?? "", /^\{\s+v: 1,/);
  assert.equal(await shown("count"), "42");
});

test("to look at a value runs no getter of it and no trap", async () => {
  assert.equal(await shown("watched"), "Watched { field: 1 }");
  for (const text of ["watched.got", "proxy", "proxy.a", "fake"]) await notebook.inspect(text);
  for (const text of ["watched.got.", "proxy.", "proxy.a."]) await notebook.complete(text);
  assert.equal((await notebook.run("touched")).result, "''");
});

test("while a cell computes, what TypeScript knows is told without the value; while it awaits, with it", async () => {
  const started = join(notebook.folder, "started");
  const computing = notebook.run('require("node:fs").writeFileSync("started", ""); while (true);');
  while (!existsSync(started)) await sleep(20);
  assert.equal((await notebook.inspect("count"))?.signature, "let count: number");
  assert.equal(await shown("count"), undefined);
  assert.deepEqual(await completed("data."), []);
  notebook.interrupt();
  await computing;
  const awaiting = notebook.run('require("node:fs").rmSync("started"); await new Promise(() => undefined)');
  while (existsSync(started)) await sleep(20);
  assert.equal(await shown("count"), "42");
  notebook.interrupt();
  await awaiting;
});
