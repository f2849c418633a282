import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import fc from "fast-check";
import { fromBufferPromise } from "yauzl";

import { encodeHalves, isHalf, type SavedDtype } from "../float-formats.js";
import { decode, open, refused, written } from "../testing.js";
import { ZipWriter } from "./zip-writer.js";
import { writePth } from "./write.js";

const fixtures = new URL("../../../fixtures/torch/", import.meta.url);

async function fixture(name: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(new URL(name, fixtures)));
}

test("tensors that torch saved: views, all formats, a checkpoint with other things beside", async () => {
  const file = await open(await fixture("views.pth"));
  const expected = JSON.parse(await readFile(new URL("views.json", fixtures), "utf8")) as Record<
    string,
    { shape: number[]; values: string[] }
  >;
  assert.deepEqual([...file.tensors.keys()], Object.keys(expected));
  for (const [name, { shape, values }] of Object.entries(expected)) {
    assert.deepEqual(file.tensors.get(name)!.shape, shape, name);
    const read = [...(await file.read(name))].map(Number);
    const wanted = values.map((text) => {
      const known: Record<string, number> = { inf: Infinity, "-inf": -Infinity, True: 1, False: 0 };
      return known[text] ?? Number(text);
    });
    assert.deepEqual(read, wanted, name);
  }
  assert.equal(file.tensors.get("bfloat16")!.dtype, "BF16");
  assert.equal(file.tensors.get("transposed")!.byteLength, 240);
});

const saved = fc
  .record({
    name: fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 }),
    dtype: fc.constantFrom<SavedDtype[]>("F32", "F16", "BF16"),
    shape: fc.array(fc.nat(5), { maxLength: 4 }),
  })
  .chain(({ name, dtype, shape }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = fc.array(
      fc.float({ noDefaultInfinity: dtype === "F16", ...(dtype === "F16" && { max: 65504, min: -65504 }) }),
      {
        minLength: count,
        maxLength: count,
      },
    );
    return values.map((numbers) => ({ name, dtype, shape, numbers: Float32Array.from(numbers) }));
  });

for (const zip64From of [undefined, 0]) {
  test(`what is written comes back${zip64From === 0 ? ", with zip64 fields for everything" : ""}`, async () => {
    const files = fc.uniqueArray(saved, { selector: ({ name }) => name, minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(files, fc.option(fc.string({ unit: "grapheme" })), async (tensors, text) => {
        const bytes = await written((sink) =>
          writePth(
            sink,
            tensors.map(({ numbers, ...rest }) => ({ ...rest, values: () => Promise.resolve(numbers) })),
            text ?? undefined,
            zip64From === undefined ? {} : { zip64From },
          ),
        );
        const file = await open(bytes);
        assert.deepEqual(
          [...file.tensors.keys()],
          tensors.map(({ name }) => name),
        );
        assert.equal(file.metadata.get("metastate"), text ?? undefined);
        for (const { name, dtype, shape, numbers } of tensors) {
          assert.deepEqual(file.tensors.get(name)!.shape, shape);
          const kept = isHalf(dtype) ? decode(dtype, encodeHalves(dtype, numbers)) : numbers;
          assert.deepEqual(await file.read(name), kept);
        }
      }),
      { numRuns: 60, seed: 3 },
    );
  });
}

test("storages begin at multiples of 64 bytes, as torch maps them", async () => {
  const names = ["a", "b", "c"];
  const bytes = await written((sink) =>
    writePth(
      sink,
      names.map((name, i) => ({
        name,
        dtype: "F32",
        shape: [i + 1],
        values: () => Promise.resolve(new Float32Array(i + 1)),
      })),
      undefined,
    ),
  );
  const zip = await fromBufferPromise(Buffer.from(bytes), { lazyEntries: true });
  for await (const entry of zip.eachEntry()) {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    assert.equal(fileDataStart % 64, 0, entry.fileName);
  }
});

/** Pieces of a pickle: text stands for itself, numbers for bytes. */
function pickle(...parts: (string | number)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === "number" ? [part] : [...new TextEncoder().encode(part)])),
  );
}

