/** `!command`: a line for the shell. */
import { ansi } from "../../ansi.js";
import { ShellLines } from "../../cell-api/shell-lines.js";
import { runChild } from "./child.js";

const NOT_FOUND = 127;
/** Shells that take a line after `-c`; an account without a shell has a program there that takes none. */
const SHELLS = /\/(ba|da|z|k|fi)?sh$/;

function shellProgram(): string {
  const own = process.env["SHELL"];
  return own !== undefined && SHELLS.test(own) ? own : "/bin/sh";
}

/** Runs a line in the user's shell. As in IPython a status other than 0 is told of, and the cell goes on. */
export async function shell(pieces: readonly string[], values: readonly unknown[]): Promise<void> {
  tellStatus(await runChild([shellProgram(), "-c", lineOf(pieces, values)]));
}

/** Runs a line in the user's shell and gives what it prints to stdout; what it prints to stderr is seen at once. */
export async function captureShell(pieces: readonly string[], values: readonly unknown[]): Promise<ShellLines> {
  let text = "";
  const onStdout = (piece: string): void => void (text += piece);
  const status = await runChild([shellProgram(), "-c", lineOf(pieces, values)], { onStdout });
  tellStatus(status);
  return new ShellLines(text, status);
}

function lineOf(pieces: readonly string[], values: readonly unknown[]): string {
  return pieces.map((piece, i) => (i < values.length ? piece + asText(values[i]) : piece)).join("");
}

function tellStatus(status: number): void {
  if (status === 0) return;
  const hint =
    status === NOT_FOUND
      ? " A line that begins with ! is for the shell; for the opposite of a value write (!value)."
      : "";
  process.stderr.write(
    `${ansi.red}The command ended with status ${status}${ansi.reset}${signalName(status)}.${hint}\n`,
  );
}

/** A list is what a shell makes of one: its elements with blanks between. */
function asText(value: unknown): string {
  return Array.isArray(value) ? value.map(String).join(" ") : String(value);
}

function signalName(status: number): string {
  return status === 137 ? " (killed)" : status === 139 ? " (segmentation fault)" : "";
}
