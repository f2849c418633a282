/**
 * 100,000 messages that no client would send, to a kernel that runs: with changed, missing, repeated and swapped frames, with
 * wrong signatures, and, signed as they should be, with contents of any type. The kernel runs none that is signed wrongly,
 * answers throughout, and all that it says is as the protocol has it.
 *
 * METASTATE_FUZZ_MESSAGES and METASTATE_FUZZ_SEED choose another number and other messages; a failure names its seed.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { KernelClient, type Json } from "../client.js";
import type { ClientChannel } from "../connection.js";
import { bareKernel } from "../environment.js";
import { Random } from "./random.js";

const MESSAGES = Number(process.env["METASTATE_FUZZ_MESSAGES"] ?? 100_000);
const SEED = Number(process.env["METASTATE_FUZZ_SEED"] ?? 20_260_612);
/** After so many messages the kernel must have come along. */
const BATCH = 2_000;
const PATIENCE = 120_000;

type Frames = readonly Buffer[];

/** What the kernel would know a forged message by, were it to run it. */
const forged = (i: number) => `forged.push(${i})`;

/** One of each message, as a client sends it; `code` is what is run. */
function request(random: Random, code: string): readonly [type: string, content: Json] {
  const comm_id = random.pick(["a", "b", "c"]);
  return random.pick<readonly [string, Json]>([
    ["execute_request", { code, silent: false, store_history: false, user_expressions: {}, allow_stdin: false }],
    ["execute_request", { code: "", silent: true, user_expressions: { forged: code } }],
    ["kernel_info_request", {}],
    ["comm_info_request", { target_name: "mirror" }],
    ["history_request", { hist_access_type: "tail", n: 3, output: true, raw: true }],
    ["is_complete_request", { code }],
    ["comm_open", { comm_id, target_name: "mirror", data: {} }],
    ["comm_msg", { comm_id, data: { code } }],
    ["comm_close", { comm_id, data: {} }],
    ["interrupt_request", {}],
    ["input_reply", { value: code }],
  ]);
}

/** Any JSON: small values, odd numbers and texts, and now and then something very deep or very long. */
function anyJson(random: Random, depth = 0): unknown {
  const kind = random.below(depth > 3 ? 8 : 11);
  if (kind < 8) {
    return random.pick<unknown>([
      ...[null, true, false, 0, -1, 1e308, -0.5, 2 ** 53, "", "a", "0", "\u0000", "\ud800", "🙂", "__proto__", [], {}],
      ...[random.text(20), random.text(300)],
    ]);
  }
  if (kind === 8) return Array.from({ length: random.below(4) }, () => anyJson(random, depth + 1));
  if (kind === 9 || random.below(200) > 0) {
    const names = ["a", "", "__proto__", "constructor", "status", "data", "code", "comm_id"];
    return Object.fromEntries(
      Array.from({ length: random.below(4) }, () => [random.pick(names), anyJson(random, depth + 1)]),
    );
  }
  if (random.below(2) === 0) return "long ".repeat(20_000);
  let deep: unknown = 1;
  for (let i = 0; i < 2_000; i++) deep = i % 2 === 0 ? [deep] : { deep };
  return deep;
}

/** Changes frames after they were signed. */
const forgeries: readonly ((frames: Frames, random: Random, earlier: Frames) => Frames)[] = [
  // a bit of any frame
  (frames, random) => random.change(frames, (frame) => flip(frame, random)),
  // a frame dropped, repeated, emptied, cut, or put elsewhere
  (frames, random) => frames.toSpliced(random.below(frames.length), 1),
  (frames, random) => random.change(frames, (frame) => [frame, frame]),
  (frames, random) => random.change(frames, () => Buffer.alloc(0)),
  (frames, random) => random.change(frames, (frame) => frame.subarray(0, random.below(frame.length + 1))),
  (frames, random) => random.shuffle(frames),
  (frames, random) => frames.slice(0, random.below(frames.length + 1)),
  (frames, random) => [...random.shuffle(frames), ...frames.slice(1)],
  // another signature: none, one of another key, in capitals, too long, of another message
  (frames) => frames.with(1, Buffer.alloc(0)),
  (frames, random) => frames.with(1, Buffer.from(random.hex(64))),
  (frames) => frames.with(1, Buffer.from(frames[1]?.toString().toUpperCase() ?? "")),
  (frames) => frames.with(1, Buffer.concat([frames[1] ?? Buffer.alloc(0), Buffer.from("0")])),
  (frames, _, earlier) => frames.with(1, earlier[1] ?? Buffer.alloc(0)),
  // another part under the signature
  (frames, random) => frames.with(2 + random.below(4), Buffer.from(JSON.stringify(anyJson(random)))),
  (frames, random) => random.change(frames, () => Buffer.from(random.text(50))),
  // a message that has come before
  (_, __, earlier) => earlier,
];

