/** Reading `.safetensors`: the header at once, each tensor by its range. */
import type { RandomAccess } from "../random-access.js";
import { readElements, type ReadOptions, type TensorFile } from "../tensor-file.js";
import { itemSizes } from "../float-formats.js";
import { readHeader } from "./header.js";

/**
 * Opens a `.safetensors` file.
 *
 * @param file is closed with the result
 * @throws ModelFileError when its header is not what the format asks for
 */
export async function openSafetensors(file: RandomAccess): Promise<TensorFile> {
  const { metadata, tensors } = await readHeader(file);
  return {
    path: file.path,
    container: "safetensors",
    metadata,
    tensors,
    async read(name: string, options?: ReadOptions) {
      const tensor = tensors.get(name);
      if (!tensor) throw new RangeError(`${file.path} has no tensor "${name}"`);
      const { position, dtype, byteLength } = tensor;
      return readElements(file, name, { position, dtype, count: byteLength / itemSizes[dtype] }, options);
    },
    close: () => file.close(),
  };
}
