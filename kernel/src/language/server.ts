/**
 * The process in which the language service lives, so that the front answers while TypeScript thinks. Questions come, and answers
 * go, as lines of JSON.
 */
import { Socket } from "node:net";
import { completeCommand } from "./commands/completion.js";
import { complete } from "./completion.js";
import { completeness } from "./completeness.js";
import { inspect } from "./inspection.js";
import { Language } from "./language.js";
import type { Library } from "./library.js";
import { LANGUAGE_PIPE, type LanguageReply, type LanguageRequest, type LanguageRequests } from "./questions.js";
import { LineReader } from "../line-reader.js";
import { writeAll } from "../write-all.js";

type Methods = {
  [M in keyof LanguageRequests]: (...args: LanguageRequests[M]["args"]) => LanguageRequests[M]["result"];
};

/** Questions after which cells see other names. */
const DECLARING: ReadonlySet<LanguageRequest["method"]> = new Set([
  "compile",
  "declare",
  "takeBack",
  "reset",
  "lookAgain",
]);

/** Time without a question after which the documentation is read, in milliseconds. */
const IDLE_MS = 1000;

/**
 * Answers the questions that come through the pipe, until it is closed.
 *
 * @param prepared a language of the same globals, with that library, that no notebook has used yet
 */
export function serve(library: Library, prepared?: Language): void {
  const methods = methodsWith(library, prepared);
  const reader = new LineReader();
  const documentation = setTimeout(() => {
    methods.readDocumentation();
  }, IDLE_MS);
  const questions = new Socket({ fd: LANGUAGE_PIPE.questions, readable: true, writable: false });
  questions.on("data", (chunk: Buffer) => {
    let declares = false;
    for (const line of reader.push(chunk)) {
      const request = JSON.parse(line) as LanguageRequest;
      const reply = answer(methods, request);
      writeAll(LANGUAGE_PIPE.answers, Buffer.from(`${JSON.stringify(reply)}\n`));
      declares ||= DECLARING.has(request.method);
    }
    // While the cell runs.
    if (declares) {
      setImmediate(() => {
        methods.prepare();
      });
    }
    documentation.refresh();
  });
  questions.on("close", () => process.exit(0));
}

function answer(methods: Methods, { id, method, args }: LanguageRequest): LanguageReply {
  try {
    const run = methods[method] as (...args: readonly unknown[]) => unknown;
    return { id, result: run(...args) };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function methodsWith(
  library: Library,
  prepared: Language | undefined,
): Methods & { readDocumentation(): void; prepare(): void } {
  let language: Language | undefined;
  let folder = "";
  const opened = (): Language => {
    if (language === undefined) throw new Error("the language service was asked before it was opened");
    return language;
  };
  return {
    open: (options) => {
      const fresh = library.refresh();
      ({ folder } = options);
      const own = fresh && prepared?.moveTo(folder) ? prepared : new Language(options, library);
      language = own;
      // Checks the scope once, so that the first cell does not pay for the types of the preload; a question that waits
      // comes first.
      setImmediate(() => {
        own.edit("0;", (service, path) => service.getSemanticDiagnostics(path));
      });
      return fresh;
    },
    compile: (source, label, from) => opened().compile(source, label, from),
    complete: (text, cursor) => completeCommand(text, cursor, folder) ?? complete(opened(), text, cursor),
    inspect: (text, cursor) => inspect(opened(), text, cursor),
    completeness,
    compileImport: (specifier) => opened().compileImport(specifier),
    declare: (name) => {
      opened().declare(name);
    },
    takeBack: (commit) => {
      opened().takeBack(commit);
    },
    reset: () => {
      opened().reset();
    },
    lookAgain: () => {
      opened().lookAgain();
    },
    readDocumentation: () => {
      language?.readDocumentation();
    },
    prepare: () => {
      try {
        language?.prepare();
      } catch {
        // The next question comes to it too, and says so.
      }
    },
  };
}
