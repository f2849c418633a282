/**
 * The work of fuzz.test.ts, in a thread of its own: there the test runner's hooks do not follow each promise, and an error
 * that no one caught ends the thread and fails the test.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parentPort, workerData } from "node:worker_threads";

import { createBaseline } from "../baselines/create-baseline.js";
import { ModelFileError } from "../errors.js";
import { Random } from "../random.js";
import { useBackend } from "../testing.js";
import { baselineInFile, readBaseline } from "./baseline-file.js";
import { readConfig } from "./huggingface/config.js";
import { inferConfiguration } from "./infer-configuration.js";
import { modelTensors } from "./model-tensors.js";
import { openTensorFile } from "./open-model-file.js";
import { openPth } from "./pth/read.js";
import { writePth } from "./pth/write.js";
import { readZip } from "./pth/zip-reader.js";
import { ZipWriter } from "./pth/zip-writer.js";
import { memoryFile, readBytes } from "./random-access.js";
import { saveModel } from "./save-model.js";
import { readState } from "./state-file.js";
import { randomModel, withFolder, written } from "./testing.js";
import { writeSafetensors } from "./safetensors/write.js";

/** What came of it. */
export interface FuzzResult {
  /** files that were good in spite of the damage */
  good: number;
  /** milliseconds of the slowest */
  slowest: number;
  /** refusals by what was said, without names and numbers */
  refusals: Map<string, number>;
}

/** Values that hide in headers: sizes and places at the edges of what integers hold. */
const edges = [0n, 1n, 0x7fn, 0xffn, 0x7fffn, 0xffffn, 0x7fffffffn, 0xffffffffn, 1n << 53n, 0x7fffffffffffffffn, -1n];

const fragments = [
  "{",
  "}",
  "[",
  "]",
  '"',
  ",",
  "null",
  "NaN",
  "1e309",
  "-1",
  "99999999999999999999",
  '"a":',
  "\0",
  "PK\u0001\u0002",
  "PK\u0003\u0004",
  "R",
  "\u0093",
  "cos\nsystem\n",
  "t",
  "Q",
  "}",
  "(",
  "../",
  "big",
];

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A damaged copy: some of bits flipped, edge values written, ranges cut, doubled, moved, and fragments put in. */
function mutate(random: Random, original: Uint8Array): Uint8Array {
  let bytes = Uint8Array.from(original);
  const somewhere = (): number => {
    // Headers are at the beginning (safetensors, the pickle) or at the end (a zip's directory).
    const near = Math.floor(random.uniform() ** 3 * bytes.length);
    return random.integer(3) === 0
      ? bytes.length - 1 - near
      : random.integer(2) === 0
        ? near
        : random.integer(bytes.length);
  };
  for (let count = 1 + random.integer(4); count > 0 && bytes.length > 0; count--) {
    const at = Math.max(0, somewhere());
    switch (random.integer(7)) {
      case 0:
        bytes[at]! ^= 1 << random.integer(8);
        break;
      case 1:
        bytes[at] = random.integer(256);
        break;
      case 2: {
        const size = [2, 4, 8][random.integer(3)]!;
        if (at + size > bytes.length) break;
        let value = BigInt.asUintN(64, edges[random.integer(edges.length)]!);
        for (let i = 0; i < size; i++, value >>= 8n) bytes[at + i] = Number(value & 0xffn);
        break;
      }
      case 3:
        bytes = bytes.slice(0, at);
        break;
      case 4: {
        const end = Math.min(bytes.length, at + random.integer(64));
        bytes = joined(bytes.subarray(0, at), bytes.subarray(end));
        break;
      }
      case 5: {
        const piece = bytes.subarray(at, at + random.integer(64));
        const to = Math.max(0, somewhere());
        bytes = joined(bytes.subarray(0, to), piece, bytes.subarray(to));
        break;
      }
      default: {
        const piece = new TextEncoder().encode(fragments[random.integer(fragments.length)]);
        const skip = random.integer(2) === 0 ? piece.length : 0;
        bytes = joined(bytes.subarray(0, at), piece, bytes.subarray(Math.min(bytes.length, at + skip)));
      }
    }
  }
  return bytes;
}

/** Opens and reads all, as loading would. */
async function readAll(bytes: Uint8Array): Promise<void> {
  const shards = (name: string) => Promise.resolve(memoryFile(smallShards.get(name) ?? bytes, name));
  const file = await openTensorFile(memoryFile(bytes), {}, shards);
  try {
    // The checksums of a .pth hide what comes after the pickle's: those files are read without.
    for (const name of file.tensors.keys()) await file.read(name);
    const { tensors } = modelTensors(file);
    inferConfiguration(file.path, tensors, file.metadata.get("metastate"), {});
  } finally {
    await file.close();
  }
}

const fixture = new URL("../../fixtures/torch/views.pth", import.meta.url);
const smallShards = new Map<string, Uint8Array>();

