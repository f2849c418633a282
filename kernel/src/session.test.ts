/** What a session survives, and what it says: interrupts, crashes, late errors, tracebacks, displays. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import test, { after, before } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { Json } from "./protocol/message.js";
import { ending, TestNotebook, type Ran } from "./testing.js";

const INTERRUPTED = "KeyboardInterrupt: the cell was interrupted; variables are kept";
/** Far longer than an interrupt takes (0.2 s), far shorter than the loops that it stops. */
const SOON_MS = 3000;

let notebook: TestNotebook;
before(() => {
  notebook = new TestNotebook();
});
after(() => notebook.close());

/** Runs a cell that does not end by itself, and interrupts it. */
async function interrupted(code: string): Promise<Ran> {
  const running = notebook.run(code);
  await sleep(400);
  const start = performance.now();
  notebook.interrupt();
  const ran = await running;
  assert.ok(performance.now() - start < SOON_MS, `the interrupt took ${performance.now() - start} ms`);
  return ran;
}

function traceback({ outcome }: Ran): string {
  assert.equal(outcome.status, "error");
  return stripVTControlCharacters(outcome.traceback.join("\n"));
}

/** What comes after a cell's end comes with the next turns of the event loop. */
async function eventually<T>(look: () => T | undefined): Promise<T> {
  for (let i = 0; i < 100; i++) {
    const seen = look();
    if (seen !== undefined) return seen;
    await sleep(20);
  }
  throw new Error("it did not come within 2 s");
}

const endless: Readonly<Record<string, string>> = {
  "an endless loop": "while (true) {}",
  "an endless loop after an await": "await new Promise((r) => setTimeout(r, 10)); while (true) {}",
  "an endless loop of microtasks": "await (async () => { while (true) await null })()",
  "an endless loop in a timer, awaited": "await new Promise(() => setTimeout(() => { while (true) {} }, 1))",
  "a wait for a timer": "await new Promise((r) => setTimeout(r, 60_000))",
  "a promise that never settles": "await new Promise(() => {})",
  "a never settled promise as the result": "new Promise(() => {})",
  "an async function of an earlier cell": "await (async function waits() { await new Promise(() => {}) })()",
  "an endless async iteration":
    "for await (const _ of (async function* () { while (true) { await new Promise((r) => setTimeout(r, 5)); yield 1 } })()) {}",
  "a cell that catches the interrupt and goes on":
    "while (true) { try { await new Promise((r) => setTimeout(r, 50)) } catch {} }",
};

for (const [name, code] of Object.entries(endless)) {
  test(`an interrupt stops ${name} and keeps variables`, async () => {
    await notebook.run("let precious = 42");
    assert.equal(ending(await interrupted(code)), INTERRUPTED);
    assert.equal((await notebook.run("precious")).result, "42");
    assert.equal((await notebook.run("await new Promise((r) => setTimeout(() => r('turns'), 20))")).result, "'turns'");
  });
}

for (const [name, call] of Object.entries({
  "at once": "spin()",
  "after an await": "await null; [1].map(() => spin())",
  "in a timer": "await new Promise(() => setTimeout(() => spin(), 1))",
})) {
  test(`a loop that was terminated, ${name}, tells its line and who called it`, async () => {
    const ran = await interrupted(`const spin = () => {\n  for (;;);\n};\n${call}`);
    assert.match(
      traceback(ran),
      /❯ 2 │ {3}for \(;;\);[^]*at spin \(In \[\d+\]:2:\d+\)\n(.*\n)?.*at .*In \[\d+\]:4:\d+/,
    );
  });
}

test("what an interrupt has left unfinished may be collected as garbage", async () => {
  await notebook.run(
    'require("node:v8").setFlagsFromString("--expose-gc"); const collect = require("node:vm").runInNewContext("gc") as () => void',
  );
  await interrupted("await new Promise((r) => setTimeout(r, 10)); while (true) {}");
  await interrupted("while (true) { try { await new Promise((r) => setTimeout(r, 50)) } catch {} }");
  const { result } = await notebook.run(
    "for (let i = 0; i < 5; i++) { collect(); await new Promise((r) => setTimeout(r, 20)) }\n'alive'",
  );
  assert.equal(result, "'alive'");
});

