/** Widgets, from the cell to what a page would be told, and back. */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ending, TestNotebook, type Published, type Ran } from "../../testing.js";

type Json = Record<string, unknown>;
const VIEW = "application/vnd.jupyter.widget-view+json";

const notebook = new TestNotebook();
after(() => notebook.close());

async function run(source: string): Promise<Ran> {
  const ran = await notebook.run(source);
  assert.equal(ending(ran), "ok");
  return ran;
}

/** The states of the models that these messages have made, by their ids, as the page has them then. */
function models(messages: readonly Published[]): Map<string, Json> {
  const states = new Map<string, Json>();
  for (const { type, content } of messages) {
    const { comm_id: id, data } = content as { comm_id: string; data: { state?: Json } };
    if (type === "comm_open") states.set(id, { ...data.state });
    if (type === "comm_msg") Object.assign(states.get(id) ?? {}, data.state);
    if (type === "comm_close") states.delete(id);
  }
  return states;
}

/** Id and state of the only model of a kind. */
function model(messages: readonly Published[], kind: string): { id: string; state: Json } {
  const found = [...models(messages)].filter(([, state]) => state["_model_name"] === `${kind}Model`);
  assert.equal(found.length, 1, `one ${kind} of ${JSON.stringify([...models(messages)])}`);
  return { id: found[0]![0], state: found[0]![1] };
}

/** What a person does in the page. */
function change(id: string, state: Json): Promise<Published[]> {
  return notebook.comm("comm_msg", { comm_id: id, data: { method: "update", state, buffer_paths: [] } });
}
function click(id: string): Promise<Published[]> {
  return notebook.comm("comm_msg", { comm_id: id, data: { method: "custom", content: { event: "click" } } });
}

function printed({ messages }: Ran): string {
  return messages
    .filter(({ type }) => type === "stream")
    .map(({ content }) => String(content["text"]))
    .join("");
}

/** What is below a cell: its displays with their updates, each as its `text/plain`. */
function shown({ messages }: Ran): string[] {
  const places = new Map<unknown, string>();
  for (const { type, content } of messages) {
    const { data, transient } = content as { data: Json; transient?: { display_id: string } };
    if (data?.[VIEW] !== undefined) continue;
    if (type === "display_data" || type === "update_display_data") {
      places.set(transient?.display_id, (data["text/plain"] ?? "") as string);
    }
  }
  return [...places.values()];
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const giveUp = Date.now() + 20_000; !condition(); await sleep(10)) assert.ok(Date.now() < giveUp, what);
}

test("a widget at the end of a cell opens its comm and is shown; the page's changes reach its listeners", async () => {
  const cell = await run("const s = ui.slider({ min: 0, max: 10, value: 3, label: 'n' });\ns");
  const { id, state } = model(cell.messages, "IntSlider");
  assert.equal(state["value"], 3);
  assert.equal(state["description"], "n");
  const open = cell.messages.find(({ type }) => type === "comm_open")!;
  assert.deepEqual([open.content["target_name"], open.metadata], ["jupyter.widget", { version: "2.1.0" }]);
  const result = cell.messages.find(({ type }) => type === "execute_result")!.content["data"] as Json;
  assert.deepEqual(result[VIEW], { version_major: 2, version_minor: 0, model_id: id });
  assert.match(String(result["text/plain"]), /^\[slider n: 3\]\n.*pip install ipywidgets/);

  const listening = await run(
    "const stop = s.onChange(async (value, old) => { await 0; console.log(old, '→', value) });",
  );
  const answers = await change(id, { value: 7 });
  assert.deepEqual(
    answers.map(({ content }) => content["data"]),
    [{ method: "echo_update", state: { value: 7 }, buffer_paths: [] }],
  );
  assert.equal(printed(listening), "3 → 7\n");
  assert.equal((await run("s.value")).result, "7");
  await run("stop()");
  await change(id, { value: 8 });
  assert.equal(printed(listening), "3 → 7\n");
});

