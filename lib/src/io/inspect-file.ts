/** What a file of tensors holds, without loading it. */
import { baselineTitles, type BaselineConfiguration } from "../baselines/configuration.js";
import { htmlTable, jupyterDisplay, Shown, textTable, type MimeBundle } from "../display.js";
import { message } from "./random-access.js";
import type { ModelConfiguration } from "../model/configuration.js";
import type { HuggingFaceConfig } from "./huggingface/config.js";
import { baselineInFile } from "./baseline-file.js";
import { inferConfiguration, parseDeclared } from "./infer-configuration.js";
import { modelTensors, type Naming } from "./model-tensors.js";
import { openModelFile } from "./open-model-file.js";
import { savedVariant, type SavedVariant } from "./saved-variant.js";
import type { FileTensor, TensorFile } from "./tensor-file.js";
import { modelPart } from "./training-tensors.js";

/** Tensors in the table; `tensors` has all. */
const mostRows = 2000;

/** A file's content. Displays itself as a table. */
export class FileInspection extends Shown {
  constructor(
    readonly path: string,
    /** the kind of file */
    readonly container: TensorFile["container"],
    /** names, formats and shapes, in the file's order */
    readonly tensors: readonly FileTensor[],
    /** short texts that the file carries */
    readonly metadata: ReadonlyMap<string, string>,
    /** the model in it and how its tensors are named; or why it holds none that can be loaded */
    readonly model:
      | { readonly configuration: ModelConfiguration; readonly naming: Naming }
      | { readonly baseline: BaselineConfiguration }
      | { readonly reason: string },
    /** the code of the model's SSE variant, where that is none of the library's */
    readonly variant?: SavedVariant,
  ) {
    super();
  }

  /** Bytes of all tensors. */
  get bytes(): number {
    return this.tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  private summary(): string[][] {
    const size = `${this.tensors.length} tensors, ${this.bytes.toLocaleString("en")} bytes`;
    return [
      [this.path, `${this.container}, ${size}`],
      ...[...this.metadata].map(([name, text]) => [name, text.length > 200 ? `${text.slice(0, 199)}…` : text]),
      ["model", this.describeModel()],
      ...(this.variant ? [["its SSE variant's apply", this.variant.apply]] : []),
    ];
  }

  private describeModel(): string {
    if ("reason" in this.model) return this.model.reason;
    if ("baseline" in this.model) return describeBaseline(this.model.baseline);
    const { sse, layers, width, heads, headSize, parameterTokens, vocabSize } = this.model.configuration;
    return (
      `${sse === "none" ? "RWKV-7" : `Meta-State (${sse})`}, ${layers} layers, width ${width}, ${heads} heads of ` +
      `${headSize}, ${parameterTokens} parameter tokens, vocabulary ${vocabSize}` +
      (this.model.naming === "fla" ? ", names of flash-linear-attention" : "")
    );
  }

  private rows(): string[][] {
    const shown = this.tensors.slice(0, mostRows);
    const rows = shown.map(({ name, dtype, shape }) => [name, dtype, `[${shape.join(", ")}]`]);
    const more = this.tensors.length - shown.length;
    return [["tensor", "dtype", "shape"], ...rows, ...(more > 0 ? [[`… and ${more} more`, "", ""]] : [])];
  }

  override toString(): string {
    return `${textTable(this.summary())}\n\n${textTable(this.rows())}`;
  }

  /** A table of what the file holds, and the model that it is. */
  [jupyterDisplay](): MimeBundle {
    return { "text/html": htmlTable(this.summary()) + htmlTable(this.rows()), "text/plain": this.toString() };
  }
}

/**
 * Names, shapes, formats and metadata of a file, and which model it is. Reads headers only.
 *
 * @param path a file or a folder, as for {@link loadModel}
 * @throws ModelFileError when it cannot be read as a file of tensors at all
 */
export async function inspectFile(path: string): Promise<FileInspection> {
  const { file, config } = await openModelFile(path);
  try {
    const tensors = [...file.tensors.values()];
    const { model, variant } = describe(file, config);
    return new FileInspection(path, file.container, tensors, file.metadata, model, variant);
  } finally {
    await file.close();
  }
}

function describeBaseline({
  kind,
  layers,
  width,
  tokenMixer,
  channelMixer,
  hidden,
  vocabSize,
}: BaselineConfiguration): string {
  return (
    `${baselineTitles[kind]}, ${layers} layers, width ${width}, ${tokenMixer}, ${channelMixer} ${hidden} wide, ` +
    `vocabulary ${vocabSize}`
  );
}

function describe(
  file: TensorFile,
  config: HuggingFaceConfig | undefined,
): { model: FileInspection["model"]; variant?: SavedVariant | undefined } {
  let variant: SavedVariant | undefined;
  try {
    const baseline = baselineInFile(modelPart(file));
    if (baseline) return { model: { baseline } };
    const { naming, tensors } = modelTensors(modelPart(file), config);
    const declared = file.metadata.get("metastate") ?? config?.metastate;
    variant = savedVariant(parseDeclared(file.path, declared));
    const { configuration } = inferConfiguration(file.path, tensors, declared);
    return { model: { configuration, naming }, variant };
  } catch (error) {
    // Any file of tensors can be looked at.
    return { model: { reason: message(error).replace(`${file.path}: `, "") }, variant };
  }
}
