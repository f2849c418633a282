/** How values look, and what `display` shows. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after, before } from "node:test";
import type { Json } from "./protocol/message.js";
import { ending, TestNotebook, type Ran } from "./testing.js";

let notebook: TestNotebook;
before(() => {
  notebook = new TestNotebook();
});
after(() => notebook.close());

const looks: Readonly<Record<string, { code: string; result: string | RegExp | undefined }>> = {
  null: { code: "null", result: "null" },
  "undefined, which shows nothing": { code: "undefined", result: undefined },
  "a big integer and negative zero": { code: "[10n, -0]", result: "[ 10n, -0 ]" },
  "a symbol": { code: "Symbol('s')", result: "Symbol(s)" },
  "a typed array": { code: "new Float32Array([1, 2.5])", result: "Float32Array(2) [ 1, 2.5 ]" },
  "a buffer of bytes": {
    code: "new ArrayBuffer(2)",
    result: "ArrayBuffer { [Uint8Contents]: <00 00>, byteLength: 2 }",
  },
  "a map and a set": {
    code: "new Map<string, unknown>([['a', new Set([1])]])",
    result: "Map(1) { 'a' => Set(1) { 1 } }",
  },
  "a date": { code: "new Date(0)", result: "1970-01-01T00:00:00.000Z" },
  "an error with its cause": {
    code: "new Error('outer', { cause: new TypeError('inner') })",
    result: /^Error: outer\n {4}at In \[\d+\]:1:1[^]*\[cause\]: TypeError: inner/,
  },
  "a class": { code: "class A {}; class B extends A {}; B", result: "[class B extends A]" },
  "a function": { code: "(function f() {})", result: "[Function: f]" },
  "a proxy, whose traps stay alone": {
    code: "new Proxy({ a: 1 }, { get() { throw new Error('trap') }, ownKeys() { throw new Error('trap') } })",
    result: "{ a: 1 }",
  },
  "a proxy that answers everything with a function": {
    code: "new Proxy(function () {}, { get: () => () => 1 })",
    result: /^\[Function/,
  },
  "a getter, which is not run": { code: "({ get a() { throw new Error('run') } })", result: "{ a: [Getter] }" },
  "a circle": {
    code: "const o: Record<string, unknown> = {}; o.self = o; o",
    result: "<ref *1> { self: [Circular *1] }",
  },
  "a deep object": { code: "({ a: { b: { c: { d: { e: { f: 1 } } } } } })", result: /\[Object\]/ },
  "a sparse array": { code: "[, 1, , , 2]", result: "[ <1 empty item>, 1, <2 empty items>, 2 ]" },
  "a promise within": { code: "({ p: Promise.resolve(1) })", result: "{ p: Promise { 1 } }" },
  "a timer, without what Node keeps in it of the cell": {
    code: "const timer = setTimeout(() => 0), next = setImmediate(() => 0); clearTimeout(timer); clearImmediate(next);\n[timer, next]",
    result: /^\[\n {2}Timeout \{(?![^]*kResourceStore)[^]*_repeat: null[^]*Immediate \{/,
  },
  "a generator and a weak map": {
    code: "[(function* () {})(), new WeakMap()]",
    result: "[ Object [Generator] {}, WeakMap { <items unknown> } ]",
  },
  "an object without a prototype": { code: "Object.create(null)", result: "[Object: null prototype] {}" },
  "util.inspect.custom": { code: "({ [Symbol.for('nodejs.util.inspect.custom')]: () => 'my own' })", result: "my own" },
  "an inspection that fails": {
    code: "({ a: 1, [Symbol.for('nodejs.util.inspect.custom')]() { throw new Error('no view') } })",
    result: /a: 1[^]*\[its inspection failed: no view\]$/,
  },
  "a long string, cut": { code: "'x'.repeat(50_000)", result: /^'x+'\.\.\. 30000 more characters$/ },
  "a long array, cut": { code: "Array.from({ length: 300 }, (_, i) => i)", result: /\.\.\. 100 more items\n\]$/ },
  "an object with many properties, cut": {
    code: "Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`key${i}`, i]))",
    result: /key499: 499,\n {2}… 1,500 more properties\n\}$/,
  },
  "many properties within": {
    code: "({ inner: Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`key${i}`, i])) })",
    result: /… 200 more properties/,
  },
  "text that is too long as a whole, cut with the way to see all": {
    code: "Array.from({ length: 200 }, () => 'y'.repeat(5000))",
    result: /… [\d,]+ more characters\. To see all: console\.dir\(value, \{ depth: null/,
  },
};

for (const [name, { code, result }] of Object.entries(looks)) {
  test(`a value is shown: ${name}`, async () => {
    const ran = await notebook.run(code);
    assert.equal(ending(ran), "ok");
    if (result instanceof RegExp) assert.match(ran.result ?? "", result);
    else assert.equal(ran.result, result);
  });
}

test("huge arrays are shown without going through them", async () => {
  await notebook.run(
    "const huge = new Array(10_000_000).fill(0), typed = new Float64Array(10_000_000), set = new Set(huge.keys())",
  );
  for (const name of ["huge", "typed", "set"]) assert.match((await notebook.run(name)).result ?? "", /more items/);
});

test("objects of many properties are cut wherever they are, and what has few is not touched", async () => {
  await notebook.run("const many = Object.fromEntries(Array.from({ length: 600 }, (_, i) => [`k${i}`, i]))");
  for (const code of [
    "many",
    "[many]",
    "({ a: [{ many }] })",
    "new Map([[1, many]])",
    "new Map([[many, 1]])",
    "new Set([many])",
  ])
    assert.match((await notebook.run(code)).result ?? "", /… 100 more properties/, code);
  await notebook.run(`const looks: boolean[] = [];
    const look = { [Symbol.for("nodejs.util.inspect.custom")]() { looks.push(Symbol.for("nodejs.util.inspect.custom") in {}); return "look" } }`);
  assert.equal(
    (await notebook.run("({ a: [new Map([[1, look]])], get b() { throw new Error('run') } })")).result,
    "{ a: [ Map(1) { 1 => look } ], b: [Getter] }",
  );
  assert.equal((await notebook.run("[many, look]; looks")).result, "[ false ]");
});

test("looking at a value leaves no trace on objects", async () => {
  await notebook.run("({ a: 1 })");
  assert.equal((await notebook.run("Object.getOwnPropertySymbols(Object.prototype).length")).result, "0");
});

/** The bundles and metadata of what a cell has displayed. */
function shown(ran: Ran): { data: Json; metadata: Json }[] {
  assert.equal(ending(ran), "ok");
  return ran.messages
    .filter(({ type }) => type === "display_data" || type === "execute_result")
    .map(({ content }) => ({ data: content["data"] as Json, metadata: content["metadata"] as Json }));
}

