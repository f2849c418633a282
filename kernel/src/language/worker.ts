/** The thread in which the language service lives, so that the front answers while TypeScript thinks. */
import { parentPort, workerData } from "node:worker_threads";
import { complete } from "./completion.js";
import { completeCommand } from "./commands/completion.js";
import { rewriteCommands } from "./commands/rewrite.js";
import { completeness } from "./completeness.js";
import { inspect } from "./inspection.js";
import { Language, type LanguageOptions } from "./language.js";

/** What can be asked of the thread. */
export interface LanguageRequests {
  compile: { args: [source: string, label: string, from?: number]; result: ReturnType<Language["compile"]> };
  complete: { args: [text: string, cursor: number]; result: ReturnType<typeof complete> };
  inspect: { args: [text: string, cursor: number]; result: ReturnType<typeof inspect> };
  completeness: { args: [text: string]; result: ReturnType<typeof completeness> };
  reset: { args: []; result: void };
  lookAgain: { args: []; result: void };
}

export interface LanguageRequest {
  readonly id: number;
  readonly method: keyof LanguageRequests;
  readonly args: readonly unknown[];
}

export type LanguageReply =
  { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

const options = workerData as LanguageOptions;
const language = new Language(options);

const methods: {
  [M in keyof LanguageRequests]: (...args: LanguageRequests[M]["args"]) => LanguageRequests[M]["result"];
} = {
  compile: (source, label, from) => language.compile(source, label, from),
  complete: (text, cursor) => completeCommand(text, cursor, options.folder) ?? complete(language, text, cursor),
  inspect: (text, cursor) => inspect(language, text, cursor),
  completeness: (text) => completeness(rewriteCommands(text).text),
  reset: () => {
    language.reset();
  },
  lookAgain: () => {
    language.lookAgain();
  },
};

/** Time without a question after which the documentation is read, in milliseconds. */
const IDLE_MS = 1000;
const documentation = setTimeout(() => {
  language.readDocumentation();
}, IDLE_MS);

parentPort?.on("message", ({ id, method, args }: LanguageRequest) => {
  let reply: LanguageReply;
  try {
    const run = methods[method] as (...args: readonly unknown[]) => unknown;
    reply = { id, result: run(...args) };
  } catch (error) {
    reply = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  parentPort?.postMessage(reply);
  documentation.refresh();
});

// Checks the scope once, so that the first cell does not pay for the types of the preload; a question that waits comes first.
setImmediate(() => {
  language.edit("0;", (service, path) => service.getSemanticDiagnostics(path));
});
