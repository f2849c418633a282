/** Writing `.pth` files that PyTorch and RWKV-LM load. */
import type { FileSink } from "../atomic-write.js";
import type { SavedDtype } from "../float-formats.js";
import { byteLength, writeElements, type OnBytes, type TensorToWrite } from "../safetensors/write.js";
import { pickleTensors } from "./pickle-writer.js";
import { metadataEntry } from "./read.js";
import { ZipWriter } from "./zip-writer.js";

/** torch's name for the folder of a file that was saved to a stream. */
const folder = "archive";

/**
 * Writes a state dictionary.
 *
 * @param metadata kept in an entry that torch does not look at
 */
export async function writePth(
  sink: FileSink,
  tensors: readonly (TensorToWrite & { readonly dtype: SavedDtype })[],
  metadata: string | undefined,
  {
    zip64From,
    ...options
  }: { onBytes?: OnBytes | undefined; signal?: AbortSignal | undefined; zip64From?: number } = {},
): Promise<void> {
  const zip = new ZipWriter(sink, zip64From);
  const text = (name: string, content: string): Promise<void> =>
    zip.add(`${folder}/${name}`, new TextEncoder().encode(content));
  const pickled = tensors.map(({ name, dtype, shape }, i) => ({ name, dtype, shape, key: String(i) }));
  await zip.add(`${folder}/data.pkl`, pickleTensors(pickled));
  await text(".format_version", "1");
  await text(".storage_alignment", "64");
  await text("byteorder", "little");
  for (const [i, tensor] of tensors.entries()) {
    await zip.stream(`${folder}/data/${i}`, byteLength(tensor), async (put) => {
      // The zip's own writer sees every byte, for the checksum.
      const through = { position: 0, write: put, overwrite: () => Promise.resolve() };
      await writeElements(through, tensor, options);
    });
  }
  if (metadata !== undefined) await text(metadataEntry, metadata);
  await text("version", "3\n");
  await zip.finish();
}