async function bundle(code: string): Promise<Json> {
  return shown(await notebook.run(code))[0]?.data ?? {};
}

const HOOK = `[Symbol.for("Jupyter.display")]`;

test("what a hook gives has text too", async () => {
  assert.deepEqual(await bundle(`({ ${HOOK}: () => ({ "text/markdown": "*m*" }) })`), {
    "text/markdown": "*m*",
    "text/plain": "*m*",
  });
  assert.deepEqual(await bundle(`new (class Picture { ${HOOK}() { return { "image/svg+xml": "<svg/>" } } })`), {
    "image/svg+xml": "<svg/>",
    "text/plain": "[Picture]",
  });
  assert.deepEqual(await bundle(`({ ${HOOK}: async () => ({ "text/plain": "later" }) })`), { "text/plain": "later" });
  assert.deepEqual(await bundle(`({ ${HOOK}: () => ({}) })`), {});
});

test("a hook that fails is told of on the cell, which keeps what it has declared", async () => {
  for (const hook of ["() => { throw new Error('no picture') }", "async () => { throw new Error('no picture') }"]) {
    const ran = await notebook.run(`let kept = 1; ({ a: 1, ${HOOK}: ${hook} })`);
    assert.equal(ending(ran), "Error: no picture");
    assert.equal((await notebook.run("kept")).result, "1");
  }
});

test("a hook that returns something else than data is told what to return", async () => {
  const ran = await notebook.run(`display(new (class Odd { ${HOOK}() { return "text" as never } })())`);
  assert.match(
    ending(ran),
    /^TypeError: The method Symbol\.for\("Jupyter\.display"\) of Odd returned 'text': let it return data by MIME type/,
  );
});