test("a value that the program sets is told to the page and to the listeners, clamped to the range", async () => {
  const cell = await run(
    "const p = ui.slider({ max: 5 });\np.onChange((v) => console.log(v));\ndisplay(p);\np.value = 99;",
  );
  assert.equal(model(cell.messages, "IntSlider").state["value"], 5);
  assert.equal(printed(cell), "5\n");
});

test("a loop that sets a value a hundred thousand times sends a few messages, and the last value", async () => {
  const cell = await run("const bar = ui.progress({ max: 1e5 });\ndisplay(bar);\nwhile (bar.value < 1e5) bar.value++;");
  assert.equal(model(cell.messages, "FloatProgress").state["value"], 1e5);
  const updates = cell.messages.filter(({ type }) => type === "comm_msg").length;
  assert.ok(updates < 2000, `${updates} messages`);
});

test("sliders are of integers or decimals by what they are given, and write as many decimals as the step has", async () => {
  const cell = await run(
    `display(ui.vbox([ui.slider({ min: 0, max: 1, step: 0.001 }), ui.slider({ scale: "log", min: 1e-5, max: 1e-1, value: 1e-3 }),
      ui.rangeSlider({ min: 1, max: 9 }), ui.rangeSlider({ max: 0.5 }), ui.slider({ value: 0.25 })]))`,
  );
  const [decimals, log, range, floatRange, quarter] = [...models(cell.messages).values()] as [
    Json,
    Json,
    Json,
    Json,
    Json,
  ];
  assert.deepEqual([decimals["_model_name"], decimals["readout_format"]], ["FloatSliderModel", ".3f"]);
  assert.deepEqual([log["_model_name"], log["min"], log["max"], log["value"]], ["FloatLogSliderModel", -5, -1, 1e-3]);
  assert.deepEqual([range["_model_name"], range["value"]], ["IntRangeSliderModel", [1, 9]]);
  assert.deepEqual([floatRange["_model_name"], floatRange["value"]], ["FloatRangeSliderModel", [0, 0.5]]);
  assert.deepEqual([quarter["_model_name"], quarter["max"], quarter["readout_format"]], ["FloatSliderModel", 1, ".2f"]);
});

test("a dropdown has values of any type, by their text or by names of their own", async () => {
  const cell = await run(
    `const d = ui.dropdown({ options: { small: 64, large: 512 }, value: 512 });
     const kind: 64 | 512 = d.value;
     d.onChange((v) => console.log(typeof v, v));
     d`,
  );
  const { id, state } = model(cell.messages, "Dropdown");
  assert.deepEqual([state["_options_labels"], state["index"]], [["small", "large"], 1]);
  await change(id, { index: 0 });
  assert.equal(printed(cell), "number 64\n");
  const wrong = await notebook.run("d.value = 3 as 64");
  assert.equal(ending(wrong), "RangeError: ui.dropdown: 3 is none of its options: small, large");
});

test("text, textarea, number, checkbox, radio and toggles have typed values", async () => {
  const cell = await run(
    `const all = { a: ui.text({ value: "x" }), b: ui.textarea({ rows: 2 }), c: ui.number({ value: 1.5, min: 0, max: 2 }),
       d: ui.checkbox({ value: true }), e: ui.radio({ options: ["p", "q"] }), f: ui.toggles({ options: [1, 2], value: 2 }) };
     const values: [string, string, number, boolean, "p" | "q", 1 | 2] =
       [all.a.value, all.b.value, all.c.value, all.d.value, all.e.value, all.f.value];
     display(ui.vbox(Object.values(all)));
     JSON.stringify(values)`,
  );
  assert.equal(cell.result, `'["x","",1.5,true,"p",2]'`);
  const names = [...models(cell.messages).values()].map((state) => state["_model_name"]);
  assert.deepEqual(names.sort(), [
    "BoundedFloatTextModel",
    "CheckboxModel",
    "RadioButtonsModel",
    "TextModel",
    "TextareaModel",
    "ToggleButtonsModel",
    "VBoxModel",
  ]);
});

