/** What the tests of files share. Not exported from the package. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import * as tf from "@tensorflow/tfjs-core";

import { ModelFileError } from "../errors.js";
import type { ModelOptions } from "../model/configuration.js";
import { createModel, type Model } from "../model/model.js";
import { tiny } from "../model/testing.js";
import { awayFromInitialValues } from "../testing.js";
import { decodeHalves, isHalf, view, type FileDtype, type TensorData } from "./float-formats.js";
import { memoryFile } from "./random-access.js";
import type { FileSink } from "./atomic-write.js";
import { openTensorFile } from "./open-model-file.js";
import type { TensorFile } from "./tensor-file.js";

/** A folder that is removed after the test. */
export async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "metastate-io-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A small model with parameters away from their initial zeros. */
export function randomModel(options: Partial<ModelOptions> = {}, seed = 1): Model {
  const lowRank = { decay: 2, rate: 3, value: 2, gate: 3 };
  return awayFromInitialValues(createModel({ ...tiny, lowRank, ...options }, { seed }), seed);
}

/** All parameters' bits by name. */
export function bitsOf(model: Model): Map<string, { shape: number[]; bits: number[] }> {
  return new Map(
    [...model.parameters].map(([name, variable]) => {
      const values = variable.dataSync<"float32">();
      const bits = [...new Uint32Array(values.buffer, values.byteOffset, values.length)];
      return [name, { shape: variable.shape, bits }];
    }),
  );
}

/** Logits of a fixed input, as numbers. */
export function logitsOf(model: Model): number[] {
  return tf.tidy(() => [...model.forward([[1, 5, 2, 2, 6, 0]]).logits.dataSync()]);
}

/** Elements of a file as an array, F16 and BF16 as float32: as a {@link TensorFile} reads them. */
export function decode(dtype: FileDtype, bytes: Uint8Array): TensorData {
  const elements = Uint8Array.from(bytes);
  if (!isHalf(dtype)) return view(dtype, elements.buffer);
  const values = new Float32Array(bytes.length / 2);
  decodeHalves(dtype, elements, values);
  return values;
}

/** The bytes that a writer writes. */
export async function written(write: (sink: FileSink) => Promise<void>): Promise<Uint8Array> {
  const sink = new MemorySink();
  await write(sink);
  return sink.bytes;
}

/** Opens bytes as a file. */
export function open(bytes: Uint8Array, path = "memory"): Promise<TensorFile> {
  return openTensorFile(memoryFile(bytes, path));
}

/** Fails unless the promise is refused with a {@link ModelFileError} whose message matches. */
export async function refused(promise: Promise<unknown>, pattern: RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof ModelFileError, String(error instanceof Error ? error.stack : error));
    assert.match(error.message, pattern);
    return true;
  });
}

/** A file in memory. */
class MemorySink implements FileSink {
  private buffer = new Uint8Array(1024);
  position = 0;

  write(bytes: Uint8Array): Promise<void> {
    const end = this.position + bytes.length;
    if (end > this.buffer.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.buffer);
      this.buffer = larger;
    }
    this.buffer.set(bytes, this.position);
    this.position = end;
    return Promise.resolve();
  }

  overwrite(bytes: Uint8Array, position: number): Promise<void> {
    this.buffer.set(bytes, position);
    return Promise.resolve();
  }

  /** What was written. */
  get bytes(): Uint8Array {
    return this.buffer.slice(0, this.position);
  }
}