const proto = [0x80, 2];
const unicode = (text: string): (string | number)[] => ["X", text.length, 0, 0, 0, text];
const storage = (key: string, count: number): (string | number)[] => [
  ...["((", ...unicode("storage"), "ctorch\nFloatStorage\n", ...unicode(key), ...unicode("cpu"), "K", count, "tQ"],
];
/** A dictionary with one tensor over the storage "0". */
function oneTensor({ count = 4, offset = 0, shape = [4], strides = [1], key = "0" } = {}): Uint8Array {
  const numbers = (values: number[]): (string | number)[] => ["(", ...values.flatMap((value) => ["K", value]), "t"];
  return pickle(
    ...[...proto, "}", ...unicode("x"), "ctorch._utils\n_rebuild_tensor_v2\n", ...storage(key, count)],
    ...["K", offset, ...numbers(shape), ...numbers(strides), 0x89, "N", "tRs."],
  );
}

/** A `.pth` of this pickle, with a storage "0" of four float32. */
function fileOf(data: Uint8Array, entries: Record<string, string | Uint8Array> = {}): Promise<Uint8Array> {
  return written(async (sink) => {
    const zip = new ZipWriter(sink);
    await zip.add("archive/data.pkl", data);
    await zip.add("archive/data/0", new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer));
    for (const [name, content] of Object.entries(entries)) {
      await zip.add(name, typeof content === "string" ? new TextEncoder().encode(content) : content);
    }
    await zip.finish();
  });
}

test("a tensor of four numbers", async () => {
  const file = await open(await fileOf(oneTensor()));
  assert.deepEqual(await file.read("x"), Float32Array.of(1, 2, 3, 4));
  const turned = await open(await fileOf(oneTensor({ shape: [2, 2], strides: [1, 2] })));
  assert.deepEqual(await turned.read("x"), Float32Array.of(1, 3, 2, 4));
});

const system = pickle(...proto, "cos\nsystem\n", ...unicode("touch /tmp/hacked"), 0x85, "R.");
const refusals: [what: string, data: Uint8Array, message: RegExp][] = [
  [
    "a call of os.system",
    system,
    /asks for "os.system", which a file of tensors has no need of; nothing of it was exec/,
  ],
  [
    "builtins.eval by STACK_GLOBAL",
    pickle(0x80, 4, 0x8c, 8, "builtins", 0x8c, 4, "eval", 0x93, "."),
    /asks for "builtins.eval"/,
  ],
  [
    "a name that is nearly allowed",
    pickle(...proto, "ctorch._utils\n_rebuild_tensor_v2x\n."),
    /asks for "torch._utils._reb/,
  ],
  ["a dtype that is none", pickle(...proto, "ctorch\nfloat32.__class__\n."), /asks for "torch.float32.__class__"/],
  [
    "a call of a storage class",
    pickle(...proto, "ctorch\nFloatStorage\n)R."),
    /calls torch.FloatStorage, which is no fun/,
  ],
  ["an instruction of protocol 0", pickle(...proto, "I7\n."), /with instruction 0x49 at byte 2/],
  ["an object of protocol 2 by extension code", pickle(...proto, 0x82, 1, "."), /with instruction 0x82/],
  ["protocol 1", pickle(0x80, 1, "."), /pickle of protocol 1, wanted 2 to 5/],
  ["a pickle that ends too early", pickle(...proto, "X", 255, 255, 255, 255), /ends too early/],
  ["a value that is not there", pickle(...proto, "."), /takes a value where there is none/],
  ["a mark that is not there", pickle(...proto, "t."), /ends a list which was not begun/],
  ["a memo that is not there", pickle(...proto, "h", 7, "."), /recalls value 7/],
  ["an integer of 4 GB", pickle(...proto, 0x8b, 0, 0, 0, 0x7f), /integer of 2130706432 bytes/],
  ["five million dictionaries", new Uint8Array(5e6).fill(0x7d).with(0, 0x80).with(1, 2), /more than 4000000 instruct/],
  ["a name twice", pickle(...proto, "}", ...unicode("a"), "N", "s", ...unicode("a"), "N", "s."), /has "a" twice/],
  ["attributes of a tuple", pickle(...proto, ")}b."), /sets an item of something that is no dictionary/],
  ["a text in place of a dictionary", pickle(...proto, ...unicode("a"), "."), /holds no dictionary of tensors/],
  ["a storage that is missing", oneTensor({ key: "7" }), /tensor "x" needs data\/7, which the zip lacks/],
  ["a storage of another size", oneTensor({ count: 5 }), /storage of 16 bytes where its 5 F32 need 20/],
  ["a tensor beyond its storage", oneTensor({ offset: 1 }), /reaches to element 5 of a storage of 4/],
  ["strides beyond the storage", oneTensor({ strides: [2] }), /reaches to element 7 of a storage of 4/],
  [
    "an expanded tensor",
    oneTensor({ shape: [200, 200], strides: [0, 0] }),
    /has 40000 elements, but its storage only 4/,
  ],
  ["a persistent id that is none", pickle(...proto, "NQ."), /persistent id that is no tuple/],
];
for (const [what, data, message] of refusals) {
  test(`refused: ${what}`, async () => refused(open(await fileOf(data)), message));
}