test("a client that sends nonsense changes no value, and is told the one that holds", async () => {
  const cell = await run(
    "const sane = [ui.slider({ value: 7 }), ui.dropdown({ options: ['a', 'b'], value: 'b' })] as const;\nui.hbox(sane)",
  );
  for (const [kind, nonsense] of [
    ["IntSlider", { value: "seven", unknown: 1 }],
    ["IntSlider", { value: null, max: {} }],
    ["IntSlider", { _model_name: "Other" }],
    ["Dropdown", { index: 17 }],
  ] as const) {
    const answers = await change(model(cell.messages, kind).id, nonsense);
    assert.ok(answers.every(({ type }) => type === "comm_msg"));
  }
  await change(model(cell.messages, "IntSlider").id, { value: 7 });
  assert.equal((await run("JSON.stringify(sane.map(({ value }) => value))")).result, `'[7,"b"]'`);
});

test("a button calls its listener for each click; an error in it is shown on the listener's cell", async () => {
  const cell = await run("let n = 0;\nconst b = ui.button({ label: 'go', onClick: () => { n++ } });\nb");
  const { id } = model(cell.messages, "Button");
  const second = await run("b.onClick(() => { throw new RangeError('too far') });");
  await click(id);
  await click(id);
  assert.equal((await run("n")).result, "2");
  const errors = second.messages.filter(({ type }) => type === "error");
  assert.deepEqual(
    errors.map(({ content }) => content["evalue"]),
    ["too far", "too far"],
  );
});

test("a button stops what another has begun: an asynchronous listener keeps no message waiting", async () => {
  const cell = await run(
    `let going = false;
     const start = ui.button({ label: "start", onClick: async () => { going = true; while (going) await new Promise((r) => setTimeout(r, 5)); console.log("stopped"); } });
     const halt = ui.button({ label: "halt", onClick: () => { going = false; } });
     ui.hbox([start, halt])`,
  );
  const buttons = [...models(cell.messages)].filter(([, state]) => state["_model_name"] === "ButtonModel");
  const started = click(buttons[0]![0]);
  await click(buttons[1]![0]);
  await started;
  assert.equal(printed(cell), "stopped\n");
});

test("a box holds widgets by reference, and may be filled anew", async () => {
  const cell = await run("const inner = ui.label('a');\nconst box = ui.hbox([inner]);\nbox");
  const { id, state } = model(cell.messages, "HBox");
  assert.deepEqual(state["children"], [`IPY_MODEL_${model(cell.messages, "Label").id}`]);
  const second = await run("box.children = [inner, ui.html('<b>b</b>')];");
  const update = second.messages.find(({ content }) => content["comm_id"] === id)!.content["data"] as { state: Json };
  assert.equal((update.state["children"] as string[]).length, 2);
  const wrong = await notebook.run("ui.vbox(['a'] as never)");
  assert.match(ending(wrong), /A box holds widgets, in an array/);
});

test("a page that was loaded anew is told the states of all widgets", async () => {
  const cell = await run("const kept = ui.text({ value: 'still here' });\nkept");
  const { id } = model(cell.messages, "Text");
  await notebook.comm("comm_open", {
    comm_id: "control",
    target_name: "jupyter.widget.control",
    data: {},
  });
  const [answer] = await notebook.comm("comm_msg", { comm_id: "control", data: { method: "request_states" } });
  const { method, states } = answer!.content["data"] as { method: string; states: Record<string, { state: Json }> };
  assert.equal(method, "update_states");
  assert.equal(states[id]!.state["value"], "still here");
  const [own] = await notebook.comm("comm_msg", { comm_id: id, data: { method: "request_state" } });
  assert.equal((own!.content["data"] as { state: Json }).state["value"], "still here");
});