test("data are strings, as a notebook that can be saved has them; bytes become Base64, and what is null is left out", async () => {
  const mine = `{ "text/html": null, "image/png": new Uint8Array([1, 2, 3]), "application/json": [1], "text/plain": "mine" }`;
  const sent = { "image/png": "AQID", "application/json": [1], "text/plain": "mine" };
  assert.deepEqual(await bundle(`({ ${HOOK}: () => (${mine}) })`), sent);
  assert.deepEqual(await bundle(`display(${mine}, { raw: true })`), sent);
  for (const show of ["display.mime", `(data: any) => ({ ${HOOK}: () => data })`]) {
    const ran = await notebook.run(`(${show})({ "text/html": 5 })`);
    assert.equal(ending(ran), "TypeError: Data of type text/html must be a string; what was given is 5");
  }
});

test("a proxy that was revoked is shown, and updates what was shown", async () => {
  const ran = await notebook.run(
    "const gone = Proxy.revocable({}, {}); gone.revoke(); const shown = display(gone.proxy); shown.update(gone.proxy)",
  );
  assert.equal(ending(ran), "ok");
  assert.match(JSON.stringify(ran.messages), /display_data.*<Revoked Proxy>.*update_display_data.*<Revoked Proxy>/);
});

test("values of libraries are known by their looks", async () => {
  assert.deepEqual(await bundle(`({ outerHTML: "<b>x</b>" })`), { "text/html": "<b>x</b>", "text/plain": "<b>x</b>" });
  const png = Buffer.from("png").toString("base64");
  assert.equal(
    (await bundle(`({ getContext() {}, toDataURL: () => "data:image/png;base64,${png}" })`))["image/png"],
    png,
  );
  assert.equal(
    (await bundle(`({ getContext() {}, toDataURL: async () => "data:image/png;base64,${png}" })`))["image/png"],
    png,
  );
  const spec = { $schema: "https://vega.github.io/schema/vega-lite/v5.json", mark: "bar" };
  assert.deepEqual(
    (await bundle(JSON.stringify(spec).replace(/^.*$/s, "($&)")))["application/vnd.vegalite.v5+json"],
    spec,
  );
  assert.deepEqual(
    (await bundle(`({ toSpec: () => (${JSON.stringify(spec)}) })`))["application/vnd.vegalite.v5+json"],
    spec,
  );
  const vega = { $schema: "https://vega.github.io/schema/vega/v6.json", marks: [] };
  assert.deepEqual((await bundle(`(${JSON.stringify(vega)})`))["application/vnd.vega.v5+json"], vega);
  assert.deepEqual(Object.keys(await bundle(`({ $schema: "http://json-schema.org/draft-07/schema#" })`)), [
    "text/plain",
  ]);
});

test("display.html escapes the values of a template, and takes elements", async () => {
  assert.equal(
    (await bundle('display.html`<i title="${`"\'`}">${"<&>"}</i>${["a", { outerHTML: "<b>" }]}${undefined}`'))[
      "text/html"
    ],
    '<i title="&quot;&#39;">&lt;&amp;&gt;</i>a<b>',
  );
  assert.equal((await bundle('display.html({ outerHTML: "<p>" })'))["text/html"], "<p>");
  assert.equal((await bundle('display.html("<p>")'))["text/html"], "<p>");
});

test("display.latex, markdown and svg are template tags too", async () => {
  assert.equal((await bundle("display.latex`e^{i\\pi} = ${-1}`"))["text/latex"], "$$e^{i\\pi} = -1$$");
  assert.equal((await bundle('display.latex("$x$")'))["text/latex"], "$x$");
  assert.equal((await bundle("display.markdown`**${1 + 1}**`"))["text/markdown"], "**2**");
  assert.equal((await bundle("display.svg`<svg>${'<'}</svg>`"))["image/svg+xml"], "<svg>&lt;</svg>");
});