async function corpus(): Promise<Map<string, { bytes: Uint8Array; read: (bytes: Uint8Array) => Promise<void> }>> {
  const tiny = randomModel({ layers: 1, width: 4, headSize: 2, vocabSize: 3, parameterTokens: 2 });
  const made = new Map<string, { bytes: Uint8Array; read: (bytes: Uint8Array) => Promise<void> }>();
  await withFolder(async (folder) => {
    const path = (name: string): string => `${folder}/${name}`;
    const add = async (name: string, read = readAll): Promise<void> =>
      void made.set(name, { bytes: new Uint8Array(await readFile(path(name))), read });
    await saveModel(tiny, path("model.safetensors"));
    await add("model.safetensors");
    await saveModel(tiny, path("model.pth"));
    await add("model.pth");
    await saveModel(tiny, path("sharded"), { maxShardBytes: 1000 });
    const index = JSON.parse(await readFile(path("sharded/model.safetensors.index.json"), "utf8")) as {
      weight_map: Record<string, string>;
    };
    for (const name of new Set(Object.values(index.weight_map))) {
      smallShards.set(name, new Uint8Array(await readFile(path(`sharded/${name}`))));
    }
    await add("sharded/model.safetensors.index.json");
    await saveModel(
      createBaseline({ kind: "tokenformer", vocabSize: 3, layers: 1, width: 4 }),
      path("baseline.safetensors"),
    );
    await add("baseline.safetensors", async (bytes) => {
      const file = await openTensorFile(memoryFile(bytes));
      const configuration = baselineInFile(file);
      if (configuration) (await readBaseline(file, configuration, {})).dispose();
    });
    const { state } = tiny.forward([[1, 2]]);
    await state.save(path("state.safetensors"));
    await add("state.safetensors", async (bytes) => (await readState(memoryFile(bytes))).dispose());
    await add("sharded/config.json", async (bytes) => void (await readConfig(memoryFile(bytes))));
  });
  made.set("views.pth", {
    bytes: new Uint8Array(await readFile(fixture)),
    read: readAll,
  });
  const one = [{ name: "x", dtype: "F32" as const, shape: [2], values: () => Promise.resolve(Float32Array.of(1, 2)) }];
  made.set("one.safetensors", {
    bytes: await written((sink) => writeSafetensors(sink, one, { a: "b" })),
    read: readAll,
  });
  made.set("one.pth", { bytes: await written((sink) => writePth(sink, one, "{}", { zip64From: 0 })), read: readAll });
  return made;
}

/** Whatever else is thrown is a bug. */
function onlyRefused(error: unknown, what = "an undamaged file"): void {
  if (error instanceof ModelFileError) {
    const kind = error.message
      .replace(/"(\\.|[^"])*"|^[^:]*: |\(.*/g, "")
      .replace(/[0-9a-fx]*\d+/g, "#")
      .slice(0, 60);
    refusals.set(kind, (refusals.get(kind) ?? 0) + 1);
    return;
  }
  throw new Error(`${what}: ${error instanceof Error ? error.stack : String(error)}`, { cause: error });
}

const refusals = new Map<string, number>();

/** Files of all formats, damaged. */
async function fuzzFiles(files: number): Promise<{ good: number; slowest: number }> {
  const random = new Random(20250408);
  const sources = [...(await corpus())];
  for (const [, { bytes, read }] of sources) await read(bytes).catch((error: unknown) => onlyRefused(error));
  let good = 0;
  let slowest = 0;
  for (let i = 0; i < files; i++) {
    const [name, { bytes, read }] = sources[i % sources.length]!;
    const state = random.state;
    const damaged = mutate(random, bytes);
    const started = performance.now();
    try {
      await read(damaged);
      good++;
    } catch (error) {
      onlyRefused(error, `${name}, file ${i}, random state [${state.join(", ")}]`);
    }
    slowest = Math.max(slowest, performance.now() - started);
    // The event loop turns, so that an error outside of any promise is seen.
    if (i % 500 === 0) await new Promise(setImmediate);
  }
  return { good, slowest };
}

/** Damaged pickles, with a zip and its checksums around them made anew: damage in a `.pth` seldom gets so far. */
async function fuzzPickles(count: number): Promise<void> {
  const file = memoryFile(new Uint8Array(await readFile(fixture)));
  const contents = new Map<string, Uint8Array>();
  for (const [name, entry] of await readZip(file)) {
    contents.set(name, await readBytes(file, await entry.position(), entry.size));
  }
  const random = new Random(7);
  for (let i = 0; i < count; i++) {
    const bytes = await written(async (sink) => {
      const zip = new ZipWriter(sink);
      for (const [name, content] of contents) {
        await zip.add(name, name.endsWith(".pkl") ? mutate(random, content) : content);
      }
      await zip.finish();
    });
    try {
      const opened = await openPth(memoryFile(bytes));
      for (const name of opened.tensors.keys()) await opened.read(name);
    } catch (error) {
      onlyRefused(error, `pickle ${i}`);
    }
  }
}

const { files, pickles } = workerData as { files: number; pickles: number };
await useBackend("cpu");
const before = process.memoryUsage().arrayBuffers;
const result = await fuzzFiles(files);
await fuzzPickles(pickles);
assert.ok(process.memoryUsage().arrayBuffers - before < 500e6, "no large allocation is left");
parentPort?.postMessage({ ...result, refusals } satisfies FuzzResult);
