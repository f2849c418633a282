import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { encodePacket, PacketReader, type Frame } from "./session-protocol.js";

const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant("stream" as const),
    cell: fc.nat(),
    name: fc.constantFrom("stdout" as const, "stderr" as const),
    text: fc.string({ unit: "grapheme" }),
  }),
  fc.record({ type: fc.constant("clear" as const), cell: fc.nat(), wait: fc.boolean() }),
  fc.record({
    type: fc.constant("comm" as const),
    cell: fc.nat(),
    action: fc.constantFrom("comm_open" as const, "comm_msg" as const, "comm_close" as const),
    comm: fc.string(),
    target: fc.string(),
    data: fc.constant({ any: ["thing", 1] }),
    metadata: fc.constant({}),
    buffers: fc.array(fc.uint8Array()),
  }),
);

test("packets come out as they went in, however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map(encodePacket));
      const reader = new PacketReader<Frame>();
      const got: Frame[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = cuts[i % cuts.length] ?? 1;
        got.push(...reader.push(bytes.subarray(at, at + size)));
        at += size;
      }
      // fast-check makes objects without a prototype.
      assert.deepEqual(
        got,
        frames.map((sent) => ({ ...sent })),
      );
    }),
  );
});