test("a text that HTML, SVG, Markdown and LaTeX are updated with is of the same kind; another value is itself", async () => {
  const { messages } = await notebook.run(`
    display.html("<b>0</b>").update("<b>1</b>");
    display.svg("<svg></svg>").update("<svg><g/></svg>");
    display.markdown("*a*").update("*b*");
    display.latex("x").update("x^2");
    display("text").update("another");
    display.html("<i></i>").update({ a: 1 });`);
  const updates = messages.filter(({ type }) => type === "update_display_data").map(({ content }) => content["data"]);
  assert.deepEqual(updates, [
    { "text/html": "<b>1</b>", "text/plain": "<b>1</b>" },
    { "image/svg+xml": "<svg><g/></svg>", "text/plain": "[SVG image]" },
    { "text/markdown": "*b*", "text/plain": "*b*" },
    { "text/latex": "$$x^2$$", "text/plain": "x^2" },
    { "text/plain": "'another'" },
    { "text/plain": "{ a: 1 }" },
  ]);
});

test("figures, tables, JSON, charts and images are updated with what they are made of, or with what shows itself", async () => {
  const { messages } = await notebook.run(`
    const figure = () => display.plotly([{ y: [1] }], { title: { text: "one" } });
    figure().update([{ y: [2] }]);
    figure().update({ data: [{ y: [3] }], layout: { title: { text: "three" } } });
    figure().update({ [Symbol.for("Jupyter.display")]: () => ({ "text/plain": "itself" }) });
    display.table([{ a: 1 }]).update([{ a: 2 }]);
    display.json({ a: 1 }, { expanded: true }).update({ a: 2 });
    display.vega({ mark: "bar" }).update({ mark: "line" });
    display.image(Buffer.from("<svg>1</svg>"), "image/svg+xml").update(Buffer.from("<svg>2</svg>"));`);
  const updates = messages
    .filter(({ type }) => type === "update_display_data")
    .map(({ content }) => content["data"] as Record<string, unknown>)
    // What stands in a figure's place for a moment, so that it is drawn anew.
    .filter((data) => !/^<div style="height/.test(String(data["text/html"])));
  const [first, second, third, table, json, chart, picture, ...more] = updates;
  const shown = (data: Record<string, unknown> | undefined): unknown => data?.["application/vnd.plotly.v1+json"];
  assert.deepEqual(shown(first), { data: [{ y: [2] }], layout: { title: { text: "one" } }, config: {} });
  assert.deepEqual(shown(second), { data: [{ y: [3] }], layout: { title: { text: "three" } }, config: {} });
  assert.deepEqual(third, { "text/plain": "itself" });
  assert.match(String(table?.["text/html"]), /<td[^>]*>2</);
  assert.deepEqual(json?.["application/json"], { a: 2 });
  assert.match(JSON.stringify(chart), /vegalite.*"mark":"line"/);
  assert.equal(picture?.["image/svg+xml"], "<svg>2</svg>");
  assert.deepEqual(more, []);
  const { outcome } = await notebook.run(`display.plotly([{ y: [1] }]).update("text")`);
  assert.match(JSON.stringify(outcome), /what comes first is a list of traces/);
});

test("display.json takes what JSON lacks", async () => {
  const code = `const circle: Record<string, unknown> = { big: 1n, list: new Int8Array([1]), map: new Map([["k", NaN]]), at: new Date(0) }; circle.self = circle;
    display.json(circle, { expanded: true })`;
  const [{ data, metadata } = { data: {}, metadata: {} }] = shown(await notebook.run(code));
  assert.deepEqual(data["application/json"], {
    ...{ big: "1", list: [1], map: { k: "NaN" }, at: "1970-01-01T00:00:00.000Z", self: "[circular]" },
  });
  assert.deepEqual(metadata, { "application/json": { expanded: true } });
});

test("display.image takes files, URLs, bytes and canvases, and a size", async () => {
  const bytes = Buffer.from([0x89, 0x50, 0x4e, 0x47, 1]);
  const path = join(notebook.folder, "dot.png");
  writeFileSync(path, bytes);
  writeFileSync(join(notebook.folder, "odd.name"), "<?xml version='1.0'?>\n<svg></svg>");
  const base64 = bytes.toString("base64");
  assert.equal((await bundle(`display.image("dot.png")`))["image/png"], base64);
  assert.equal(
    (await bundle(`import { pathToFileURL } from "node:url"; display.image(pathToFileURL(${JSON.stringify(path)}))`))[
      "image/png"
    ],
    base64,
  );
  assert.equal(
    (await bundle(`display.image(new Uint8Array([0x89, 0x50, 0x4e, 0x47, 1]).buffer)`))["image/png"],
    base64,
  );
  assert.match(String((await bundle(`display.image("odd.name")`))["image/svg+xml"]), /<svg>/);
  assert.equal(
    (await bundle(`display.image("https://example.org/a.png?x=1&y=2", { width: 30 })`))["text/html"],
    '<img src="https://example.org/a.png?x=1&amp;y=2" width="30">',
  );
  assert.equal(
    (await bundle(`display.image({ getContext() {}, toDataURL: () => "data:image/png;base64,${base64}" })`))[
      "image/png"
    ],
    base64,
  );
  const sized = shown(await notebook.run(`display.image("dot.png", { width: 30, height: 20 })`));
  assert.deepEqual(sized[0]?.metadata, { "image/png": { width: 30, height: 20 } });
});

test("display.plotly says of what is no data where it is, instead of drawing nothing", async () => {
  const ends = async (code: string): Promise<string> => ending(await notebook.run(code));
  assert.equal(
    await ends("class Tensor { values = [1] }; display.plotly([{ y: [1] }, { y: new Tensor() }])"),
    "TypeError: display.plotly: data[1].y is a Tensor: give its values as an array",
  );
  assert.equal(
    await ends("display.plotly([{ y: [1] }], { title: { text: Promise.resolve('x') } })"),
    "TypeError: display.plotly: layout.title.text is a Promise: await it",
  );
  assert.match(
    await ends("display.plotly({ x: [1] } as any)"),
    /what comes first is a list of traces: display.plotly\(\[/,
  );
  assert.equal(await ends("display.plotly([{ x: [new Date(0)], y: new Set([1]), z: Object.create(null) }])"), "ok");
});

test("display.plotly takes typed arrays", async () => {
  const figure = (await bundle("display.plotly([{ y: new Float32Array([1, NaN]), name: 'x' }])"))[
    "application/vnd.plotly.v1+json"
  ];
  assert.deepEqual(figure, { data: [{ y: [1, null], name: "x" }], layout: {}, config: {} });
});

test("display.vega takes a specification without a schema for Vega-Lite", async () => {
  const spec = (await bundle("display.vega({ mark: 'bar' })"))["application/vnd.vegalite.v5+json"] as Json;
  assert.equal(spec["mark"], "bar");
  assert.match(ending(await notebook.run("display.vega({ $schema: 'else' })")), /^TypeError: display\.vega/);
});

test("display.table aligns numbers, cuts with a notice, escapes, and takes maps and columns", async () => {
  const people = await bundle(`display.table([{ name: "<Ann>", age: 7 }, { name: "Bo", age: 12 }])`);
  assert.equal(people["text/plain"], "name   age\n<Ann>    7\nBo      12");
  assert.match(
    String(people["text/html"]),
    /<th style="text-align: left">name<\/th><th style="text-align: right">age<\/th>/,
  );
  assert.match(String(people["text/html"]), /&lt;Ann&gt;/);
  const text = async (code: string): Promise<unknown> => (await bundle(code))["text/plain"];
  assert.equal(await text(`display.table([{ a: 1, b: 2 }], { columns: ["b"] })`), "b\n2");
  assert.match(
    String(await text(`display.table(Array.from({ length: 1200 }, (_, i) => ({ i })), { rows: 2 })`)),
    /^i\n0\n1\n… 1,198 more rows$/,
  );
  assert.equal(await text(`display.table([[1, "a"], new Float32Array([22, 3])])`), " 1  a\n22  3");
  assert.equal(await text(`display.table(new Map([["x", 1], ["y", 2]]))`), "key  value\nx        1\ny        2");
  assert.equal(await text(`display.table({ x: [1, 2], y: new Int8Array([3, 4]) })`), "x  y\n1  3\n2  4");
  assert.equal(await text(`display.table([])`), "");
});

test("raw data and metadata are shown as they are", async () => {
  const code = `display({ "text/plain": "x", "text/html": "<b>" }, { raw: true, metadata: { "text/html": { isolated: true } } })`;
  assert.deepEqual(shown(await notebook.run(code)), [
    { data: { "text/plain": "x", "text/html": "<b>" }, metadata: { "text/html": { isolated: true } } },
  ]);
});
