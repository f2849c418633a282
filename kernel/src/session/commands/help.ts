/** `%help`: a table of the commands. */
import { display } from "../../cell-api/display.js";
import { CELL_COMMANDS, LINE_COMMANDS, SHELL_COMMAND, type CommandEntry } from "../../language/commands/table.js";

export function help(): void {
  const entries: CommandEntry[] = [...Object.values(LINE_COMMANDS), ...Object.values(CELL_COMMANDS), SHELL_COMMAND];
  const width = Math.max(...entries.map(({ usage }) => usage.length));
  display.mime({
    "text/markdown": [
      "| command | what it does |",
      "| :--- | :--- |",
      ...entries.map(({ usage, help: text }) => `| \`${usage}\` | ${text} |`),
      "",
      "`name?` shows what is known of a name.",
    ].join("\n"),
    "text/plain": entries
      .map(({ usage, help: text }) => `${usage.padEnd(width)}  ${text.replaceAll("`", "")}`)
      .join("\n"),
  });
}