test("a widget that is closed leaves the page, and says so when it is shown again", async () => {
  const cell = await run("const gone = ui.label('x');\ndisplay(gone);\ngone.close();\ngone");
  assert.equal(models(cell.messages).size, 0);
  assert.equal(cell.result, "[label: x] (closed)");
});

test("an output widget takes what is printed and displayed in it, also later, and nothing else", async () => {
  const cell = await run(
    `const out = ui.output();
     display(out);
     out.capture(() => {
       console.log("in");
       console.error("err");
       const h = display.html("<i>1</i>");
       setTimeout(() => { console.log("later"); h.update("2"); }, 1);
     });
     console.log("outside");`,
  );
  assert.equal(printed(cell), "outside\n");
  const texts = (): string[] =>
    (model(cell.messages, "Output").state["outputs"] as Json[]).map(
      (o) => (o["text"] ?? Object.keys(o["data"] as Json).join()) as string,
    );
  await until(() => texts().includes("later\n"), "what the timer prints");
  const htmlShown = (): unknown =>
    ((model(cell.messages, "Output").state["outputs"] as Json[])[2]?.["data"] as Json | undefined)?.["text/html"];
  await until(() => htmlShown() === "2", "the update, which is HTML as well");
  assert.deepEqual(texts().slice(0, 2), ["in\n", "err\n"]);
  const second = await run("out.clear()");
  const outputs = (): unknown[] =>
    second.messages.map(({ content }) => (content["data"] as { state?: Json } | undefined)?.state?.["outputs"]);
  await until(() => outputs().some((list) => Array.isArray(list) && list.length === 0), "it is empty");
});

test("a listener that was added in an output widget prints there, and its errors are shown there", async () => {
  const cell = await run(
    `const o2 = ui.output();
     const b2 = ui.button();
     o2.capture(() => b2.onClick(() => { console.log("clicked"); throw new Error("oh"); }));
     ui.vbox([b2, o2])`,
  );
  await click(model(cell.messages, "Button").id);
  const kinds = (): unknown[] =>
    (model(cell.messages, "Output").state["outputs"] as Json[]).map((output) => output["output_type"]);
  await until(() => kinds().length === 2, "two outputs");
  assert.deepEqual(kinds(), ["stream", "error"]);
  assert.equal(printed(cell), "");
});

test("interact shows what its function returns, displays and prints, each time in the same places", async () => {
  const cell = await run(
    `ui.interact({ n: ui.slider({ max: 9, value: 2 }), on: ui.checkbox() }, ({ n, on }) => {
       console.log("n is", n);
       if (on) display.markdown("on");
       return n * n;
     })`,
  );
  assert.deepEqual(shown(cell), ["n is 2\n", "4"]);
  assert.equal(printed(cell), "");
  await change(model(cell.messages, "IntSlider").id, { value: 5 });
  await until(() => shown(cell)[1] === "25", "the new value");
  assert.deepEqual(shown(cell), ["n is 5\n", "25"]);
  await change(model(cell.messages, "Checkbox").id, { value: true });
  await until(() => shown(cell).length === 3, "one place more");
  assert.deepEqual(shown(cell), ["n is 5\n", "on", "25"]);
  await change(model(cell.messages, "Checkbox").id, { value: false });
  await until(() => shown(cell)[2] === "", "the place is empty again");
  assert.equal(model(cell.messages, "Checkbox").state["description"], "on");
});

