/** What is asked of the language process, and how; without the process itself, which is TypeScript as a whole. */
import type { complete } from "./completion.js";
import type { completeness } from "./completeness.js";
import type { inspect } from "./inspection.js";
import type { Language, LanguageOptions } from "./language.js";

/** File descriptors of the process. */
export const LANGUAGE_PIPE = { questions: 0, answers: 3 } as const;

/** What can be asked of the process. The first question is `open`. */
export interface LanguageRequests {
  /** Answers whether all that the process knew from its snapshot was still so. */
  open: { args: [options: LanguageOptions]; result: boolean };
  compile: { args: [source: string, label: string, from?: number]; result: ReturnType<Language["compile"]> };
  complete: { args: [text: string, cursor: number]; result: ReturnType<typeof complete> };
  inspect: { args: [text: string, cursor: number]; result: ReturnType<typeof inspect> };
  completeness: { args: [text: string]; result: ReturnType<typeof completeness> };
  compileImport: { args: [specifier: string]; result: ReturnType<Language["compileImport"]> };
  declare: { args: [name: string]; result: void };
  takeBack: { args: [commit: number]; result: void };
  reset: { args: []; result: void };
  lookAgain: { args: []; result: void };
}

export interface LanguageRequest {
  readonly id: number;
  readonly method: keyof LanguageRequests;
  readonly args: readonly unknown[];
}

export type LanguageReply =
  { readonly id: number; readonly result?: unknown } | { readonly id: number; readonly error: string };
