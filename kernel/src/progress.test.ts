/** Bars around loops. */
import assert from "node:assert/strict";
import test, { after, before } from "node:test";
import type { Json } from "./protocol/message.js";
import { formatRate, formatSeconds, Pace } from "./cell-api/progress/pace.js";
import { ending, TestNotebook, type Ran } from "./testing.js";

let notebook: TestNotebook;
before(() => {
  notebook = new TestNotebook();
});
after(() => notebook.close());

/** The last state of each bar: its text, in the order in which they appeared. */
function bars(ran: Ran, type = "text/plain"): string[] {
  const last = new Map<string, string>();
  for (const message of ran.messages) {
    if (!message.type.endsWith("display_data")) continue;
    const { display_id: id } = message.content["transient"] as Json;
    last.set(String(id), String((message.content["data"] as Json)[type]));
  }
  return [...last.values()];
}

test("a loop is counted, and gives its values", async () => {
  const ran = await notebook.run(
    "let sum = 0; for (const x of progress([1, 2, 3], { label: 'adding' })) sum += x; sum",
  );
  assert.equal(ran.result, "6");
  assert.match(bars(ran)[0] ?? "", /^adding: ━{24} 100 % · 3\/3 · [\d.,]+\/s · [\d.]+ s$/);
});

test("an async loop that is left early is stopped, and says what it saw", async () => {
  const ran = await notebook.run(
    "async function* forever() { while (true) yield 1 }\nlet n = 0; for await (const x of progress(forever(), { total: 10, describe: (v) => `saw ${v}` })) if (++n === 4) break",
  );
  assert.match(bars(ran)[0] ?? "", /^━{7} +30 % · 3\/10 · .* stopped · saw 1$/);
});

test("a loop that goes on where another stopped is shown from there, at a rate of its own rounds", async () => {
  const ran = await notebook.run(
    "async function* rest() { for (let step = 91; step <= 100; step++) { await new Promise((r) => setTimeout(r, 20)); yield { step } } }\n" +
      "for await (const m of progress(rest(), { total: 100, at: (m) => m.step })) void m",
  );
  const [, rate] = /^━{24} 100 % · 100\/100 · ([\d.,]+)\/s · /.exec(bars(ran)[0] ?? "") ?? [];
  // Ten rounds of 20 ms, with room for timers that are early.
  assert.ok(Number(rate) <= 60, bars(ran)[0]);
});

test("a loop without a length has no share, but a count", async () => {
  const ran = await notebook.run("for (const x of progress((function* () { yield 1; yield 2 })())) void x");
  assert.match(bars(ran)[0] ?? "", /100 % · 2\/2/);
  const first = ran.messages.find(({ type }) => type === "display_data")?.content["data"] as Json;
  assert.match(String(first["text/plain"]), /^0 · /);
});

test("many rounds are few messages", async () => {
  const ran = await notebook.run("let n = 0; for (const i of progress(new Uint8Array(1_000_000))) n++; n");
  assert.equal(ran.result, "1000000");
  assert.ok(ran.messages.length < 200, `${ran.messages.length} messages`);
  assert.match(bars(ran)[0] ?? "", /100 % · 1,000,000\/1,000,000/);
});

test("an inner loop has one place for all its rounds, and is gone at the end", async () => {
  const ran = await notebook.run(
    "for (const a of progress([1, 2, 3], { label: 'outer' })) for (const b of progress([1, 2], { label: 'inner' })) void b",
  );
  const [outer, inner, ...more] = bars(ran);
  assert.match(outer ?? "", /^outer: .*100 % · 3\/3/);
  assert.equal(inner, "");
  assert.deepEqual(more, []);
});

test("a loop that throws leaves its bars as they were, stopped", async () => {
  const ran = await notebook.run(
    "for (const a of progress([1, 2], { label: 'outer' })) for (const b of progress([1, 2], { label: 'inner' })) if (b === 2) throw new Error('x')",
  );
  assert.equal(ending(ran), "Error: x");
  assert.match(bars(ran)[0] ?? "", /^outer: .*0 % · 0\/2 · .*stopped$/);
  assert.match(bars(ran)[1] ?? "", /^inner: .*50 % · 1\/2 · .*stopped$/);
});

test("an interrupt in a loop that hears nothing stops its bar", async () => {
  const running = notebook.run("for (const a of progress([1, 2], { label: 'endless' })) while (true) {}");
  await new Promise((resolve) => setTimeout(resolve, 500));
  notebook.interrupt();
  const ran = await running;
  assert.match(ending(ran), /^KeyboardInterrupt/);
  assert.match(bars(ran)[0] ?? "", /stopped$/);
});

test("who points at progress learns its options", async () => {
  const { documentation } = (await notebook.inspect("progress"))!;
  for (const option of ["total", "label", "describe", "at"]) assert.match(documentation, new RegExp(`\`${option}\`:`));
});

test("a bar by hand", async () => {
  const ran = await notebook.run(
    "const bar = progress.bar({ label: '<load>' }); bar.total = 200; bar.advance(50, 'a file'); bar.advance(150); bar.end(); bar.done",
  );
  assert.equal(ran.result, "200");
  assert.match(bars(ran)[0] ?? "", /^<load>: ━{24} 100 % · 200\/200 · .* · a file$/);
  assert.match(bars(ran, "text/html")[0] ?? "", /&lt;load&gt;.*role="progressbar" aria-valuenow="100"/);
});

test("a bar as text is one line of stderr", async () => {
  const ran = await notebook.run("for (const x of progress([1, 2], { text: true, label: 'plain' })) void x");
  assert.match(ran.stderr, /^\rplain: .*\rplain: ━{24} 100 % · 2\/2 · .*\n$/s);
  assert.deepEqual(bars(ran), []);
});

test("the rate follows a change, and is steady otherwise", () => {
  const pace = new Pace(0);
  for (let second = 1; second <= 20; second++) pace.sample(10 * second, 1000 * second);
  assert.equal(pace.rate?.toFixed(6), "10.000000");
  for (let second = 21; second <= 40; second++) pace.sample(200 + 100 * (second - 20), 1000 * second);
  // After four times the memory all but e^-4 of the old rate is forgotten.
  assert.ok(Math.abs((pace.rate ?? 0) - 100) < 90 * Math.exp(-4) + 1e-9);
  pace.sample(0, 50_000);
  assert.ok((pace.rate ?? 0) > 90, "no step, no change");
});

test("times and rates are short", () => {
  assert.deepEqual([0.04, 9.94, 59.4, 59.6, 185, 3723].map(formatSeconds), [
    "0.0 s",
    "9.9 s",
    "59 s",
    "1:00 min",
    "3:05 min",
    "1:02:03 h",
  ]);
  assert.deepEqual([12_345, 3.14159, 0.5, 0.01].map(formatRate), ["12,345/s", "3.14/s", "2.0 s each", "1:40 min each"]);
});
