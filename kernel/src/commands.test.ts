/** The commands of cells: `%time`, `!ls` and the others, in a session. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters as plain } from "node:util";
import { ending, TestNotebook, type Ran } from "./testing.js";

let notebook: TestNotebook;
before(() => {
  notebook = new TestNotebook();
});
after(() => notebook.close());

/** Runs cells one after the other, of which all but the last must succeed; returns what the last one has left. */
async function run(...cells: string[]): Promise<Ran> {
  let ran: Ran | undefined;
  for (const [i, cell] of cells.entries()) {
    ran = await notebook.run(cell);
    if (i < cells.length - 1) assert.equal(ending(ran), "ok", cell);
  }
  assert.ok(ran);
  return ran;
}

function traceback({ outcome }: Ran): string {
  return outcome.status === "ok" ? "" : plain(outcome.traceback.join("\n"));
}

function shown(ran: Ran, type: string): string {
  const message = ran.messages.find(({ type: name }) => name === "display_data");
  return String((message?.content["data"] as Record<string, unknown> | undefined)?.[type]);
}

const TIMES = /^Wall time: \d[\d.]* (µs|ms|s), CPU time: \d[\d.]* (µs|ms|s) \(user .*, system .*\)\n$/;

test("%time shows the time of an expression, whose value is the cell's", async () => {
  const ran = await run("%time 6 * 7");
  assert.equal(ending(ran), "ok");
  assert.equal(ran.result, "42");
  assert.match(ran.stdout, TIMES);
});

test("%time awaits a promise", async () => {
  const ran = await run("%time new Promise((r) => setTimeout(() => r('done'), 120))");
  assert.equal(ran.result, "'done'");
  assert.match(ran.stdout, /^Wall time: (1[2-9]\d|[2-9]\d\d) ms|^Wall time: [\d.]+ s/);
});

test("%time times a declaration, which later cells see", async () => {
  const ran = await run("%time const timed1 = [1, 2].map((x) => x * 2)", "timed1");
  assert.equal(ran.result, "[ 2, 4 ]");
});

test("%time takes an expression of several lines, and leaves the lines after it alone", async () => {
  const ran = await run("const t2 = 1\n%time Math.max(\n  1,\n  2,\n)\n'after'");
  assert.equal(ran.result, "'after'");
  assert.match(ran.stdout, TIMES);
});

test("an error in what %time times is located in the cell as written", async () => {
  assert.match(traceback(await run("%time nothing.there")), /In \[\d+\]:1:7 - error TS2304/);
  const thrown = await run("const t3 = 1;\n%time [1].map(() => { throw new Error('in time') })");
  assert.match(traceback(thrown), /In \[\d+\]:2:29/);
});

test("%%time shows the time of a cell, after its output and before its value", async () => {
  const ran = await run("%%time\nconsole.log('out')\nawait 1\n'value'");
  assert.match(ran.stdout, /^out\nWall time/);
  assert.equal(ran.result, "'value'");
  const types = ran.messages.map(({ type }) => type);
  assert.ok(types.indexOf("execute_result") > types.lastIndexOf("stream"));
});

test("commands that are none: in templates, comments and strings, within brackets, and remainders", async () => {
  for (const [code, result] of [
    ["const m1 = `\n%time x\n!ls\n`; m1", String.raw`'\n%time x\n!ls\n'`],
    ["/*\n%time x\n!ls\n*/ 1", "1"],
    ["let m2 = 7, time = 4\nconst m3 = m2\n  %time\nm3", "3"],
    ["let m5 = 7, b5 = 4\nconst m6 = m5\n%b5\nm6", "3"],
    ["const m7 = [\n  true,\n  !m7a(),\n]\nfunction m7a() { return true }\nm7", "[ true, false ]"],
    ["const m8 = true &&\n!Boolean(0)\nm8", "true"],
    ["!(1 > 2)", "true"],
    ["!!1", "true"],
  ]) {
    const ran = await run(code ?? "");
    assert.equal(ending(ran), "ok", code);
    assert.equal(ran.result, result, code);
    assert.equal(ran.stdout, "", code);
  }
});

