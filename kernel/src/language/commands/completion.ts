/** Completion in a line with a command: names of commands, and paths after `%load` and in a line for the shell. */
import type { Completions } from "../completion.js";
import { pathsFrom } from "../paths.js";
import { endingOf } from "./statement-end.js";
import { rewriteCommands } from "./rewrite.js";
import { CELL_COMMANDS, LINE_COMMANDS } from "./table.js";

const NAME = /^[ \t]*(%%?)([\w-]*)$/;
const PATH = /^[ \t]*(?:%load[ \t]+|(?:[^=!]+=[ \t]*)?!.*?)([^\s"'`=<>|;&(){}]*)$/;

/** What may stand at `cursor`, where it stands in a command; undefined where it stands in TypeScript. */
export function completeCommand(text: string, cursor: number, folder: string): Completions | undefined {
  const lineStart = text.lastIndexOf("\n", cursor - 1) + 1;
  const line = text.slice(lineStart, cursor);
  const [, mark, name = ""] = NAME.exec(line) ?? [];
  if (mark !== undefined) {
    const before = rewriteCommands(text.slice(0, lineStart)).text;
    if (["open", "inside"].includes(endingOf(before))) return undefined;
    const first = before.trim() === "";
    const start = cursor - name.length - mark.length;
    const names = [
      ...(mark === "%" ? Object.keys(LINE_COMMANDS).map((word) => `%${word}`) : []),
      ...(first ? Object.keys(CELL_COMMANDS).map((word) => `%%${word}`) : []),
    ].filter((command) => command.replace(/^%+/, "").startsWith(name));
    return {
      items: names.map((command) => ({ text: command, type: "keyword", start, end: cursor })),
      start,
      end: cursor,
    };
  }
  const [, path] = PATH.exec(line) ?? [];
  if (path === undefined) return undefined;
  const { commands, captures } = rewriteCommands(text);
  const here =
    commands.some(({ start, end }) => start < cursor && cursor <= end) ||
    captures.some(({ start }) => lineStart <= start && start < cursor);
  // After an open brace an expression begins.
  if (!here || /[^$]\{[^}]*$/.test(line)) return undefined;
  return pathsFrom(folder, path, cursor);
}