test("values that were shown or thrown can be freed", async () => {
  await notebook.run(
    'require("node:v8").setFlagsFromString("--expose-gc"); const free = require("node:vm").runInNewContext("gc") as () => void; let held: object | undefined, refs: WeakRef<object>[] = []',
  );
  await notebook.run("held = { shown: new Array(10) }; refs.push(new WeakRef(held)); held");
  await notebook.run("held = new Error('thrown'); refs.push(new WeakRef(held)); throw held");
  const { result } = await notebook.run(
    "held = undefined; for (let i = 0; i < 3; i++) { await new Promise((r) => setTimeout(r, 10)); free() }\nrefs.map((ref) => ref.deref() === undefined)",
  );
  assert.equal(result, "[ true, true ]");
});

test("an interrupted await runs its finally block", async () => {
  const ran = await interrupted("try { await new Promise(() => {}) } finally { console.log('cleaned up') }");
  assert.equal(ending(ran), INTERRUPTED);
  assert.equal(ran.stdout, "cleaned up\n");
});

test("a finally block that does not end is stopped too, and variables are kept", async () => {
  await notebook.run("let survives = 7");
  const running = notebook.run(
    "let tidying = false; try { await new Promise(() => {}) } finally { tidying = true; while (true) {} }",
  );
  await sleep(400);
  notebook.interrupt();
  assert.equal(ending(await running), INTERRUPTED);
  assert.equal((await notebook.run("[survives, tidying]")).result, "[ 7, true ]");
});

test("an interrupted for await closes its iterator", async () => {
  await interrupted(
    "let closed = false; for await (const _ of (async function* () { try { while (true) { await new Promise((r) => setTimeout(r, 5)); yield 1 } } finally { closed = true } })()) {}",
  );
  assert.equal((await notebook.run("await new Promise((r) => setTimeout(r, 50)); closed")).result, "true");
});

test("a session that a cell has left without a Promise that works says so on each cell, until it is reset", async () => {
  await notebook.run("(globalThis as any).Promise = class {}");
  const { outcome } = await notebook.run("1 + 1");
  assert.match(JSON.stringify(outcome), /Promise\.resolve is not a function.*%reset/);
  assert.equal((await notebook.run("%reset\n1 + 1")).result, "2");
});

test("an interrupt while no cell runs does nothing", async () => {
  notebook.interrupt();
  assert.equal((await notebook.run("1 + 1")).result, "2");
});

