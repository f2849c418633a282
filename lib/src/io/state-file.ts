/** A model's state in a `.safetensors` file: `layers.0.wkv`, …, float32, so that it is the same when it comes back. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { ModelFileError, quoted } from "../errors.js";
import { ModelState } from "../model/state.js";
import { layerOf, stateTensorNames, tensorsOf, type LayerState, type StateTensorName } from "../model/state-layers.js";
import { writeAtomically } from "./atomic-write.js";
import { openTensorFile } from "./open-model-file.js";
import { openFile, type RandomAccess } from "./random-access.js";
import { writeSafetensors, type TensorToWrite } from "./safetensors/write.js";
import { toFloat32, type TensorFile } from "./tensor-file.js";

/** How many tokens each row has seen, as JSON; files from before have none. */
const positionsKey = "metastate.positions";

/** Writes a state, atomically. */
export async function saveState(state: ModelState, path: string): Promise<void> {
  const tensors = state.layers.flatMap((layer, i) =>
    tensorsOf(layer).map(([part, tensor]): TensorToWrite => {
      const values = async () => (await tensor.data<"float32">()) as Float32Array<ArrayBuffer>;
      return { name: `layers.${i}.${part}`, dtype: "F32", shape: tensor.shape, values };
    }),
  );
  const metadata = { "metastate.state": "1", [positionsKey]: JSON.stringify(state.positions) };
  await writeAtomically(path, (sink) => writeSafetensors(sink, tensors, metadata));
}

/**
 * Reads a state that `state.save` wrote. Whether it fits a model, `forward` says.
 *
 * @returns tensors of the caller's: dispose of it when it is no longer needed
 * @throws ModelFileError when the file is damaged or holds something else
 */
export async function loadState(path: string): Promise<ModelState> {
  return readState(await openFile(path));
}

/** Reads a state from bytes by position, and closes them. */
export async function readState(access: RandomAccess): Promise<ModelState> {
  const file = await openTensorFile(access);
  const made: Tensor[] = [];
  try {
    const shapes = checkLayers(file);
    const layers: LayerState[] = [];
    for (const [i, present] of shapes.entries()) {
      const layer: [StateTensorName, Tensor][] = [];
      for (const part of present) {
        const name = `layers.${i}.${part}`;
        const values = toFloat32(file, name, await file.read(name));
        const tensor = tf.tensor(values, [...file.tensors.get(name)!.shape], "float32");
        made.push(tensor);
        layer.push([part, tensor]);
      }
      layers.push(layerOf(layer));
    }
    return new ModelState(layers, readPositions(file, layers[0]!.attShift.shape[0]));
  } catch (error) {
    tf.dispose(made);
    throw error;
  } finally {
    await file.close();
  }
}

/** One whole number, 0 or more, for each row. */
function readPositions(file: TensorFile, rows: number): readonly number[] | undefined {
  const text = file.metadata.get(positionsKey);
  if (text === undefined) return undefined;
  let positions: unknown;
  try {
    positions = JSON.parse(text);
  } catch {
    positions = undefined;
  }
  const isPosition = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (Array.isArray(positions) && positions.length === rows && positions.every(isPosition)) return positions;
  const problem = `says its rows are at ${quoted(text)}, wanted ${rows} whole numbers`;
  throw new ModelFileError(file.path, null, problem, "Give a file that state.save(path) wrote.");
}

/** The parts of each layer, after a check that all are of one state: same batch, width and head size everywhere. */
function checkLayers(file: TensorFile): StateTensorName[][] {
  const fail = (tensor: string | null, problem: string): never => {
    throw new ModelFileError(file.path, tensor, problem, "Give a file that state.save(path) wrote.");
  };
  const shape = (name: string): readonly number[] =>
    (file.tensors.get(name) ?? fail(name, "is missing: this is no state, or not a whole one")).shape;
  const [batch, width] = shape("layers.0.attShift");
  const size = shape("layers.0.wkv")[3];
  const isRow = (found: readonly number[]): boolean => found.length === 2 && found[1] === width;
  const isMatrices = (found: readonly number[]): boolean =>
    found.length === 4 && found[2] === size && found[3] === size;
  const own = ownParts(file);
  const fits = (part: StateTensorName, found: readonly number[]): boolean => {
    if (found[0] !== batch) return false;
    if (part === "attShift" || part === "ffnShift") return isRow(found);
    if (part === "wkv" || part === "meta") return isMatrices(found);
    return found.join() === shape(`layers.0.${part}`).join();
  };
  const layers: StateTensorName[][] = [];
  let known = 0;
  while (file.tensors.has(`layers.${layers.length}.attShift`)) {
    const hasMeta = file.tensors.has(`layers.${layers.length}.meta`);
    const present = [...stateTensorNames.filter((part) => part !== "meta" || hasMeta), ...own];
    for (const part of present) {
      const name = `layers.${layers.length}.${part}`;
      const found = shape(name);
      if (!fits(part, found)) fail(name, `is [${found.join(", ")}], which does not fit the first layer's parts`);
    }
    known += present.length;
    layers.push(present);
  }
  if (known !== file.tensors.size) fail(null, "holds tensors that are no part of a state");
  return layers;
}

/** The states that a variant of one's own declares, which all layers have. */
function ownParts(file: TensorFile): StateTensorName[] {
  const names = [...file.tensors.keys()].flatMap((name) => /^layers\.0\.([A-Za-z]\w*)$/.exec(name)?.[1] ?? []);
  return names.filter((name) => !stateTensorNames.includes(name));
}
