/** `process.stdin` of a session, in which there is nothing: who reads it, by `readline` say, is told what asks instead. */
import { currentCell } from "./current-cell.js";
import { sendFrame } from "./frames.js";

const HINT =
  "process.stdin has nothing to read, and what waits for a line of it waits for ever: a cell has no keyboard of its own. " +
  'await input("…"), or prompt("…"), asks whoever sits before the notebook.\n';

/** Has the first cell that reads `process.stdin` to its end say so. */
export function explainStdin(): void {
  const original = Object.getOwnPropertyDescriptor(process, "stdin");
  const open = original?.get?.bind(process) as (() => typeof process.stdin) | undefined;
  if (original === undefined || open === undefined) return;
  let stdin: typeof process.stdin | undefined;
  Object.defineProperty(process, "stdin", {
    ...original,
    get: () =>
      (stdin ??= open().once("end", () => {
        sendFrame({ type: "stream", cell: currentCell(), name: "stderr", text: HINT });
      })),
  });
}
