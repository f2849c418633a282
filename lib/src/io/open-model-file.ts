/** Opens whatever holds a model: a file, told by its content, or a folder, told by what is in it. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { ModelFileError } from "../errors.js";
import { configName, readConfig, type HuggingFaceConfig } from "./huggingface/config.js";
import { openPth, type PthOptions } from "./pth/read.js";
import { openFile, readBytes, type RandomAccess } from "./random-access.js";
import { openSafetensors } from "./safetensors/read.js";
import { indexName, openSharded } from "./safetensors/sharded.js";
import type { TensorFile } from "./tensor-file.js";
import { bestCheckpointName, checkpointName } from "./training-tensors.js";

/** An open file of a model, and its folder's `config.json` when a folder was given that has one. */
export interface OpenModelFile {
  readonly file: TensorFile;
  readonly config?: HuggingFaceConfig;
}

/**
 * Opens a `.safetensors` or `.pth` file, an index of shards, or a folder with one of these.
 *
 * @throws ModelFileError when there is none, or it is of another kind
 */
export async function openModelFile(path: string, options: PthOptions = {}): Promise<OpenModelFile> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isDirectory()) return { file: await openTensorFile(await openFile(path), options) };
  const names = await readdir(path);
  const chosen = chooseWeights(path, names);
  let config: HuggingFaceConfig | undefined;
  if (names.includes(configName)) {
    const configFile = await openFile(join(path, configName));
    config = await readConfig(configFile).finally(() => configFile.close());
  }
  const file = await openTensorFile(await openFile(join(path, chosen)), options);
  return { file, ...(config && { config }) };
}

/** The weights of a folder. One file comes before an index: saving a model relies on this order. */
function chooseWeights(path: string, names: readonly string[]): string {
  for (const name of ["model.safetensors", indexName, "pytorch_model.bin"]) if (names.includes(name)) return name;
  const candidates = names.filter((name) => /\.(safetensors|pth)$/.test(name) && !name.startsWith("."));
  if (candidates.length === 1) return candidates[0]!;
  // A training's folder: the last step's, whose number has as many digits as the others'.
  const steps = candidates.filter((name) => checkpointName.test(name)).sort();
  if (steps.length > 0 && candidates.every((name) => steps.includes(name) || name === bestCheckpointName)) {
    return steps.at(-1)!;
  }
  throw new ModelFileError(
    path,
    null,
    candidates.length === 0
      ? "is a folder without a model: it has no .safetensors and no .pth file"
      : `is a folder with several files: ${candidates.slice(0, 8).join(", ")}`,
    candidates.length === 0 ? "Give the path of a model's file or folder." : "Give the path of one of them.",
  );
}

/**
 * Opens a file of tensors by its content.
 *
 * @param file is closed with the result, or when it cannot be opened
 * @param openShard how the other files of an index are opened; for tests
 * @throws ModelFileError naming what it is instead, where that can be told
 */
export async function openTensorFile(
  file: RandomAccess,
  options: PthOptions = {},
  openShard?: (name: string) => Promise<RandomAccess>,
): Promise<TensorFile> {
  try {
    const start = await readBytes(file, 0, Math.min(16, file.size));
    const text = String.fromCharCode(...start);
    if (text.startsWith("PK")) return await openPth(file, options);
    if (text[8] === "{") return await openSafetensors(file);
    if (text.startsWith("{")) return await openSharded(file, openShard);
    throw new ModelFileError(file.path, null, ...whatElse(start, text));
  } catch (error) {
    await file.close();
    throw error;
  }
}

function whatElse(start: Uint8Array, text: string): [problem: string, remedy: string] {
  if (start.length === 0) return ["is empty", "Copy or download it again."];
  // The first pickle of the format before PyTorch 1.6 is a magic number.
  if (start[0] === 0x80 && start[2] === 0x8a) {
    return [
      "is in PyTorch's format from before version 1.6",
      "Load it in PyTorch and save it again: torch.save(torch.load(path, map_location='cpu'), path).",
    ];
  }
  if (text.startsWith("GGUF")) return ["is a GGUF file, which is not read", "Get the model as .pth or .safetensors."];
  if (text.startsWith("version https://")) {
    return ["is a pointer of Git LFS, not the file itself", "Run `git lfs pull` in its repository."];
  }
  return [
    "is neither a .safetensors nor a .pth file by its content",
    "If it should be one, copy or download it again.",
  ];
}
