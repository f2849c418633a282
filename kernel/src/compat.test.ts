/** Notebooks of Deno's kernel and of tslab, in a session of ours. */
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import { ending, TestNotebook, type Published, type Ran } from "./testing.js";

let notebook: TestNotebook;
before(() => {
  notebook = new TestNotebook();
});
after(() => notebook.close());

/** Runs a cell that must succeed. */
async function run(code: string): Promise<Ran> {
  const ran = await notebook.run(code);
  assert.equal(ending(ran), "ok", code);
  return ran;
}

/** What a cell has shown: its displays and its result, as types of message and data. */
async function shown(code: string): Promise<[type: string, data: unknown][]> {
  const { messages } = await run(code);
  return messages
    .filter(({ type }) => /display_data|execute_result/.test(type))
    .map(({ type, content }) => [type, content["data"]]);
}

function one(messages: readonly Published[], type: string): Published {
  const found = messages.filter((message) => message.type === type);
  assert.equal(found.length, 1, type);
  return found[0] as Published;
}

const PNG = "new Uint8Array([0x89, 0x50, 0x4e, 0x47, 1, 2, 3])";

test("Deno.jupyter.display shows data by MIME type, and replaces it", async () => {
  const { messages } = await run(
    `await Deno.jupyter.display({ "text/plain": "a", "text/html": "<b>a</b>" }, { raw: true, display_id: "d1" });
     await Deno.jupyter.display({ "text/plain": "b" }, { raw: true, update: true, display_id: "d1" })`,
  );
  const { content } = one(messages, "display_data");
  assert.deepEqual(content, {
    ...{ data: { "text/plain": "a", "text/html": "<b>a</b>" }, metadata: {}, transient: { display_id: "d1" } },
  });
  assert.deepEqual(one(messages, "update_display_data").content["data"], { "text/plain": "b" });
});

test("Deno.jupyter.display formats a value as a result would be", async () => {
  assert.deepEqual(await shown("await Deno.jupyter.display([1, 2])"), [["display_data", { "text/plain": "[ 1, 2 ]" }]]);
});

test("Deno's tagged templates show Markdown, HTML and SVG with values put in", async () => {
  const result = async (code: string): Promise<unknown> => (await shown(code))[0];
  assert.deepEqual(await result("Deno.jupyter.md`# ${6 * 7}\\n`"), [
    "execute_result",
    { "text/markdown": "# 42\n", "text/plain": "# 42\n" },
  ]);
  assert.deepEqual(await result("Deno.jupyter.html`<b>${1}</b>`"), [
    "execute_result",
    { "text/html": "<b>1</b>", "text/plain": "[text/html]" },
  ]);
  assert.deepEqual(await result("const { svg } = Deno.jupyter; svg`<svg/>`"), [
    ...["execute_result", { "image/svg+xml": "<svg/>", "text/plain": "[image/svg+xml]" }],
  ]);
  assert.deepEqual(await result("const { jupyter } = Deno; jupyter.md`x`"), [
    "execute_result",
    { "text/markdown": "x", "text/plain": "x" },
  ]);
});

test("Deno.jupyter.image shows bytes and files", async () => {
  const data = { "image/png": "iVBORwECAw==", "text/plain": "[image/png]" };
  assert.deepEqual(await shown(`Deno.jupyter.image(${PNG})`), [["execute_result", data]]);
  await run(`(await import("node:fs")).writeFileSync("one.png", ${PNG})`);
  assert.deepEqual(await shown(`Deno.jupyter.image("./one.png")`), [["execute_result", data]]);
  assert.match(ending(await notebook.run("Deno.jupyter.image(new Uint8Array(3))")), /neither PNG nor JPEG nor GIF/);
});

test("Deno.jupyter.broadcast sends messages of any type, with metadata and buffers", async () => {
  const { messages } = await run(
    `await Deno.jupyter.broadcast("display_data", { data: { "text/plain": "x" }, metadata: {}, transient: {} });
     await Deno.jupyter.broadcast("clear_output", { wait: true });
     await Deno.jupyter.broadcast("comm_open", { comm_id: "c1", target_name: "t", data: { a: 1 } },
       { metadata: { m: 1 }, buffers: [new Uint8Array([1, 2])] });
     await Deno.jupyter.broadcast("own_type", { b: 2 }, { buffers: [new Uint8Array([3])], metadata: { n: 2 } })`,
  );
  assert.deepEqual(one(messages, "display_data").content["data"], { "text/plain": "x" });
  assert.deepEqual(one(messages, "clear_output").content, { wait: true });
  const open = one(messages, "comm_open");
  assert.deepEqual(open.content, { comm_id: "c1", target_name: "t", data: { a: 1 } });
  assert.deepEqual([open.metadata, open.buffers], [{ m: 1 }, [new Uint8Array([1, 2])]]);
  const own = one(messages, "own_type");
  assert.deepEqual([own.content, own.metadata, own.buffers], [{ b: 2 }, { n: 2 }, [new Uint8Array([3])]]);
});

test("Deno.jupyter.$display is the symbol of the display hook, and its types are there", async () => {
  const code = `const shows: Deno.jupyter.Displayable = {
    [Deno.jupyter.$display](): Deno.jupyter.MediaBundle { return { "text/plain": "own" } },
  }; shows`;
  assert.deepEqual(await shown(code), [["execute_result", { "text/plain": "own" }]]);
  assert.deepEqual(await shown(`({ [Symbol.for("Jupyter.display")]: () => ({ "text/plain": "hook" }) })`), [
    ...[["execute_result", { "text/plain": "hook" }]],
  ] as [string, unknown][]);
  assert.deepEqual(await shown("await Deno.jupyter.format(1)"), [
    ...[["execute_result", { "text/plain": "{ 'text/plain': '1' }" }]],
  ] as [string, unknown][]);
});

