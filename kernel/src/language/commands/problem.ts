/** A mistake in a command, as a notebook shows it. */
import { ansi } from "../../ansi.js";
import type { CellErrors } from "../diagnostics.js";
import type { CommandProblem } from "./rewrite.js";

/** Formats a mistake like an error of the compiler's. */
export function formatProblem({ start, length, message }: CommandProblem, label: string, source: string): CellErrors {
  const above = source.slice(0, start).split("\n");
  const column = above.at(-1)?.length ?? 0;
  const number = String(above.length);
  const text = source.split("\n")[above.length - 1] ?? "";
  return {
    ename: "CommandError",
    evalue: message,
    traceback: [
      `${ansi.cyan}${label}:${number}:${column + 1}${ansi.reset} - ${ansi.red}error:${ansi.reset} ${message}`,
      "",
      `${ansi.inverse}${number}${ansi.reset} ${text}`,
      `${ansi.inverse}${" ".repeat(number.length)}${ansi.reset} ${" ".repeat(column)}${ansi.red}${"~".repeat(length)}${ansi.reset}`,
      "",
    ],
  };
}