const deaths: Readonly<Record<string, { code: string; says: RegExp }>> = {
  "process.exit": { code: "process.exit(3)", says: /exit code 3: process\.exit\(3\) was called/ },
  "process.abort": { code: "process.abort()", says: /aborted \(SIGABRT\)/ },
  "a kill from outside": { code: "process.kill(process.pid, 'SIGKILL'); while (true) {}", says: /killed \(SIGKILL\)/ },
  "a crash in native code": {
    code: "process.kill(process.pid, 'SIGSEGV'); while (true) {}",
    says: /Native code crashed the session \(SIGSEGV/,
  },
};

for (const [name, { code, says }] of Object.entries(deaths)) {
  test(`${name} is told on the cell, and the next cell runs in a fresh session`, async () => {
    await notebook.run("let lost = 1");
    const ran = await notebook.run(`console.log("before"); ${code}`);
    assert.match(ending(ran), /^SessionEnded: /);
    assert.match(ending(ran), says);
    assert.match(ending(ran), /variables are lost/);
    assert.equal(ran.stdout, "before\n");
    assert.doesNotMatch(ran.stderr, /debugger/);
    assert.match(ending(await notebook.run("lost")), /Cannot find name 'lost'/);
    assert.equal((await notebook.run("let lost = 2; lost")).result, "2");
  });
}

test("an exhausted heap is told on the cell, with the remedy", async (t) => {
  const { NODE_OPTIONS } = process.env;
  // A small heap, or it takes half a minute to fill.
  process.env["NODE_OPTIONS"] = "--max-old-space-size=60";
  const small = new TestNotebook();
  t.after(async () => {
    if (NODE_OPTIONS === undefined) delete process.env["NODE_OPTIONS"];
    else process.env["NODE_OPTIONS"] = NODE_OPTIONS;
    await small.close();
  });
  const ran = await small.run(
    "const hoard: unknown[] = []; while (true) hoard.push(new Array(10_000).fill(hoard.length / 3))",
  );
  assert.match(ending(ran), /^SessionEnded: .*ran out of JavaScript heap memory.*--max-old-space-size/);
  assert.equal((await small.run("1 + 1")).result, "2");
});

test("a session that ends between cells is told of on the last cell", async () => {
  const ran = await notebook.run("setTimeout(() => process.exit(7), 50); 1");
  assert.equal(ran.result, "1");
  const error = await eventually(() => ran.messages.find(({ type }) => type === "error"));
  assert.match(String(error.content["evalue"]), /exit code 7/);
  assert.equal((await notebook.run("1 + 1")).result, "2");
});

test("a late rejection is shown on the cell that made it, and the session lives", async () => {
  await notebook.run("let still = 'here'");
  const ran = await notebook.run(
    "void (async () => { await new Promise((r) => setTimeout(r, 60)); throw new Error('too late') })(); 1",
  );
  assert.equal(ending(ran), "ok");
  await notebook.run("await new Promise((r) => setTimeout(r, 100))");
  const error = await eventually(() => ran.messages.find(({ type }) => type === "error"));
  assert.equal(error.content["evalue"], "too late");
  assert.equal((await notebook.run("still")).result, "'here'");
});

test("a library that throws uncaught errors again does not end the session", async () => {
  await notebook.run(
    `let survives = 1;
     process.on("uncaughtException", (error) => { throw error });
     process.on("unhandledRejection", (reason) => { throw reason });`,
  );
  const rejected = await notebook.run("void Promise.reject(new Error('rejected')); 1");
  const thrown = await notebook.run("setTimeout(() => { throw new Error('thrown') }, 1); 1");
  for (const [ran, evalue] of [
    [rejected, "rejected"],
    [thrown, "thrown"],
  ] as const) {
    const error = await eventually(() => ran.messages.find(({ type }) => type === "error"));
    assert.equal(error.content["evalue"], evalue);
  }
  const { result } = await notebook.run('process.removeAllListeners("uncaughtException"); survives');
  assert.equal(result, "1");
});

test("late output goes to the cell that started it", async () => {
  const first = await notebook.run("setTimeout(() => console.log('from the first'), 60); 1");
  const second = await notebook.run("await new Promise((r) => setTimeout(r, 120)); console.log('from the second')");
  assert.equal(second.stdout, "from the second\n");
  const stream = await eventually(() => first.messages.find(({ type }) => type === "stream"));
  assert.equal(stream.content["text"], "from the first\n");
});

test("a traceback shows the user's own line, through functions, awaits and cells", async () => {
  await notebook.run(
    "type Erased = { gone: string }\n\nasync function deep(value: any): Promise<number> {\n  await null\n  return value.inner.x\n}",
  );
  const text = traceback(await notebook.run("// a comment\nawait deep({})"));
  assert.match(text, /^TypeError: Cannot read properties of undefined \(reading 'x'\)/);
  assert.match(text, /❯ 5 │ {3}return value\.inner\.x\n {4}│ {22}\^/);
  assert.match(text, /at deep \(In \[\d+\]:5:\d+\)/);
  assert.match(text, /at async In \[\d+\]:2:1|at In \[\d+\]:2:1/);
  assert.doesNotMatch(text, /session|runner|node:internal|__cell__|evaluate/);
});

test("what a package does within itself is a line of a traceback, and %tb shows it all", async () => {
  const folder = `${notebook.folder}/node_modules/@own/deep`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/package.json`, '{"name":"@own/deep","type":"module","exports":"./index.js"}');
  writeFileSync(
    `${folder}/index.js`,
    "function b(x) { return x(); }\nfunction a(x) { return b(x); }\n" +
      'export function call(x) { return a(x); }\nexport function wrong() { throw new RangeError("too deep"); }\n',
  );
  await notebook.run("%notype\nimport { call, wrong } from '@own/deep'");
  const text = traceback(await notebook.run("%notype\ncall(() => wrong())"));
  assert.match(text, /^RangeError: too deep/);
  assert.match(
    text,
    / at wrong \(.*deep\/index.js:4:33\)\n {2}at .*In \[\d+\]:2:12.*\n {4}… 3 frames of @own\/deep \(%tb shows them\)\n {2}at In/,
  );
  const full = await notebook.run("%tb");
  const shown = stripVTControlCharacters(
    String(
      (full.messages.find(({ type }) => type === "display_data")?.content["data"] as Record<string, unknown>)[
        "text/plain"
      ],
    ),
  );
  assert.match(shown, /at b \(.*:1:24\)\n {2}at a \(.*:2:24\)\n {2}at call \(.*:3:34\)\n {2}at In/);
});

test("a traceback tells of causes and of the parts of an aggregate", async () => {
  const text = traceback(await notebook.run("throw new Error('outer', { cause: new RangeError('inner') })"));
  assert.match(text, /Error: outer[^]*caused by\nRangeError: inner/);
  // Of the same line: it is shown once.
  assert.equal(text.match(/❯ 1 │/g)?.length, 1);
  const apart = await notebook.run(
    "try {\n  null!.x;\n} catch (cause) {\n  throw new Error('outer', { cause });\n}".replace(
      "null!.x",
      "(null as any).x",
    ),
  );
  assert.equal(traceback(apart).match(/❯ [24] │/g)?.length, 2);
  const parts = traceback(
    await notebook.run("await Promise.any([Promise.reject(new Error('a')), Promise.reject(new Error('b'))])"),
  );
  assert.match(parts, /error 1 of 2\nError: a[^]*error 2 of 2\nError: b/);
});

test("error.stack itself names cells and lines", async () => {
  const { result } = await notebook.run("\nnew Error('x').stack?.split('\\n')[1]?.trim()");
  assert.match(result ?? "", /^'at In \[\d+\]:2:1'$/);
});

test("display shows by hook, by outerHTML and as text; update changes in place", async () => {
  const ran = await notebook.run(
    `const shown = display({ [Symbol.for("Jupyter.display")]: () => ({ "text/markdown": "*hi*" }) });
     display({ outerHTML: "<i>x</i>" }); display([1]);
     shown.update({ [Symbol.for("Jupyter.display")]: async () => ({ "text/plain": "later" }) });`,
  );
  const data = ran.messages.map(({ type, content }) => [type, content["data"]]);
  assert.deepEqual(data.slice(0, 3), [
    ["display_data", { "text/markdown": "*hi*", "text/plain": "*hi*" }],
    ["display_data", { "text/html": "<i>x</i>", "text/plain": "<i>x</i>" }],
    ["display_data", { "text/plain": "[ 1 ]" }],
  ]);
  const update = await eventually(() => ran.messages.find(({ type }) => type === "update_display_data"));
  assert.deepEqual(update.content["data"], { "text/plain": "later" });
  assert.deepEqual(update.content["transient"], ran.messages[0]?.content["transient"]);
});

test("display's own kinds carry their MIME types", async () => {
  const ran = await notebook.run(
    `display.html("<b>h</b>"); display.svg("<svg/>"); display.markdown("*m*"); display.latex("x^2"); display.json({ a: 1 });
     display.image(new Uint8Array([0x89, 0x50, 0x4e, 0x47, 1])); display.plotly([{ y: [1] }]); display.table([{ a: 1, b: "<" }]);
     display.clear({ wait: true });`,
  );
  const kinds = ran.messages.map(
    ({ type, content }) => Object.keys((content["data"] as object | undefined) ?? { [type]: 0 })[0],
  );
  assert.deepEqual(kinds, [
    ...["text/html", "image/svg+xml", "text/markdown", "text/latex", "application/json", "image/png"],
    ...["application/vnd.plotly.v1+json", "text/html", "clear_output"],
  ]);
  assert.match(JSON.stringify(ran.messages[7]), /&lt;/);
  assert.deepEqual(ran.messages[8]?.content, { wait: true });
  const unknown = await notebook.run("display.image(new Uint8Array([1, 2, 3]))");
  assert.match(ending(unknown), /^TypeError: display\.image: what kind of image is this\?/);
});

test("a display hook that fails says so, and on its cell", async () => {
  const ran = await notebook.run(`display({ [Symbol.for("Jupyter.display")]() { throw new Error("no picture") } })`);
  assert.equal(ending(ran), "Error: no picture");
});

test("many updates are merged, and the last is shown before the cell ends", async () => {
  const ran = await notebook.run("const counter = display(0); for (let i = 1; i <= 1000; i++) counter.update(i)");
  const updates = ran.messages.filter(({ type }) => type === "update_display_data");
  assert.ok(updates.length < 20, `${updates.length} updates`);
  assert.deepEqual(updates.at(-1)?.content["data"], { "text/plain": "1000" });
});

test("an update of a plotly figure comes with something else before it, and seldom", async () => {
  const ran = await notebook.run(
    `const figure = (n: number) => ({ [Symbol.for("Jupyter.display")]: () => ({ "application/vnd.plotly.v1+json": { data: [n], layout: { height: 200 } } }) });
     const live = display(figure(0));
     for (let i = 1; i <= 20; i++) { live.update(figure(i)); await new Promise((r) => setTimeout(r, 30)) }`,
  );
  const updates = ran.messages
    .filter(({ type }) => type === "update_display_data")
    .map(({ content }) => content["data"] as Json);
  assert.ok(updates.length <= 8, `${updates.length} updates`);
  for (const [i, data] of updates.entries()) {
    if (i % 2 === 0) assert.deepEqual(data, { "text/html": '<div style="height: 200px"></div>' });
    else assert.ok("application/vnd.plotly.v1+json" in data);
  }
  assert.deepEqual((updates.at(-1)?.["application/vnd.plotly.v1+json"] as Json)["data"], [20]);
});

test("a long line and much output arrive whole and in order", async () => {
  const ran = await notebook.run(
    "console.log('x'.repeat(5_000_000)); for (let i = 0; i < 3; i++) { console.log(i); console.error(i) }",
  );
  assert.equal(ran.stdout.length, 5_000_000 + 1 + 6);
  assert.equal(ran.stderr, "0\n1\n2\n");
});

test("control characters in what native code prints are only text", async () => {
  const ran = await notebook.run('require("node:fs").writeSync(1, "\\u0000\\u001b[x 1]\\u0000 and \\u0000 more"); 1');
  assert.equal(ran.stdout, "\u0000\u001b[x 1]\u0000 and \u0000 more");
});

test("what native code prints is all before the end of its cell", async () => {
  for (let cell = 0; cell < 20; cell++) {
    const ran = await notebook.run(
      `for (const fd of [1, 2]) require("node:fs").writeSync(fd, "${cell} ".repeat(10_000)); 1`,
    );
    assert.deepEqual([ran.stdout, ran.stderr], Array(2).fill(`${cell} `.repeat(10_000)));
  }
});

test("a child that goes on writing does not hold up the end of a cell", async () => {
  const start = `const flood = require("node:child_process").spawn(process.execPath, ["-e",
    "const b = Buffer.alloc(1000, 'x'); for (;;) require('fs').writeSync(1, b)"], { stdio: "inherit" });
    await new Promise((r) => setTimeout(r, 300)); 1`;
  assert.equal((await notebook.run(start)).result, "1");
  assert.equal((await notebook.run("flood.kill(); 2")).result, "2");
});

test("a package installed while the notebook runs is found by the next cell", async () => {
  assert.match(
    ending(await notebook.run('import { v } from "brand-new"')),
    /Install it in the notebook's folder: npm install brand-new|Cannot find module 'brand-new'/,
  );
  const folder = `${notebook.folder}/node_modules/brand-new`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    `${folder}/package.json`,
    JSON.stringify({ name: "brand-new", type: "module", exports: { types: "./i.d.ts", default: "./i.js" } }),
  );
  writeFileSync(`${folder}/i.js`, "export const v = 'esm only';");
  writeFileSync(`${folder}/i.d.ts`, "export declare const v: string;");
  assert.equal((await notebook.run('import { v } from "brand-new"; v.length')).result, "8");
});

test("what cells have started ends with the session, and holds nothing up", async () => {
  const started = await notebook.run(
    `const child = require("node:child_process").spawn("sleep", ["600"], { stdio: "inherit" }); child.pid as number`,
  );
  const pid = Number(started.result);
  assert.ok(process.kill(pid, 0));
  assert.match(ending(await notebook.run("process.exit(3)")), /process\.exit\(3\) was called/);
  await eventually(() => {
    try {
      process.kill(pid, 0);
      return undefined;
    } catch {
      return true;
    }
  });
});

test("a session that closes its pipes is ended, and that is said", async () => {
  const ran = await notebook.run('require("node:fs").closeSync(4)');
  assert.match(ending(ran), /^SessionEnded: The session closed its pipes to the kernel/);
  assert.equal((await notebook.run("1 + 1")).result, "2");
});