test("packages do not take this for Deno", async () => {
  assert.equal((await run("Object.hasOwn(globalThis, 'Deno')")).result, "false");
  assert.match(ending(await notebook.run("Deno.env.get('x')")), /Property 'env' does not exist/);
});

test("tslab's display module is there, with its types, and shows things here", async () => {
  const { messages } = await run(`import * as tslab from "tslab";
    tslab.display.html("<b>1</b>");
    tslab.display.markdown("*2*");
    tslab.display.latex("$3$");
    tslab.display.svg("<svg/>");
    tslab.display.javascript("4");
    tslab.display.text("5");
    tslab.display.png(new Uint8Array([1, 2, 3]));
    tslab.display.jpeg(Buffer.from([1]));
    tslab.display.gif(Buffer.from([2]));
    tslab.display.pdf(Buffer.from([3]));
    tslab.display.raw("application/x-own", "own");
    const place: tslab.Display = tslab.newDisplay();
    place.text("first");
    place.text("second");`);
  const data = messages.map(({ content }) => content["data"]);
  assert.deepEqual(data.slice(0, 11), [
    { "text/html": "<b>1</b>" },
    { "text/markdown": "*2*" },
    { "text/latex": "$3$" },
    { "image/svg+xml": "<svg/>" },
    { "text/javascript": "4" },
    { "text/plain": "5" },
    { "image/png": "AQID" },
    { "image/jpeg": "AQ==" },
    { "image/gif": "Ag==" },
    { "application/pdf": "Aw==" },
    { "application/x-own": "own" },
  ]);
  const [first, second] = messages.slice(11);
  assert.deepEqual([first?.type, second?.type], ["display_data", "update_display_data"]);
  assert.deepEqual(first?.content["transient"], second?.content["transient"]);
  assert.match(
    ending(await notebook.run("tslab.display.nothing()")),
    /Property 'nothing' does not exist on type 'Display'/,
  );
  assert.match(
    (await run("const { display: show, versions } = await import('tslab'); versions.node")).result ?? "",
    /^'v\d/,
  );
});

test("a data frame is shown as a table and as a data resource", async () => {
  const [frame] = await shown(`class Frame {
      schema = { name: "Utf8", n: "Int64" };
      constructor(private rows: { name: string; n: bigint }[]) {}
      head(n = 5) { return new Frame(this.rows.slice(0, n)); }
      toRecords() { return this.rows; }
    }
    new Frame([{ name: "<a>", n: 1n }, { name: "b", n: 2n }])`);
  assert.deepEqual(frame, [
    "execute_result",
    {
      "application/vnd.dataresource+json": {
        data: [
          { name: "<a>", n: "1" },
          { name: "b", n: "2" },
        ],
        schema: {
          fields: [
            { name: "name", type: "string" },
            { name: "n", type: "integer" },
          ],
        },
      },
      "text/html":
        "<table><thead><tr><th>name</th><th>n</th></tr></thead><tbody>\n" +
        "<tr><td>&lt;a&gt;</td><td>1</td></tr>\n<tr><td>b</td><td>2</td></tr>\n</tbody></table>",
      "text/plain": "name\tn\n<a>\t1\nb\t2",
    },
  ]);
});

test("npm: specifiers mean the package in the notebook's folder, with its types", async () => {
  await run(`const { mkdirSync, writeFileSync } = await import("node:fs");
    for (const name of ["own-package", "@own/scoped"]) {
      mkdirSync("node_modules/" + name, { recursive: true });
      writeFileSync("node_modules/" + name + "/package.json",
        JSON.stringify({ name, version: "4.1.0", main: "main.js", types: "main.d.ts" }));
      writeFileSync("node_modules/" + name + "/main.js", "exports.six = 6;");
      writeFileSync("node_modules/" + name + "/sub.js", "exports.seven = 7;");
      writeFileSync("node_modules/" + name + "/main.d.ts", "export declare const six: number;");
    }`);
  assert.equal((await run(`import { six } from "npm:own-package@4"; six`)).result, "6");
  assert.equal((await run(`import { six as other } from "npm:@own/scoped@^4.0.0"; other`)).result, "6");
  assert.equal((await run(`const sub = await import("npm:own-package@4/sub.js"); sub.seven`)).result, "7");
  assert.match(ending(await notebook.run(`import { seven } from "npm:own-package"`)), /no exported member 'seven'/);
  assert.equal((await run("six.toFixed(1)")).result, "'6.0'");
});

test("an import that is not found says how to get it", async () => {
  const traceback = async (code: string): Promise<string> => {
    const { outcome } = await notebook.run(code);
    return outcome.status === "ok" ? "" : outcome.traceback.join("\n");
  };
  assert.match(await traceback("import a from 'lodash'"), /%npm install lodash$/m);
  assert.match(await traceback("import a from 'npm:lodash@4/fp'"), /%npm install lodash@4$/m);
  assert.match(await traceback("import { assert } from 'jsr:@std/assert@1'"), /!npx jsr add @std\/assert/);
  assert.match(await traceback("import a from 'https://deno.land/x/a/mod.ts'"), /There are no imports from URLs/);
  assert.match(await traceback("%notype\nawait import('lodash')"), /Cannot find 'lodash'.*%npm install lodash/);
  assert.match(await traceback("%notype\nawait import('jsr:@std/assert')"), /!npx jsr add @std\/assert/);
  assert.match(await traceback("%notype\nawait import('https://example.com/a.js')"), /no imports from URLs/);
});
