/** What cells print: the whole console, native output, children, and many errors that nobody handles. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { ending, TestNotebook } from "./testing.js";

let notebook: TestNotebook;
before(() => {
  notebook = new TestNotebook();
});
after(() => notebook.close());

const printed: Readonly<Record<string, { code: string; stdout?: string | RegExp; stderr?: string | RegExp }>> = {
  "log, info and debug": {
    code: "console.log(1); console.info('a', 2); console.debug({ x: 1 })",
    stdout: "1\na 2\n{ x: 1 }\n",
  },
  "warn and error go to stderr": { code: "console.warn(1); console.error(2)", stderr: "1\n2\n" },
  formats: {
    code: "console.log('%s is %d, %i, %j, %o %%', 'x', 1.5, 1.5, { a: 1 }, [1])",
    stdout: /^x is 1\.5, 1, \{"a":1\}, \[ 1, \[length\]: 1 \] %\n$/,
  },
  "no colours unless asked for": {
    code: "console.log({ a: 1 }); console.dir({ a: 1 }, { colors: true })",
    stdout: "{ a: 1 }\n{ a: \u001b[33m1\u001b[39m }\n",
  },
  dirxml: { code: "console.dirxml({ a: 1 })", stdout: "{ a: 1 }\n" },
  table: { code: "console.table([{ a: 1 }])", stdout: /│ 0 .*│ 1 │/ },
  "groups, nested": {
    code: "console.group('one'); console.log('a\\nb'); console.groupCollapsed('two'); console.warn('c'); console.groupEnd(); console.log('d'); console.groupEnd(); console.log('e')",
    stdout: "one\n  a\n  b\n  two\n  d\ne\n",
    stderr: "    c\n",
  },
  "one groupEnd too many": { code: "console.groupEnd(); console.log('a')", stdout: "a\n" },
  counts: {
    code: "console.count('n'); console.count('n'); console.countReset('n'); console.count('n')",
    stdout: "n: 1\nn: 2\nn: 1\n",
  },
  times: {
    code: "console.time('t'); console.timeLog('t', 'so far'); console.timeEnd('t')",
    stdout: /^t: [\d.]+m?s so far\nt: [\d.]+m?s\n$/,
  },
  "failed assertions": {
    code: "console.assert(true, 'no'); console.assert(false, 'yes')",
    stderr: "Assertion failed: yes\n",
  },
  "trace, in the user's own lines": {
    code: "function here() {\n  console.trace('way')\n}\nhere()",
    stderr: /^Trace: way\n {4}at here \(In \[\d+\]:2:11\)\n {4}at In \[\d+\]:4:1\n$/,
  },
  "what only a debugger hears": {
    code: "console.timeStamp('x'); console.profile('y'); console.profileEnd('y')",
    stdout: "",
  },
  "process.stdout, text and bytes, a character cut in two": {
    code: "process.stdout.write('a'); process.stdout.write(Buffer.from([0xc3])); process.stdout.write(Buffer.from([0xa4])); process.stdout.write('7a', 'hex')",
    stdout: "aäz",
  },
  "a callback of write": {
    code: "await new Promise<void>((done) => process.stdout.write('x', () => done())); console.log('y')",
    stdout: "xy\n",
  },
  "a pipe into stdout": {
    code: "import { pipeline } from 'node:stream/promises'; import { Readable } from 'node:stream';\nawait pipeline(Readable.from(['a', 'b']), process.stdout, { end: false }); console.log()",
    stdout: "ab\n",
  },
  "carriage returns and colours as they are": {
    code: "process.stdout.write('10 %\\r20 %\\r'); process.stdout.write('\\x1b[32mgreen\\x1b[0m')",
    stdout: "10 %\r20 %\r\u001b[32mgreen\u001b[0m",
  },
  "children that inherit the streams": {
    code: "import { spawnSync } from 'node:child_process'; spawnSync('sh', ['-c', 'echo out; echo err >&2'], { stdio: 'inherit' }); 1",
    stdout: "out\n",
    stderr: "err\n",
  },
  "writes to the descriptors": {
    code: "import { writeSync } from 'node:fs'; writeSync(1, 'one'); writeSync(2, 'two')",
    stdout: "one",
    stderr: "two",
  },
};

for (const [name, { code, stdout = "", stderr = "" }] of Object.entries(printed)) {
  test(`the console: ${name}`, async () => {
    const ran = await notebook.run(code);
    assert.equal(ending(ran), "ok");
    for (const [text, wanted] of [
      [ran.stdout, stdout],
      [stripVTControlCharacters(ran.stderr), stderr],
    ] as const) {
      if (typeof wanted === "string") assert.equal(text, wanted);
      else assert.match(text, wanted);
    }
  });
}

test("a cell that fails within a group does not indent the next", async () => {
  await notebook.run("console.group('g'); throw new Error('x')");
  assert.equal((await notebook.run("console.log('next')")).stdout, "next\n");
});

test("console.clear removes what the cell has shown", async () => {
  const ran = await notebook.run("console.log('gone'); console.clear(); console.log('stays')");
  assert.deepEqual(
    ran.messages.map(({ type }) => type),
    ["stream", "clear_output", "stream"],
  );
});

test("a hundred thousand lines come whole and in order, in few messages", async () => {
  const ran = await notebook.run("for (let i = 0; i < 100_000; i++) console.log(i)");
  assert.equal(ran.stdout, Array.from({ length: 100_000 }, (_, i) => `${i}\n`).join(""));
  assert.ok(ran.messages.length < 20_000, `${ran.messages.length} messages`);
});

test("stdout, stderr and displays keep their order", async () => {
  const ran = await notebook.run("console.log(1); console.error(2); display('x'); console.log(3); console.log(4)");
  assert.deepEqual(
    ran.messages.map(({ type, content }) =>
      type === "stream" ? `${String(content["name"])} ${String(content["text"])}` : type,
    ),
    ["stdout 1\n", "stderr 2\n", "display_data", "stdout 3\n4\n"],
  );
});

test("what native code prints with printf comes with its cell", async (t) => {
  const source = join(notebook.folder, "print.c");
  const library = join(notebook.folder, "print.node");
  writeFileSync(
    source,
    `#include <stdio.h>\n__attribute__((constructor)) static void hello(void) { printf("from C\\n"); }\n`,
  );
  try {
    execFileSync("cc", ["-shared", "-fPIC", "-o", library, source], { stdio: "pipe" });
  } catch {
    t.skip("no C compiler");
    return;
  }
  // The library is no add-on; its constructor has run by the time that Node says so.
  const ran = await notebook.run(`try { process.dlopen({ exports: {} }, ${JSON.stringify(library)}) } catch {}`);
  assert.equal(ran.stdout, "from C\n");
});

test("an error that is thrown a thousand times a second is shown a few times, then counted", async () => {
  const ran = await notebook.run(
    "let thrown = 0; const timer = setInterval(() => { for (let i = 0; i < 100; i++) void Promise.reject(new Error(`again ${++thrown}`)) }, 1); 1",
  );
  const errors = () => ran.messages.filter(({ type }) => type === "error");
  const counted = () => errors().find(({ content }) => /more errors in/.test(String(content["traceback"])));
  while (counted() === undefined) await sleep(20);
  await notebook.run("clearInterval(timer)");
  assert.match(String((counted()?.content["traceback"] as string[])[0]), /^[\d,]+ more errors in 1 s, the latest:$/);
  assert.ok(errors().length <= 12, `${errors().length} errors`);
  assert.equal(errors()[0]?.content["evalue"], "again 1");
});

test("a cell ends though V8 has thrown away the code that flushes C's stdout, as it does with code that rests", async (t) => {
  const young = new TestNotebook();
  t.after(() => young.close());
  assert.equal(ending(await young.run("1")), "ok");
  const ran = await young.run(`
    import { setFlagsFromString } from "node:v8";
    import { runInNewContext } from "node:vm";
    setFlagsFromString("--stress-flush-code");
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      collectGarbage();
    }
    setFlagsFromString("--no-stress-flush-code");`);
  assert.equal(ending(ran), "ok");
});

test("a warning of Node's is told on its cell, with the place, and without what only a command line can use", async () => {
  const { stderr } = await notebook.run(
    `const emitter = new (require("node:events").EventEmitter)();
     for (let i = 0; i < 11; i++) emitter.on("x", () => 0);
     process.emitWarning("careful", { code: "W1", detail: "because" });`,
  );
  const [listeners, at, ...rest] = stderr.split("\n");
  assert.match(listeners ?? "", /^MaxListenersExceededWarning: Possible EventEmitter memory leak/);
  assert.match(at ?? "", /^ {4}at In \[\d+\]:2:/);
  assert.deepEqual(rest.slice(0, 2), ["Warning: careful [W1]", "because"]);
  assert.match(rest.slice(2).join("|"), /^ {4}at In \[\d+\]:3:\d+\|$/);
});
