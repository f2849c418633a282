/** What a file says of an SSE variant of one's own: what that does is code, of which tensors and configuration tell nothing. */
import type { ModelConfiguration } from "../model/configuration.js";
import { isShipped, variantOf } from "../sse/registry.js";
import { isObject, parseObject } from "./safetensors/header.js";

/** An SSE variant of one's own as a file has it. */
export interface SavedVariant {
  readonly metaState: boolean;
  /** the definition's `apply` as JavaScript */
  readonly apply: string;
}

/** What is saved of a configuration's variant; undefined for one of the library's. */
export function variantToSave(configuration: ModelConfiguration): SavedVariant | undefined {
  if (isShipped(configuration.sse)) return undefined;
  const { metaState, apply } = variantOf(configuration);
  return { metaState, apply: apply.toString() };
}

/**
 * What a file says of its variant; undefined where that is one of the library's, and in files of earlier versions.
 *
 * @param declared what the file says of its model: JSON, as text or parsed
 * @throws ModelFileError when that is text and no JSON
 */
export function savedVariant(path: string, declared: unknown): SavedVariant | undefined {
  const said = typeof declared === "string" ? parseObject(path, declared) : declared;
  if (!isObject(said) || !isObject(said.variant)) return undefined;
  const { metaState, apply } = said.variant;
  return typeof metaState === "boolean" && typeof apply === "string" ? { metaState, apply } : undefined;
}

/** Warns where a model's variant is defined otherwise than when its file was saved: it may compute something else. */
export function warnIfRedefined(path: string, declared: unknown, configuration: ModelConfiguration): void {
  const [saved, now] = [savedVariant(path, declared), variantToSave(configuration)];
  if (!saved || !now || comparable(saved) === comparable(now)) return;
  console.warn(
    `The SSE variant "${configuration.sse}" is defined otherwise than when ${path} was saved, so the model may compute ` +
      `something else. ms.inspectFile(${JSON.stringify(path)}) shows its code as it was.`,
  );
}

/** Without the spaces in which the same code may differ. */
function comparable({ metaState, apply }: SavedVariant): string {
  return `${metaState} ${apply.replace(/\s+/g, " ")}`;
}
