/** What a file says of an SSE variant of one's own: what that does is code, of which tensors and configuration tell nothing. */
import type { ModelConfiguration } from "../model/configuration.js";
import type { LanguageModel } from "../model/language-model.js";
import { isShipped, variantOf } from "../sse/registry.js";
import { isObject } from "./safetensors/header.js";

/** An SSE variant of one's own as a file has it. */
export interface SavedVariant {
  readonly metaState: boolean;
  /** the definition's `apply` as JavaScript */
  readonly apply: string;
}

/** What is saved of a configuration's variant; undefined for one of the library's, and for a baseline, which has none. */
export function variantToSave(configuration: LanguageModel["configuration"]): SavedVariant | undefined {
  if (!hasVariant(configuration) || isShipped(configuration.sse)) return undefined;
  const { metaState, apply } = variantOf(configuration);
  return { metaState, apply: apply.toString() };
}

/**
 * What a file says of its variant; undefined where that is one of the library's, and in files of earlier versions.
 *
 * @param said what the file says of its model
 */
export function savedVariant({ variant }: Readonly<Record<string, unknown>>): SavedVariant | undefined {
  if (!isObject(variant)) return undefined;
  const { metaState, apply } = variant;
  return typeof metaState === "boolean" && typeof apply === "string" ? { metaState, apply } : undefined;
}

/** Warns where a model's variant is defined otherwise than when its file was saved: it may compute something else. */
export function warnIfRedefined(
  path: string,
  saved: SavedVariant | undefined,
  configuration: LanguageModel["configuration"],
): void {
  const now = saved && variantToSave(configuration);
  if (!now || !hasVariant(configuration) || comparable(saved) === comparable(now)) return;
  console.warn(
    `The SSE variant "${configuration.sse}" is defined otherwise than when ${path} was saved, so the model may compute ` +
      `something else. ms.inspectFile(${JSON.stringify(path)}) shows its code as it was.`,
  );
}

function hasVariant(configuration: object): configuration is ModelConfiguration {
  return "sse" in configuration;
}

/** Without the spaces in which the same code may differ. */
function comparable({ metaState, apply }: SavedVariant): string {
  return `${metaState} ${apply.replace(/\s+/g, " ")}`;
}
