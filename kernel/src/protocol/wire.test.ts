import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { makeHeader, type Message } from "./message.js";
import { Wire, WireError } from "./wire.js";

const wire = new Wire("a key", "hmac-sha256");

function message(content: Message["content"], buffers: Buffer[] = []): Message {
  return {
    identities: [Buffer.from("client")],
    header: makeHeader("x_request"),
    parent_header: {},
    metadata: { m: 1 },
    content,
    buffers,
  };
}

function frames(sent: Message, by = wire): Buffer[] {
  return by.serialise(sent).map((frame) => Buffer.from(frame as Buffer));
}

test("a message comes back as it was sent, buffers included", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.uint8Array()), (content, buffers) => {
      const sent = message(
        JSON.parse(JSON.stringify(content)) as Message["content"],
        buffers.map((b) => Buffer.from(b)),
      );
      assert.deepEqual(wire.parse(frames(sent)), sent);
    }),
  );
});

test("a message with any frame changed, or signed with another key, is refused", () => {
  const good = frames(message({ code: "1" }));
  for (let i = 2; i < good.length; i++) {
    const changed = good.map((frame, at) => (at === i ? Buffer.concat([frame, Buffer.from(" ")]) : frame));
    assert.throws(() => wire.parse(changed), WireError);
  }
  assert.throws(
    () => wire.parse(frames(message({}), new Wire("another key", "hmac-sha256"))),
    /signature does not match/,
  );
  assert.throws(() => wire.parse(frames(message({}), new Wire("", "hmac-sha256"))), /signature does not match/);
});

test("a message is taken once", () => {
  const sent = frames(message({ code: "1" }));
  wire.parse(sent);
  assert.throws(() => wire.parse(sent), /has come before/);
  const open = new Wire("", "hmac-sha256");
  assert.deepEqual(open.parse(frames(message({}), open)).content, open.parse(frames(message({}), open)).content);
});

test("without a key messages are neither signed nor checked", () => {
  const open = new Wire("", "hmac-sha256");
  assert.equal(frames(message({}), open)[2]?.length, 0);
  assert.equal(open.parse(frames(message({ a: 1 }), open)).content["a"], 1);
});

test("what is no message is refused with the reason", () => {
  const open = new Wire("", "hmac-sha256");
  const parts = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text));
  assert.throws(() => open.parse([]), /delimiter/);
  assert.throws(() => open.parse(parts("<IDS|MSG>", "")), /1 frames after the delimiter/);
  assert.throws(() => open.parse(parts("<IDS|MSG>", "", "{", "{}", "{}", "{}")), /not JSON/);
  assert.throws(() => open.parse(parts("<IDS|MSG>", "", "[]", "{}", "{}", "{}")), /not a JSON object/);
  assert.throws(() => open.parse(parts("<IDS|MSG>", "", "{}", "{}", "{}", "{}")), /no msg_type/);
});

test("no bytes make the parser fail in another way", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (junk) => {
      assert.throws(() => wire.parse([Buffer.from("<IDS|MSG>"), ...junk.map((b) => Buffer.from(b))]), WireError);
    }),
  );
});
