/** What a person learns of the name at the cursor: signature, types, documentation. */
import ts = require("typescript");
import type { Language } from "./language.js";

export interface Inspection {
  /** Signature or declaration, as TypeScript. */
  readonly signature: string;
  /** Documentation, as Markdown; empty where there is none. */
  readonly documentation: string;
}

/** The name under, or just before, `cursor`; or the call whose arguments the cursor stands in. */
export function inspect(language: Language, text: string, cursor: number): Inspection | undefined {
  return language.edit(text, (service, path) => {
    const at = (offset: number): Inspection | undefined => {
      if (offset < 0) return undefined;
      const info = service.getQuickInfoAtPosition(path, offset);
      // Of a name that means nothing TypeScript says that it is `any`, without saying what kind of thing it is.
      if (info === undefined || info.kind === ts.ScriptElementKind.unknown) return undefined;
      return {
        signature: ts.displayPartsToString(info.displayParts),
        documentation: documentation(info.documentation ?? [], info.tags ?? []),
      };
    };
    // Between a call's parentheses the call is what the question is about.
    if (/[(,]\s*$/.test(text.slice(0, cursor))) return call(service, path, cursor) ?? at(cursor);
    return at(cursor) ?? at(cursor - 1) ?? call(service, path, cursor);
  });
}

function call(service: ts.LanguageService, path: string, cursor: number): Inspection | undefined {
  const help = service.getSignatureHelpItems(path, cursor, undefined);
  const item = help?.items[help.selectedItemIndex];
  if (help === undefined || item === undefined) return undefined;
  const text = (parts: readonly ts.SymbolDisplayPart[]): string => ts.displayPartsToString([...parts]);
  const parameters = item.parameters.map(({ displayParts }) => text(displayParts));
  const signature =
    text(item.prefixDisplayParts) + parameters.join(text(item.separatorDisplayParts)) + text(item.suffixDisplayParts);
  const others = help.items.length > 1 ? `\n// and ${help.items.length - 1} more overloads` : "";
  return { signature: signature + others, documentation: documentation(item.documentation, item.tags) };
}

function documentation(parts: readonly ts.SymbolDisplayPart[], tags: readonly ts.JSDocTagInfo[]): string {
  const text = ts.displayPartsToString([...parts]);
  const notes = tags.map((tag) => {
    const body = ts.displayPartsToString(tag.text);
    if (tag.name === "example")
      return `*@example*\n${body.includes("```") ? body : `\`\`\`typescript\n${body}\n\`\`\``}`;
    const [, name, rest = ""] = tag.name === "param" ? (/^(\S+)\s*-?\s*([^]*)$/.exec(body) ?? []) : [];
    return name === undefined ? `*@${tag.name}* ${body}` : `*@param* \`${name}\` — ${rest}`;
  });
  return [text, ...notes].filter((part) => part !== "").join("\n\n");
}