test("a command ends the line above it, also where that has no semicolon", async () => {
  const ran = await run("const n1 = 1\n%time n1 + 1\nconst n2 = n1\n!echo shell\n[n2]");
  assert.equal(ending(ran), "ok");
  assert.equal(ran.result, "[ 1 ]");
  assert.match(ran.stdout, /Wall time.*\nshell\n/);
});

test("an unknown command names the nearest one, at its place", async () => {
  const ran = await run("const u1 = 1\n%tiem u1");
  assert.equal(ending(ran), "CommandError: There is no command %tiem. Did you mean %time? %help lists all of them.");
  assert.match(traceback(ran), /In \[\d+\]:2:1 - error:[^]*2 %tiem u1\n {2}~~~~~/);
  assert.match(ending(await run("%%tim\n1")), /There is no command %%tim. Did you mean %%time\?/);
  assert.match(ending(await run("%matplotlob inline")), /There is no command %matplotlob. %help lists/);
  assert.match(ending(await run("1\n%%time")), /%%time is about a whole cell: it stands on the first line/);
  assert.match(ending(await run("%time")), /%time needs something to time/);
});

test("a command of IPython's is told what does the same", async () => {
  assert.equal(
    ending(await run("%matplotlib inline")),
    "CommandError: There is no command %matplotlib. Nothing has to be switched on: display.plotly and display.vega " +
      "show charts. %help lists all of them.",
  );
  assert.match(ending(await run("%%html\n<b>x</b>")), /There is no command %%html. display.html/);
  assert.match(ending(await run("%pip install x")), /Packages of cells come from npm: %npm install/);
});

