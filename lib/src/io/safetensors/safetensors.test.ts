import assert from "node:assert/strict";
import test from "node:test";

import fc from "fast-check";

import { encodeHalves, isHalf, itemSizes, type FileDtype } from "../float-formats.js";
import { memoryFile } from "../random-access.js";
import { decode, open, refused, written } from "../testing.js";
import { depthOf, duplicateKey } from "./json-structure.js";
import { openSharded } from "./sharded.js";
import { writeSafetensors, type TensorToWrite } from "./write.js";

/** A file with this header (padded or not) and so many bytes behind it. */
function fileOf(header: unknown, bytes: number, claimed?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + bytes);
  new DataView(file.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

const tensor = (begin: number, end: number, shape: unknown = [(end - begin) / 4], dtype: unknown = "F32") => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

const bits = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const someTensor = fc
  .record({
    name: fc.string({ unit: "grapheme", maxLength: 12 }),
    dtype: fc.constantFrom<FileDtype[]>("F32", "F16", "BF16", "F64", "I64", "I32", "I16", "I8", "U8", "BOOL"),
    shape: fc.array(fc.nat(4), { maxLength: 4 }),
  })
  .chain(({ name, dtype, shape }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const words = Math.ceil((count * itemSizes[dtype]) / 4);
    return fc.array(bits, { minLength: words, maxLength: words }).map((values) => {
      const bytes = new Uint8Array(Int32Array.from(values).buffer).slice(0, count * itemSizes[dtype]);
      return { name, dtype, shape, bytes };
    });
  });

test("what is written comes back: names, shapes, formats, values bit by bit, metadata", async () => {
  const file = fc.uniqueArray(someTensor, { selector: ({ name }) => name, maxLength: 8 });
  const texts = fc.dictionary(fc.string({ minLength: 1 }), fc.string({ unit: "grapheme" }));
  await fc.assert(
    fc.asyncProperty(file, texts, async (tensors, metadata) => {
      const wanted = tensors.map(({ name, dtype, shape, bytes }) => ({
        name,
        dtype,
        shape,
        data: decode(dtype, bytes),
      }));
      const bytes = await written((sink) =>
        writeSafetensors(
          sink,
          wanted.map(({ data, ...rest }) => ({ ...rest, values: () => Promise.resolve(data) })),
          metadata,
        ),
      );
      const opened = await open(bytes);
      assert.deepEqual(
        [...opened.tensors.keys()],
        wanted.map(({ name }) => name),
      );
      assert.deepEqual(Object.fromEntries(opened.metadata), { ...metadata });
      for (const { name, dtype, shape, data } of wanted) {
        const found = opened.tensors.get(name)!;
        assert.deepEqual([found.dtype, found.shape], [dtype, shape]);
        const read = await opened.read(name);
        // A signalling NaN of two bytes comes back quiet.
        const expected = isHalf(dtype) ? decode(dtype, encodeHalves(dtype, data as Float32Array)) : data;
        assert.deepEqual(
          new Uint8Array(read.buffer),
          new Uint8Array(expected.buffer, expected.byteOffset, expected.byteLength),
        );
      }
    }),
    { numRuns: 150, seed: 2 },
  );
});

test("a large tensor is converted in pieces and told as it goes", async () => {
  const values = Float32Array.from({ length: 1_700_000 }, (_, i) => (i % 4001) - 2000);
  let told = 0;
  const bytes = await written((sink) =>
    writeSafetensors(
      sink,
      [{ name: "x", dtype: "F16", shape: [1_700_000], values: () => Promise.resolve(values) }],
      {},
      {
        onBytes: (count) => (told += count),
      },
    ),
  );
  assert.equal(told, 3_400_000);
  const file = await open(bytes);
  told = 0;
  const read = await file.read("x", { onBytes: (count) => (told += count) });
  assert.deepEqual(read, values);
  assert.equal(told, 3_400_000);
  await assert.rejects(file.read("x", { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
});

const refusals: [what: string, file: Uint8Array, message: RegExp][] = [
  ["an empty file", new Uint8Array(0), /^memory: is empty. Copy or download it again/],
  ["text", new TextEncoder().encode("no model at all"), /is neither a .safetensors nor a .pth file/],
  ["a header of 10 GB", fileOf({}, 0, 10_000_000_000n), /claims a header of 10000000000 bytes, at most 25000000/],
  ["a header of 2^63 bytes", fileOf({}, 0, 1n << 63n), /claims a header of 92233720368547\d+ bytes/],
  ["a header longer than the file", fileOf({}, 0, 1000n), /claims a header of 1000 bytes, but has 2 after its length/],
  ["no JSON", fileOf("{,}", 0), /is not valid JSON/],
  ["a list in place of an object", fileOf("{}   []", 0), /is not valid JSON/],
  ["a file that is cut short", fileOf({ a: tensor(0, 8) }, 4), /tensor "a" ends at byte \d+, but the file is/],
  ["bytes behind the last tensor", fileOf({ a: tensor(0, 8) }, 9), /has 1 bytes that belong to no tensor/],
  ["overlapping tensors", fileOf({ a: tensor(0, 8), b: tensor(4, 12) }, 12), /tensor "b" overlaps/],
  ["a gap", fileOf({ a: tensor(0, 8), b: tensor(12, 16) }, 16), /tensor "b" leaves a gap of 4 bytes/],
  [
    "a name that is there twice",
    fileOf(`{"a":${JSON.stringify(tensor(0, 4))},"\\u0061":{}}`, 4),
    /tensor "a" is there twice/,
  ],
  ["an unknown format", fileOf({ a: tensor(0, 4, [1], "F33") }, 4), /tensor "a" has dtype "F33", which is unknown/],
  [
    "a shape that does not fit",
    fileOf({ a: tensor(0, 8, [3]) }, 8),
    /has 8 bytes, but 12 are needed for shape \[3\] of F32/,
  ],
  ["a shape that is no shape", fileOf({ a: tensor(0, 4, [-1]) }, 4), /has shape \[-1\], wanted a list of sizes/],
  ["a shape with NaN", fileOf({ a: tensor(0, 4, [NaN]) }, 4), /has shape \[null\], wanted/],
  ["an absurd shape", fileOf({ a: tensor(0, 4, [1e15, 1e15]) }, 4), /has shape \[1000000000000000,/],
  ["offsets backwards", fileOf({ a: tensor(8, 4, [1]) }, 8), /has -4 bytes, but 4 are needed/],
  ["offsets that are no integers", fileOf({ a: tensor(0.5, 4.5, [1]) }, 8), /has offsets \[0.5,4.5\]/],
  [
    "a shape nested 100,000 deep",
    fileOf(`{"a":{"shape":${"[".repeat(1e5)}${"]".repeat(1e5)}}}`, 0),
    /nested too deeply/,
  ],
  ["metadata that is no text", fileOf({ __metadata__: { a: 1 } }, 0), /has metadata that is not text/],
  ["no description", fileOf({ a: null }, 0), /tensor "a" has no description/],
  ["Git LFS", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n"), /is a pointer of Git LFS/],
];

for (const [what, bytes, message] of refusals) {
  test(`refused: ${what}`, () => refused(open(bytes), message));
}

test("a name stands twice, at any depth, however it is written", () => {
  assert.equal(duplicateKey('{"a":1,"b":{"a":2},"c":[{"a":1},{"a":1}]}'), undefined);
  assert.equal(duplicateKey('{"a":1,"\\u0061":2}'), "a");
  assert.equal(duplicateKey('[{"x":{"y\\"":1,"z":",","y\\"":2}}]'), 'y"');
  assert.equal(duplicateKey('{"a":"a","b":"a,\\"a\\":"}'), undefined);
});

test("how deep JSON nests", () => {
  assert.deepEqual(['{"a":[{}]}', '"[[["', '{"\\"[":1}', "]]]", '{"a'].map(depthOf), [3, 0, 1, 0, 1]);
});

test("a tensor may be called __proto__ or 7", async () => {
  const one = (name: string): TensorToWrite => ({
    name,
    dtype: "F32",
    shape: [],
    values: () => Promise.resolve(Float32Array.of(1)),
  });
  const names = ["b", "__proto__", "7", "constructor"];
  const file = await open(await written((sink) => writeSafetensors(sink, names.map(one))));
  assert.deepEqual([...file.tensors.keys()].sort(), [...names].sort());
  const write = (...tensors: TensorToWrite[]) => written((sink) => writeSafetensors(sink, tensors));
  await assert.rejects(write(one("a"), one("a")), /two tensors are named "a"/);
  await assert.rejects(write({ ...one("a"), shape: [0.5] }), /tensor "a" has shape \[0.5\]/);
  await assert.rejects(write({ ...one("a"), shape: [2] }), /tensor "a" has 4 bytes, not those of its shape and dtype/);
});

test("a value that float16 cannot hold is refused, not made infinite", async () => {
  const write = (value: number) =>
    written((sink) =>
      writeSafetensors(sink, [
        { name: "x", dtype: "F16", shape: [1], values: () => Promise.resolve(Float32Array.of(value)) },
      ]),
    );
  await assert.rejects(write(1e5), { name: "ConfigurationError", message: /"x" has the value 100000, which float16/ });
  await write(Infinity);
});

const shard = (name: string) => fileOf({ [name]: tensor(0, 4) }, 4);
const index = (map: Record<string, unknown>) =>
  memoryFile(new TextEncoder().encode(JSON.stringify({ metadata: { total_size: 8 }, weight_map: map })), "index");
const shards: Record<string, Uint8Array> = {
  "1.safetensors": shard("a"),
  "2.safetensors": shard("b"),
  "3.safetensors": fileOf({ c: tensor(0, 4), d: tensor(4, 8) }, 8),
};
const fromShards = (name: string) => {
  const bytes = shards[name];
  return bytes ? Promise.resolve(memoryFile(bytes, name)) : Promise.reject(new Error(`asked for ${name}`));
};

test("shards are one file", async () => {
  const file = await openSharded(index({ a: "1.safetensors", b: "2.safetensors" }), fromShards);
  assert.deepEqual([...file.tensors.keys()], ["a", "b"]);
  assert.deepEqual(await file.read("b"), Float32Array.of(0));
});

const wrongIndexes: [what: string, map: Record<string, unknown>, message: RegExp][] = [
  ["leads out of the folder", { a: "../1.safetensors" }, /tensor "a" is said to be in "\.\.\/1\.safetensors"/],
  ["names an absolute path", { a: "/etc/1.safetensors" }, /no name of a file beside the index/],
  ["names a Windows path", { a: "..\\1.safetensors" }, /no name of a file/],
  ["names no text", { a: 7 }, /is said to be in 7/],
  ["names another file for a tensor", { a: "2.safetensors", b: "2.safetensors" }, /tensor "a" is not in 2.safetensors/],
  ["leaves a tensor out", { c: "3.safetensors" }, /tensor "d" is in this file, which the index does not say/],
];
for (const [what, map, message] of wrongIndexes) {
  test(`refused: an index that ${what}`, () => refused(openSharded(index(map), fromShards), message));
}