function flip(frame: Buffer, random: Random): Buffer {
  const changed = Buffer.from(frame);
  if (changed.length > 0) {
    const at = random.below(changed.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
  }
  return changed;
}

/** What the kernel has logged beside the messages that it dropped. */
function remarkable(log: string): string {
  const dropped = /a message on \w+ was dropped|a message of unknown type/;
  return log
    .split("\n")
    .filter((line) => !dropped.test(line))
    .join("\n");
}

describe("mutated messages", { timeout: 900_000 }, () => {
  let kernel: KernelClient;
  const random = new Random(SEED);
  /** Signatures that the kernel has had, by which it knows a message that comes again. */
  const sent = new Set<string>();

  before(async () => {
    kernel = await KernelClient.start({ spec: bareKernel() });
    await kernel.execute(`const forged: number[] = [];
      comms.onOpen("mirror", (comm) => { comm.onMessage(({ data }) => comm.send(data)) })`);
  });

  after(async () => {
    await kernel.stop();
  });

  function frames(type: string, content: unknown, header: Json = {}): Buffer[] {
    const made = kernel.connection.frames(type, content, { header });
    return made.map((frame) => Buffer.from(frame as string));
  }

  /** Whether the kernel should take the frames: by its delimiter, its signature, and as new. */
  function isGenuine(given: Frames): boolean {
    const at = given.findIndex((frame) => frame.toString("latin1") === "<IDS|MSG>");
    const [signature, ...parts] = given.slice(at + 1, at + 6);
    if (at < 0 || signature === undefined || parts.length < 4) return false;
    return kernel.connection.sign(parts) === signature.toString("latin1") && !sent.has(signature.toString("latin1"));
  }

  async function send(channel: ClientChannel, given: Frames): Promise<void> {
    if (given.length > 0) await kernel.connection.sendFrames(channel, given);
  }

  async function answers(i: number): Promise<void> {
    for (const channel of ["shell", "control"] as const) {
      const reply = await kernel.request(channel, "kernel_info_request", {}, PATIENCE).catch((error: unknown) => {
        throw new Error(`after ${i} messages of seed ${SEED}`, { cause: error });
      });
      assert.equal(reply.content["status"], "ok");
    }
  }

  it(`${MESSAGES} of them leave the kernel as it was`, async () => {
    let earlier = frames("kernel_info_request", {});
    sent.add(earlier[1]?.toString("latin1") ?? "");
    await send("shell", earlier);
    for (let i = 0; i < MESSAGES; i++) {
      const channel = random.pick<ClientChannel>(["shell", "shell", "shell", "control", "stdin"]);
      if (random.below(3) > 0) {
        const [type, content] = request(random, forged(i));
        const changed = random.pick(forgeries)(frames(type, content), random, earlier);
        // What was changed into itself is no forgery.
        if (!isGenuine(changed)) await send(channel, changed);
      } else {
        earlier = odd();
        sent.add(earlier[1]?.toString("latin1") ?? "");
        await send(channel, earlier);
      }
      if (i % BATCH === BATCH - 1) await answers(i + 1);
    }
    await answers(MESSAGES);
    // Cells of the last messages may wait still, and one of them may fail: what waits behind it is aborted.
    while ((await kernel.execute("0", { timeout: PATIENCE })).reply["status"] === "aborted");
    const { outputs, reply } = await kernel.execute("forged", { timeout: PATIENCE });
    assert.equal(reply["status"], "ok", `${JSON.stringify(reply)}\n${remarkable(kernel.log)}`);
    const result = outputs.find(({ type }) => type === "execute_result")?.content["data"] as Json;
    assert.equal(result["text/plain"], "[]", `seed ${SEED}: messages that were signed wrongly have run`);
  });

  /** A message that is signed as it should be, with what does not belong into it. */
  function odd(): Buffer[] {
    const [known, content] = request(random, "1");
    const type =
      random.below(10) === 0 ? random.pick(["constructor", "__proto__", "toString", "", "a", "_reply"]) : known;
    if (random.below(20) === 0) {
      return frames(type, content, { [random.pick(["msg_id", "msg_type", "session", "x"])]: anyJson(random) });
    }
    if (random.below(10) === 0) return frames(type, anyJson(random));
    const names = [...Object.keys(content), "user_expressions", "n", "session", "start", "stop", "pattern", "data"];
    const changed = {
      ...content,
      [random.pick(names)]: anyJson(random),
      code: random.pick(["1", "", 1, null, {}, "("]),
    };
    return frames(type, changed);
  }
});
