/** How the front merges what cells print, and when it makes the session wait. */
import assert from "node:assert/strict";
import test from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { makeHeader, type Json } from "../protocol/message.js";
import { LONGEST_CHUNK } from "../chunks.js";
import { Outputs } from "./outputs.js";

const cell = makeHeader("execute_request");

/** Outputs whose messages are kept; with `slow` each is on its way only when `release` is called. */
function collect({ slow = false } = {}) {
  const sent: { type: string; content: Json }[] = [];
  const held: boolean[] = [];
  const waiting: (() => void)[] = [];
  const outputs = new Outputs({
    publish: (type, content) => {
      sent.push({ type, content });
      return slow ? new Promise<void>((resolve) => waiting.push(resolve)) : undefined;
    },
    hold: (now) => held.push(now),
  });
  const release = async (): Promise<void> => {
    for (const resolve of waiting.splice(0)) resolve();
    await sleep(0);
  };
  const texts = (): string[] => sent.map(({ content }) => `${String(content["name"])}:${String(content["text"])}`);
  return { outputs, sent, held, release, texts };
}

test("the first text is sent at once, what follows within a moment is merged", (t) => {
  t.mock.method(performance, "now", () => 0);
  const { outputs, texts } = collect();
  outputs.stream(cell, "stdout", "a");
  assert.deepEqual(texts(), ["stdout:a"]);
  for (const text of ["b", "c", "d"]) outputs.stream(cell, "stdout", text);
  assert.equal(texts().length, 1);
  outputs.flush();
  assert.deepEqual(texts(), ["stdout:a", "stdout:bcd"]);
});

test("merged text is sent without a further word", async () => {
  const { outputs, texts } = collect();
  outputs.stream(cell, "stdout", "a");
  outputs.stream(cell, "stdout", "b");
  while (texts().length < 2) await sleep(5);
  assert.deepEqual(texts(), ["stdout:a", "stdout:b"]);
});

test("the first text of another cell is sent at once, after what the cell before has written", () => {
  const { outputs, texts } = collect();
  outputs.stream(cell, "stdout", "a");
  outputs.stream(cell, "stdout", "b");
  outputs.stream(makeHeader("execute_request"), "stdout", "c");
  assert.deepEqual(texts(), ["stdout:a", "stdout:b", "stdout:c"]);
});

test("stdout and stderr keep their order, and other output its place between them", () => {
  const { outputs, sent } = collect();
  outputs.stream(cell, "stdout", "1");
  outputs.stream(cell, "stdout", "2");
  outputs.stream(cell, "stderr", "3");
  outputs.stream(cell, "stdout", "4");
  outputs.publish(cell, "display_data", { data: {} });
  outputs.stream(cell, "stdout", "5");
  outputs.flush();
  assert.deepEqual(
    sent.map(({ type, content }) => (type === "stream" ? String(content["text"]) : type)),
    ["1", "2", "3", "4", "display_data", "5"],
  );
});

test("a flood that changes between stdout and stderr is merged too, and nothing of it is lost", () => {
  const { outputs, sent, texts } = collect();
  let stdout = "";
  let stderr = "";
  for (let i = 0; i < 10_000; i++) {
    outputs.stream(cell, "stdout", `${i}\n`);
    outputs.stream(cell, "stderr", `${-i}\n`);
    stdout += `${i}\n`;
    stderr += `${-i}\n`;
  }
  outputs.flush();
  const all = (name: string): string =>
    texts()
      .flatMap((text) => (text.startsWith(name) ? [text.slice(name.length + 1)] : []))
      .join("");
  assert.equal(all("stdout"), stdout);
  assert.equal(all("stderr"), stderr);
  assert.ok(sent.length < 10_000, `${sent.length} messages`);
});

test("long text is cut at the ends of lines, and never within a character", () => {
  const { outputs, texts } = collect();
  const lines = `${"x".repeat(999)}\n`.repeat(1000);
  outputs.stream(cell, "stdout", lines);
  const parts = texts().map((text) => text.slice("stdout:".length));
  assert.equal(parts.join(""), lines);
  for (const part of parts) {
    assert.ok(part.length <= LONGEST_CHUNK);
    assert.ok(part.endsWith("\n"));
  }
  const faces = collect();
  const text = `.${"😀".repeat(LONGEST_CHUNK)}`;
  faces.outputs.stream(cell, "stdout", text);
  const chunks = faces.texts().map((part) => part.slice("stdout:".length));
  assert.equal(chunks.join(""), text);
  for (const chunk of chunks) assert.equal(Buffer.from(chunk).toString(), chunk);
});

test("the session waits while the clients are behind, and goes on when they have caught up", async () => {
  const { outputs, held, release } = collect({ slow: true });
  for (let i = 0; i < 30; i++) outputs.stream(cell, "stdout", "x".repeat(LONGEST_CHUNK));
  assert.deepEqual(held, [true]);
  await release();
  assert.deepEqual(held, [true, false]);
});

test("an interrupt lets a waiting session through for a moment", async () => {
  const { outputs, held } = collect({ slow: true });
  for (let i = 0; i < 30; i++) outputs.stream(cell, "stdout", "x".repeat(LONGEST_CHUNK));
  outputs.letThrough(30);
  assert.deepEqual(held, [true, false]);
  outputs.stream(cell, "stdout", "x".repeat(LONGEST_CHUNK));
  assert.deepEqual(held, [true, false]);
  while (held.length < 3) await sleep(5);
  assert.deepEqual(held, [true, false, true]);
});
