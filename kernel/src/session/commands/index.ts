/** Carries out the commands of cells; loaded when the first one is met. */
import { CommandError } from "./error.js";
import { help } from "./help.js";
import { load } from "./load.js";
import { npm } from "./npm.js";
import { shell } from "./shell.js";
import { showLatestError } from "./tb.js";
import { who, type Declared } from "./who.js";

/** Carries out a command; the arguments are those that `language/commands/calls.ts` writes into the script. */
export async function runCommand(name: string, args: readonly unknown[]): Promise<void> {
  switch (name) {
    case "help":
      help();
      return;
    case "load":
      await load(args[0] as string);
      return;
    case "npm":
      await npm((args[0] ?? "") as string);
      return;
    case "shell":
      await shell(args[0] as readonly string[], (args[1] ?? []) as readonly unknown[]);
      return;
    case "tb":
      showLatestError();
      return;
    case "who":
      who(args[0] as readonly Declared[], (args[1] ?? "") as string);
      return;
    default:
      throw new CommandError(`There is no command ${name}.`);
  }
}
