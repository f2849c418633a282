/**
 * A cell that begins with `%npm install x` and then imports `x` is compiled in two stages: before npm has run, TypeScript
 * knows nothing of the package.
 */
import { isBlank, type Capture, type Command, type Rewritten } from "./rewrite.js";

/** Programs that install packages, in a line for the shell. */
const PACKAGE_MANAGER = /\b(npm|npx|pnpm|yarn|bun)\b/;

/** A cell, or the part of it that can be compiled now. */
export interface Stage extends Rewritten {
  /** Where the rest of the cell begins, which is to be compiled when this part has run. */
  readonly next?: number;
}

/** Whether a command may change which packages there are. */
export function changesPackages(command: Command | Capture): boolean {
  const name = "name" in command ? command.name : "shell";
  return name === "npm" || (name === "shell" && PACKAGE_MANAGER.test(command.args.join("")));
}

/** The part of a cell that begins at `from`; all before it has run. */
export function stageFrom(cell: Rewritten, from: number): Stage {
  const commands = cell.commands.filter(({ start }) => start >= from);
  const leading = commands.filter(({ start }) => isBlank(cell.text.slice(0, start)));
  const end = leading.findLast(changesPackages)?.end;
  const rest = from === 0 ? cell : { ...cell, reset: false };
  if (end === undefined || isBlank(cell.text.slice(end))) return { ...rest, commands };
  const text = cell.text.slice(0, end) + cell.text.slice(end).replace(/[^\n\r]/g, " ");
  return { ...rest, text, commands: commands.filter(({ start }) => start < end), timed: false, next: end };
}