test("what interact shows says where it belongs, and is shown again to a page that is loaded anew", async () => {
  const cell = await run(
    `ui.interact({ n: ui.slider({ max: 9, value: 2 }) }, ({ n }) => display.mime({ "text/html": \`<b>\${n}</b>\` }, { "text/html": { isolated: true } }))`,
  );
  const places = (): Published[] => cell.messages.filter(({ type }) => type.endsWith("display_data"));
  const saved = ({ content }: Published): Json => (content["metadata"] as { metastate: Json }).metastate;
  const idOf = ({ content }: Published): unknown => (content["transient"] as Json)["display_id"];
  const [controls, result] = places() as [Published, Published];
  assert.deepEqual(saved(controls), { display_id: idOf(controls) });
  assert.deepEqual(saved(result), { display_id: idOf(result), beside: idOf(controls) });
  await notebook.comm("comm_open", { comm_id: "loaded", target_name: "jupyter.widget.control", data: {} });
  await notebook.comm("comm_msg", { comm_id: "loaded", data: { method: "request_states" } });
  await until(() => places().length === 3, "the result, again");
  assert.equal(places()[2]!.type, "update_display_data");
  assert.deepEqual(places()[2]!.content, result.content);
  assert.deepEqual((result.content["metadata"] as Json)["text/html"], { isolated: true });
});

test("an output widget keeps what goes with a display, such as the width of an image", async () => {
  const cell = await run(
    `const place = ui.output(); display(place); place.capture(() => display.image(Buffer.from("iVBORw0KGgo=", "base64"), { width: 40 }));`,
  );
  const [output] = model(cell.messages, "Output").state["outputs"] as [Json];
  assert.deepEqual(output["metadata"], { "image/png": { width: 40 } });
});

test("interact shows an error in place, and goes on with the next value", async () => {
  const cell = await run(
    `ui.interact({ n: ui.slider({ max: 9, value: 2 }) }, ({ n }) => { if (n > 5) throw new Error("too many"); return n; })`,
  );
  const { id } = model(cell.messages, "IntSlider");
  await change(id, { value: 8 });
  await until(() => shown(cell)[0]!.includes("too many"), "the error");
  await change(id, { value: 3 });
  await until(() => shown(cell)[0] === "3", "the value");
  assert.ok(!cell.messages.some(({ type }) => type === "error"));
});

test("an asynchronous interact merges changes while it runs, and shows the last", async () => {
  const cell = await run(
    `let runs = 0;
     ui.interact({ n: ui.slider({ max: 100 }) }, async ({ n }) => { runs++; await new Promise((r) => setTimeout(r, 30)); return n; })`,
  );
  assert.deepEqual(shown(cell), ["0"]);
  const { id } = model(cell.messages, "IntSlider");
  await Promise.all(Array.from({ length: 40 }, (_, i) => change(id, { value: i + 1 })));
  await until(() => shown(cell)[0] === "40", "the last value");
  const runs = Number((await run("runs")).result);
  assert.ok(runs < 40, `${runs} runs for 40 changes`);
});

test("an interrupt stops an interact that hangs; the next change runs it again", async () => {
  const cell = await run(`ui.interact({ n: ui.slider({ max: 9 }) }, ({ n }) => { while (n === 1); return n; })`);
  const { id } = model(cell.messages, "IntSlider");
  await sleep(60);
  const hanging = change(id, { value: 1 });
  await sleep(200);
  notebook.interrupt();
  await hanging;
  await change(id, { value: 4 });
  await until(() => shown(cell)[0] === "4", "the next value");
});

test("what makes no sense is refused, with the remedy", async () => {
  const cases = {
    "ui.slider({ min: 5, max: 1 })": "RangeError: ui.slider: min (5) is more than max (1)",
    "ui.slider({ value: NaN })": "TypeError: ui.slider: value must be a finite number, not NaN",
    "ui.slider({ scale: 'log', min: 0 })": "RangeError: ui.slider: a logarithmic scale starts above 0, not at 0",
    "ui.slider({ max: 4 }).value = 1.5":
      "TypeError: ui.slider: this control is for integers, not for 1.5: give it a step of 0.1, say",
    "ui.dropdown({ options: [] })": "RangeError: ui.dropdown: options is empty; give it one value at least",
    "ui.interact({ n: 3 } as never, () => 1)":
      "TypeError: ui.interact: n is no control; as in ui.interact({ n: ui.slider() }, …)",
  };
  for (const [source, expected] of Object.entries(cases)) assert.equal(ending(await notebook.run(source)), expected);
});