test("refused: what is wrong around the pickle", async () => {
  const good = oneTensor();
  await refused(open(await fileOf(good, { "archive/byteorder": "big" })), /saved in big-endian byte order/);
  await refused(open(await fileOf(good, { "archive/data/0": "again" })), /the entry "archive\/data\/0" is there twice/);
  await refused(open(await written((sink) => new ZipWriter(sink).finish())), /is a zip without data.pkl/);
  const bytes = await fileOf(good);
  await refused(open(bytes.subarray(0, bytes.length - 30)), /is a damaged zip: /);
  const old = pickle(0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, ".");
  await refused(open(old), /is in PyTorch's format from before version 1.6/);
});

test("a changed number is found by the checksum, unless that is not wanted", async () => {
  const bytes = await fileOf(oneTensor());
  const at = Buffer.from(bytes).indexOf(Buffer.from(Float32Array.of(2).buffer));
  bytes[at + 1]! ^= 1;
  const file = await open(bytes);
  await refused(file.read("x"), /tensor "x" differs from its checksum in the zip.*checksum: false/);
  const { openPth } = await import("./read.js");
  const { memoryFile } = await import("../random-access.js");
  const trusting = await openPth(memoryFile(bytes), { checksum: false });
  assert.equal((await trusting.read("x")).length, 4);
});

test("refused: an entry that is compressed", async () => {
  const bytes = await fileOf(oneTensor());
  // The compression method in the directory, which is what counts.
  const directory = Buffer.from(bytes).indexOf(Buffer.from([0x50, 0x4b, 1, 2]));
  bytes[directory + 10] = 8;
  await refused(open(bytes), /has the entry "archive\/data.pkl", which is compressed/);
});

test("refused: many large tensors over one small storage", async () => {
  const numbers = (value: number): (string | number)[] => ["(K", value, "t"];
  const parts: (string | number)[] = [...proto, "}"];
  for (let i = 10; i < 60; i++) {
    parts.push(...unicode(String(i)), "ctorch._utils\n_rebuild_tensor_v2\n");
    parts.push(
      "(",
      "(",
      ...unicode("storage"),
      "ctorch\nFloatStorage\n",
      ...unicode("big"),
      ...unicode("cpu"),
      "M",
      0,
      16,
      "tQ",
    );
    parts.push("K", 0, "(M", 0, 16, "t", ...numbers(1), 0x89, "N", "tRs");
  }
  parts.push(".");
  const bytes = await fileOf(pickle(...parts), { "archive/data/big": new Uint8Array(4 * 4096) });
  await refused(open(bytes), /describes 819200 bytes of tensors in a file of \d+: many share/);
});