test("%timeit times an expression by many evaluations of it, whose values it does not keep", async () => {
  const LINE =
    /^\d[\d.]* (ns|µs|ms|s) ± \d[\d.]* (ns|µs|ms|s) a call \(\d runs of [\d,]+ calls?, the fastest \d[\d.]* (ns|µs|ms|s)\)\n$/;
  const quick = await run("let timed = 0\nconst f = () => ++timed", "%timeit f()\n");
  assert.equal(ending(quick), "ok");
  assert.match(quick.stdout, LINE);
  assert.equal(quick.result, undefined);
  assert.equal((await run("timed > 700")).result, "true");
  const slow = await run("let slept = 0", "%timeit (await new Promise((r) => setTimeout(r, 150)), ++slept)");
  const [, runs] = /^\d[\d.]* m?s ± .* \(([37]) runs of 1 call,/.exec(slow.stdout) ?? [];
  // One evaluation comes before, and one finds out how many a run is to have.
  assert.equal((await run("slept")).result, String(Number(runs) + 2));
  const { stdout, result } = await run("const one = 1\n%timeit one + 1;\n[one]");
  assert.match(stdout, LINE);
  assert.equal(result, "[ 1 ]");
});

test("%timeit says what it takes, and what its expression throws", async () => {
  assert.match(ending(await run("%timeit const x = 1")), /CommandError: %timeit takes an expression: a declaration/);
  assert.match(ending(await run("%timeit")), /CommandError: %timeit needs something to time: %timeit f\(x\)\./);
  const thrown = await run("1\n%timeit undefined!.x as never");
  assert.match(ending(thrown), /^TypeError|^TypeScriptError/);
  assert.match(ending(await run("%timeit noSuchName + 1")), /Cannot find name 'noSuchName'/);
});

test("%who shows names with their types and values", async () => {
  const ran = await run(
    "const whoNumber = 42; class WhoClass {}; interface WhoShape { a: 1 }",
    "const whoText = 'x'\n%who who\nconst whoLater = 1",
  );
  assert.equal(ending(ran), "ok");
  assert.equal(
    shown(ran, "text/plain"),
    "WhoClass   class\nwhoNumber  42         42\nWhoShape   interface\nwhoText    \"x\"        'x'",
  );
  assert.match(shown(ran, "text/html"), /<table>.*whoNumber/s);
  assert.match(shown(await run("%who no such thing"), "text/plain"), /No name and no type has "no such thing" in it/);
});

test("%who cuts a type that is long", async () => {
  const ran = await run(
    "const whoLong = { a1: 1, b2: 2, c3: 3, d4: 4, e5: 5, f6: 6, g7: 7, h8: 8, i9: 9, j10: 10, k11: 11 }\nlet whoBrief = 1",
    "%who who",
  );
  const [brief = "", long = ""] = shown(ran, "text/plain")
    .split("\n")
    .filter((line) => /whoBrief|whoLong/.test(line));
  assert.match(long, /^whoLong +\{ a1: number; b2: number; .*… {2}\{/);
  assert.ok(brief.length < 120, brief);
});

test("%help shows every command", async () => {
  const ran = await run("%help");
  for (const name of ["%time", "%%time", "%reset", "%who", "%load", "%notype", "%npm", "!command"]) {
    assert.ok(shown(ran, "text/markdown").includes(`| \`${name}`), name);
  }
});

test("%load puts a file's text in the cell's place", async () => {
  writeFileSync(join(notebook.folder, "loaded.ts"), "export const loaded = 1;\n");
  const { outcome } = await run("%load loaded.ts");
  assert.deepEqual(outcome, {
    status: "ok",
    payload: [{ source: "set_next_input", text: "// %load loaded.ts\nexport const loaded = 1;\n", replace: true }],
  });
  const missing = await run("1;\n%load none.ts");
  assert.match(ending(missing), /CommandError: %load: there is no file .*none\.ts/);
  assert.match(traceback(missing), /In \[\d+\]:2:1/);
  assert.deepEqual((await run("1")).outcome, { status: "ok" });
});

test("%notype runs a cell whose types are wrong, and %notype on all later cells", async () => {
  const wrong = "const wrong: number = 'text'; wrong";
  assert.match(ending(await run(wrong)), /TypeScriptError/);
  assert.equal((await run(`%notype\n${wrong}`)).result, "'text'");
  assert.equal((await run(`%%notype\n${wrong}`)).result, "'text'");
  assert.match(ending(await run(wrong)), /TypeScriptError/);
  assert.equal((await run("%notype on", wrong)).result, "'text'");
  assert.match(ending(await run("const = 1")), /SyntaxError/);
  assert.match(ending(await run("%notype off", wrong)), /TypeScriptError/);
  assert.match(ending(await run("%notype perhaps")), /%notype is followed by on, by off, or by nothing/);
});

test("%reset runs the cell in a fresh session, and says so", async () => {
  const mark = "(globalThis as { mark?: number }).mark";
  const ran = await run(`let before1 = 1; ${mark} = 1`, `%reset\ntypeof ${mark}`);
  assert.equal(ending(ran), "ok");
  assert.equal(ran.stdout, "A fresh session has been started: all variables are gone.\n");
  assert.equal(ran.result, "'undefined'");
  assert.match(ending(await run("before1")), /Cannot find name 'before1'/);
  assert.match(ending(await run("1\n%reset")), /%reset stands on the first line/);
});

test("! runs a line of the shell; its output is live, its status is told of, and the cell goes on", async () => {
  const ran = await run("!echo out; echo err >&2; printf '\\033[31mred\\033[0m\\n'; exit 3\n'next'");
  assert.equal(ending(ran), "ok");
  assert.equal(ran.stdout, "out\n\u001b[31mred\u001b[0m\n");
  assert.equal(plain(ran.stderr), "err\nThe command ended with status 3.\n");
  assert.equal(ran.result, "'next'");
  assert.match((await run("!no-such-program")).stderr, /ended with status 127.*write \(!value\)/);
});

test("! puts in the values of {expressions}", async () => {
  const ran = await run(
    "const shown1 = 'a b', list1 = [1, 2]",
    "!echo {shown1.toUpperCase()}{list1} \"{list1.length + 1}\" '{shown1}' {x,y} ${HOME:+home} \\{no\\} {list1.map((x) => { return x * 2 })}",
  );
  assert.equal(ending(ran), "ok");
  // `sh` may know no brace expansion.
  assert.match(ran.stdout, /^A B1 2 3 \{shown1\} (\{x,y\}|x y) home \{no\} 2 4\n$/);
  assert.match(traceback(await run("!echo {nowhere}")), /In \[\d+\]:1:8 - error TS2304/);
});

test("! goes on in the next line after a backslash", async () => {
  const ran = await run("!echo one \\\n  two\n'last'");
  assert.equal(ran.stdout, "one two\n");
  assert.equal(ran.result, "'last'");
});

test("an interrupt ends what ! has started, and all that this has started", async () => {
  const file = join(notebook.folder, "pids");
  const ends = run(`!sleep 300 & echo $! $$ > ${file}; while true; do sleep 0.05; echo tick; done`);
  const pids = (): string[] =>
    (existsSync(file) ? readFileSync(file, "utf8").split(/\s/) : []).filter((pid) => pid !== "");
  while (pids().length < 2) await sleep(20);
  notebook.interrupt();
  assert.match(ending(await ends), /^KeyboardInterrupt/);
  for (const pid of pids()) while (isAlive(Number(pid))) await sleep(20);
});

test("what ! has started ends with the session", async () => {
  const file = join(notebook.folder, "last-pids");
  await run("void setTimeout(() => process.exit(3), 1000)");
  const ran = await run(`!sleep 300 & echo $! $$ > ${file}; sleep 300`);
  assert.match(ending(ran), /^SessionEnded/);
  for (const pid of readFileSync(file, "utf8").trim().split(" ")) while (isAlive(Number(pid))) await sleep(20);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // What has ended may wait as a zombie where nobody reaps it.
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

test("what a cell of commands shows has no value", async () => {
  assert.equal((await run("1 + 1\n!true")).result, undefined);
});

test("completion knows the commands, and the files after them", async () => {
  mkdirSync(join(notebook.folder, "sub"), { recursive: true });
  writeFileSync(join(notebook.folder, "sub", "inner.ts"), "");
  const texts = async (text: string): Promise<string[]> =>
    (await notebook.complete(text)).items.map((item) => item.text);
  assert.deepEqual(await texts("%ti"), ["%time", "%timeit", "%%time"]);
  assert.deepEqual(await texts("1;\n%n"), ["%notype", "%npm"]);
  assert.deepEqual(await texts("%load sub/"), ["sub/inner.ts"]);
  assert.deepEqual(await texts("!cat sub/in"), ["sub/inner.ts"]);
  assert.ok((await texts("%time 'text'.toUpp")).includes("toUpperCase"));
});

test("npm installs into the notebook's folder, and the next line imports with types", async () => {
  const source = join(notebook.folder, "..", `${notebook.folder.split("/").at(-1)}-package`);
  mkdirSync(source, { recursive: true });
  const write = (version: string, types: string): void => {
    writeFileSync(
      join(source, "package.json"),
      JSON.stringify({
        name: "own-package",
        version,
        main: "main.js",
        ...(types === "" ? {} : { types: "main.d.ts" }),
      }),
    );
    writeFileSync(join(source, "main.js"), `exports.version = ${JSON.stringify(version)};`);
    if (types !== "") writeFileSync(join(source, "main.d.ts"), types);
  };
  write("1.0.0", "");
  assert.match(ending(await run("import { version } from 'own-package'")), /Cannot find module 'own-package'/);
  const pack = (): Promise<Ran> => run(`!cd ${source} && npm pack --silent`);
  await pack();
  const installed = await run(`%npm install --offline ${source}/own-package-1.0.0.tgz`);
  assert.equal(ending(installed), "ok", installed.stderr + installed.stdout);
  assert.match(installed.stdout, /A package.json for this notebook's packages has been made/);
  assert.ok(readFileSync(join(notebook.folder, "package.json"), "utf8").includes("own-package"));
  await run("%npm uninstall own-package", "%reset");
  const used = await run(
    `// first\n%npm install --offline ${source}/own-package-1.0.0.tgz\nimport { version } from 'own-package'\nversion`,
  );
  assert.equal(used.result, "'1.0.0'");
  const wrong = await run(`!npm --version\nimport { version as v1 } from 'own-package'\nv1.x.y.z(;`);
  assert.match(traceback(wrong), /In \[\d+\]:3:/);
  write("1.0.1", "export declare const version: string;");
  await pack();
  const updated = await run(`%npm install --offline ${source}/own-package-1.0.1.tgz`);
  assert.match(updated.stdout, /own-package 1.0.0 is in use in this session; %reset, or a restart, takes up 1.0.1/);
  assert.match(
    ending(await run("import { version as v2 } from 'own-package'; v2.nothing")),
    /Property 'nothing' does not exist on type 'string'/,
  );
  assert.match(
    ending(await run("%npm no-such-subcommand")),
    /CommandError: npm no-such-subcommand ended with status 1/,
  );
});

test("the output of a line for the shell is a value: an array of its lines", async () => {
  const ran = await run(
    "const printed = !printf 'one\\ntwo\\n\\n'",
    "[printed, printed.length, printed.text, printed.status]",
  );
  assert.equal(ran.result, "[ ShellLines(3) [ 'one', 'two', '' ], 3, 'one\\ntwo\\n\\n', 0 ]");
  assert.equal((await run("printed.map((line) => line.length)")).result, "[ 3, 3, 0 ]");
  assert.equal((await run("const none = !true\nnone.length")).result, "0");
});

test("expressions go into a line whose output is a value, which has its type", async () => {
  const ran = await run(
    "const n4 = 2",
    "let two = !printf '%s\\n' {n4} \"{n4 * 2}\"\ntwo = !echo {two[0]} again;\n[...two]",
  );
  assert.equal(ran.result, "[ '2 again' ]");
  assert.match(ending(await run("const wrong: number = !ls -a")), /ShellLines/);
  assert.match(traceback(await run("const w = !echo {nowhere}")), /In \[\d+\]:1:18 - error TS2304.*nowhere/);
});

test("what comes after an exclamation mark is TypeScript where it can be", async () => {
  const ran = await run(
    "const ready4 = true, list4 = [1]",
    "const no4 = !ready4\nconst none4 = !list4.includes(1);\n[no4, none4]",
  );
  assert.equal(ran.result, "[ false, false ]");
  assert.equal((await run("const date = false", "const is4 = !date\nis4")).result, "true");
  assert.equal((await run("const here4 = 0; const nothing4 = !here4 && 'so'\nnothing4")).result, "'so'");
  assert.match((await run("const words4 = !uname\n[words4].flat().length")).result ?? "", /^1$/);
});

test("a name that its own line declares is the program's, unless there was another", async () => {
  assert.match((await run("const uname = !uname\nuname.length")).result ?? "", /^1$/);
  // Now there is one, and it is not to be run by accident.
  assert.match(ending(await run("const uname = !uname")), /^TypeScriptError: 'uname' implicitly has type 'any'/);
  assert.equal((await run("let on4 = true", "on4 = !on4\non4")).result, "false");
});

test("a command whose output is a value tells of its status, and what it writes to stderr is seen", async () => {
  const ran = await run("const bad4 = !echo out; echo oops >&2; exit 3\n[...bad4, bad4.status]");
  assert.equal(ran.result, "[ 'out', 3 ]");
  assert.match(ran.stderr, /oops\n/);
  assert.match(plain(ran.stderr), /ended with status 3/);
});
