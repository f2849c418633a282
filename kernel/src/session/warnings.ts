/**
 * Warnings of Node and of packages (a deprecated function, too many listeners) on the cell whose code made them, with the place. What
 * Node itself writes names its process and a flag of `node`, which are nothing to the reader of a notebook.
 */
import { currentCell } from "./current-cell.js";
import { sendFrame } from "./frames.js";
import { origin } from "./traceback.js";

interface Warning extends Error {
  readonly code?: string;
  readonly detail?: unknown;
}

export function showWarnings(): void {
  const nodes = process.listeners("warning").find(({ name }) => name === "onWarning");
  // There is none where no warnings are wanted.
  if (nodes === undefined) return;
  process.off("warning", nodes);
  process.on("warning", (warning: Warning) => {
    if (isUnwanted(warning)) return;
    const { name, message, code, detail } = warning;
    const place = origin(warning);
    const lines = [
      `${name}: ${message}${code === undefined ? "" : ` [${code}]`}`,
      ...(typeof detail === "string" ? [detail] : []),
      ...(place === undefined ? [] : [`    at ${place}`]),
    ];
    sendFrame({ type: "stream", cell: currentCell(), name: "stderr", text: `${lines.join("\n")}\n` });
  });
}

/** Those that Node does not write either. */
function isUnwanted({ name, code }: Warning): boolean {
  const { noDeprecation } = process as { readonly noDeprecation?: boolean };
  if (name === "DeprecationWarning" && noDeprecation === true) return true;
  const flags = [...process.execArgv, ...(process.env["NODE_OPTIONS"] ?? "").split(" ")];
  return flags.some((flag) => flag === `--disable-warning=${name}` || flag === `--disable-warning=${code}`);
}
