/**
 * `readline` on `process.stdin`. An interface listens to its stream from the moment it is made, whether it has a question or not: here
 * it gets a stream of its own, into which lines come when it has one, or somebody wants its lines.
 */
import { createRequire, syncBuiltinESMExports } from "node:module";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import type { Interface, ReadLineOptions } from "node:readline";
import { LineReader, Stdin } from "./stdin.js";

type CreateInterface = (options: ReadLineOptions) => Interface;
type Question = (...args: readonly unknown[]) => unknown;

const NAMES: ReadonlySet<string> = new Set(["readline", "readline/promises"]);
let isDone = false;

/** Before a module of this name is used: has it ask whoever sits before the notebook. */
export function prepareReadline(specifier: string): void {
  if (isDone || !NAMES.has(specifier.replace(/^node:/, ""))) return;
  isDone = true;
  const require = createRequire(import.meta.url);
  for (const name of NAMES) {
    const module = require(name) as { createInterface: CreateInterface };
    module.createInterface = askingInterface(module.createInterface);
  }
  syncBuiltinESMExports();
}

function askingInterface(create: CreateInterface): CreateInterface {
  return (...given: readonly unknown[]) => {
    const [first, output, completer] = given;
    const options = (first instanceof Stdin ? { input: first, output, completer } : first) as ReadLineOptions;
    if (!(options.input instanceof Stdin)) return (create as Question)(...given) as Interface;
    const lines = new PassThrough();
    const made = create({ ...options, input: lines, terminal: false });
    whenWanted(made, (line) => lines.write(line));
    return made;
  };
}

/** Asks for lines while an interface has a question, or is listened to. */
function whenWanted(made: Interface, take: (line: string) => void): void {
  let questions = 0;
  let isOpen = true;
  const isWanted = (): boolean => isOpen && (questions > 0 || made.listenerCount("line") > 0);
  const reader = new LineReader(isWanted, take);
  const original = made.question.bind(made) as Question;
  const question: Question = (...args) => {
    questions++;
    reader.start();
    const done = (): void => void questions--;
    const callback = args.at(-1);
    if (typeof callback === "function") {
      return original(...args.slice(0, -1), (answer: string) => {
        done();
        (callback as Question)(answer);
      });
    }
    const answered = original(...args);
    if (answered instanceof Promise) answered.then(done, done);
    return answered;
  };
  // The callback's one argument is the answer, not an error.
  const promised = (query: string, options: object = {}): Promise<unknown> =>
    new Promise((resolve) => question(query, options, resolve));
  made.question = Object.assign(question, { [promisify.custom]: promised });
  made.on("newListener", (event) => {
    if (event === "line") reader.start();
  });
  made.once("close", () => {
    isOpen = false;
    reader.stop();
  });
}
