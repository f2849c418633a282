/** What stands where one writes: what TypeScript knows of it, and beside that what the values in the session tell. */
import type { LanguageClient } from "../language/client.js";
import type { CompletionItem, Completions } from "../language/completion.js";
import type { Inspection } from "../language/inspection.js";
import type { Execution } from "./execution.js";

const NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
/** What stands before a key in quotes. */
const OPEN_KEY = /\[\s*["'`]$/;
/** A key that needs no escapes. */
const PLAIN_KEY = /^[^"'`\\\p{Cc}]+$/u;

export class Editing {
  readonly #language: LanguageClient;
  readonly #execution: Execution;

  constructor(language: LanguageClient, execution: Execution) {
    this.#language = language;
    this.#execution = execution;
  }

  /** What may stand at the cursor, an offset in UTF-16 code units. */
  async complete(text: string, cursor: number): Promise<Completions> {
    const known = await this.#language.ask("complete", text, cursor);
    const { items, membersOf, start, end } = known;
    if (items.length > 0 || membersOf === undefined) return known;
    const { members = [] } = await this.#execution.look(membersOf, "members");
    const allowed = OPEN_KEY.test(text.slice(0, start)) ? PLAIN_KEY : NAME;
    const typed = text.slice(start, cursor).toLowerCase();
    const found = members
      .filter(({ name }) => allowed.test(name) && name.toLowerCase().startsWith(typed))
      .map(({ name, isFunction }): CompletionItem => {
        return { text: name, type: isFunction ? "method" : "property", start, end };
      });
    return { ...known, items: found };
  }

  /** What is known of the name at the cursor; of a variable or a member also what it is at present. */
  async inspect(text: string, cursor: number): Promise<Inspection | undefined> {
    const found = await this.#language.ask("inspect", text, cursor);
    if (found?.valuePath === undefined) return found;
    const { text: value } = await this.#execution.look(found.valuePath, "text");
    if (value === undefined) return found.unknown === true ? undefined : found;
    // A fence within the text would end the one around it.
    const shown = `Value:\n\n\`\`\`\n${value.replaceAll("```", "`\u200b`\u200b`")}\n\`\`\``;
    return { ...found, documentation: [shown, found.documentation].filter((part) => part !== "").join("\n\n") };
  }
}
