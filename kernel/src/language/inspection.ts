/** What a person learns of the name at the cursor: signature, types, documentation. */
import ts = require("typescript");
import { CELL_COMMANDS, isCellCommand, isLineCommand, LINE_COMMANDS, type CommandEntry } from "./commands/table.js";
import type { Language } from "./language.js";
import { asWritten } from "./one-byte.js";
import { pathAt, type ValuePath } from "./value-path.js";

export interface Inspection {
  /** Signature or declaration, as TypeScript. */
  readonly signature: string;
  /** Documentation, as Markdown; empty where there is none. */
  readonly documentation: string;
  /** Where the value is that it is about, if it is about one. */
  readonly valuePath?: ValuePath;
  /** TypeScript knows nothing of it: it is there only if the value is. */
  readonly unknown?: boolean;
}

/** Overloads of a call that are shown. */
const MOST_OVERLOADS = 5;

/** A text that is one name: of a type perhaps, as in `User?`. */
const LONE_NAME = /^\s*[\p{ID_Start}$_][\p{ID_Continue}$.]*\s*$/u;
const AS_TYPE = "type _ = ";

/** The name under, or just before, `cursor`; or the call whose arguments the cursor stands in. */
export function inspect(language: Language, text: string, cursor: number): Inspection | undefined {
  const command = inspectCommand(text, cursor);
  if (command !== undefined) return command;
  language.readDocumentation();
  const found = language.edit(
    text,
    (service, path, program) => {
      const file = program.getSourceFile(path);
      const valueAt = (offset: number): ValuePath | undefined => file && pathAt(language, program, file, offset);
      return query(service, path, text, cursor, valueAt);
    },
    { fresh: true },
  );
  if (found !== undefined || !LONE_NAME.test(text)) return found;
  return language.edit(AS_TYPE + text, (service, path) => {
    const as = query(service, path, AS_TYPE + text, AS_TYPE.length + cursor);
    // A keyword is a type of its own name there.
    return as !== undefined && /^type (\w+) = \1$/.test(as.signature) ? undefined : as;
  });
}

/** The command whose name the cursor stands in. */
function inspectCommand(text: string, cursor: number): Inspection | undefined {
  const start = text.lastIndexOf("\n", cursor - 1) + 1;
  const [all = "", mark, name = ""] = /^[ \t]*(%%?)([A-Za-z]+)/.exec(text.slice(start)) ?? [];
  if (mark === undefined || cursor > start + all.length) return undefined;
  const entry: CommandEntry | undefined =
    mark === "%"
      ? isLineCommand(name)
        ? LINE_COMMANDS[name]
        : undefined
      : isCellCommand(name)
        ? CELL_COMMANDS[name]
        : undefined;
  return entry && { signature: entry.usage, documentation: entry.help };
}

function query(
  service: ts.LanguageService,
  path: string,
  text: string,
  cursor: number,
  valueAt?: (offset: number) => ValuePath | undefined,
): Inspection | undefined {
  const at = (offset: number): Inspection | undefined => {
    if (offset < 0) return undefined;
    const info = service.getQuickInfoAtPosition(path, offset);
    const valuePath = valueAt?.(offset);
    // Of a name that means nothing TypeScript says that it is `any`, without saying what kind of thing it is.
    if (info === undefined || info.kind === ts.ScriptElementKind.unknown) {
      const isMember = valuePath !== undefined && valuePath.length > 1;
      return isMember
        ? { signature: `${valuePath.at(-1) ?? ""}: any`, documentation: "", valuePath, unknown: true }
        : undefined;
    }
    const signature = ts.displayPartsToString(info.displayParts);
    // A keyword that is all there is of a declaration, and a type that there is not.
    if (/\(Missing\)|\/\*unresolved\*\//.test(signature)) return undefined;
    const about = documentation(info.documentation ?? [], info.tags ?? []);
    return { signature, documentation: about, ...(valuePath && { valuePath }) };
  };
  // Between a call's parentheses the call is what the question is about.
  if (/[(,]\s*$/.test(text.slice(0, cursor))) return call(service, path, cursor) ?? at(cursor);
  return at(cursor) ?? at(cursor - 1) ?? call(service, path, cursor);
}

/** A call, with the parameter that the cursor stands at. */
function call(service: ts.LanguageService, path: string, cursor: number): Inspection | undefined {
  const help = service.getSignatureHelpItems(path, cursor, undefined);
  const item = help?.items[help.selectedItemIndex];
  if (help === undefined || item === undefined) return undefined;
  const others = help.items.filter((other) => other !== item);
  const shown = others.slice(0, MOST_OVERLOADS - 1).map(signature);
  const hidden = others.length - shown.length;
  const more = hidden > 0 ? [`// and ${hidden} more overloads`] : [];
  // A rest parameter takes all arguments that are left.
  const last = item.parameters.at(-1);
  const active = item.parameters[help.argumentIndex] ?? (item.isVariadic ? last : undefined);
  return {
    signature: [signature(item), ...shown, ...more].join("\n"),
    documentation: [...(active === undefined ? [] : [parameter(active)]), documentation(item.documentation, item.tags)]
      .filter((part) => part !== "")
      .join("\n\n"),
  };
}

function signature(item: ts.SignatureHelpItem): string {
  const parameters = item.parameters.map(({ displayParts }) => text(displayParts));
  return (
    text(item.prefixDisplayParts) + parameters.join(text(item.separatorDisplayParts)) + text(item.suffixDisplayParts)
  );
}

/** The parameter that is about to be given. */
function parameter({ displayParts, documentation }: ts.SignatureHelpParameter): string {
  const about = asWritten(text(documentation));
  return `▸ **\`${text(displayParts)}\`**${about === "" ? "" : ` — ${about}`}`;
}

function text(parts: readonly ts.SymbolDisplayPart[]): string {
  return ts.displayPartsToString([...parts]);
}

function documentation(parts: readonly ts.SymbolDisplayPart[], tags: readonly ts.JSDocTagInfo[]): string {
  return asWritten([prose(parts), ...tags.map(note)].filter((part) => part !== "").join("\n\n"));
}

/** A tag of a comment, as Markdown. */
function note({ name, text: parts = [] }: ts.JSDocTagInfo): string {
  const body = prose(parts);
  switch (name) {
    case "example":
      return `*@example*\n${body.includes("```") ? body : `\`\`\`typescript\n${body}\n\`\`\``}`;
    case "param":
    case "typeParam":
    case "template":
    case "property": {
      const [, what, rest = ""] = /^(\S+)\s*-?\s*([^]*)$/.exec(body) ?? [];
      if (what !== undefined) return `*@${name}* \`${what}\`${rest === "" ? "" : ` — ${rest}`}`;
      break;
    }
    default:
  }
  return body === "" ? `*@${name}*` : `*@${name}* ${body}`;
}

/** Text of a comment; `{@link …}` becomes a link where it names an address, and code where it names a symbol. */
function prose(parts: readonly ts.SymbolDisplayPart[]): string {
  let link: { target: string; label: string } | undefined;
  let out = "";
  for (const part of parts) {
    const kind = part.kind as keyof typeof ts.SymbolDisplayPartKind;
    if (kind === "link") {
      // The parts of a link stand between two of this kind: `{@link ` and `}`.
      if (link === undefined) link = { target: "", label: "" };
      else {
        out += written(link);
        link = undefined;
      }
    } else if (link !== undefined && kind === "linkName") link.target = part.text;
    else if (link !== undefined && kind === "linkText") link.label += part.text;
    else out += part.text;
  }
  return out;
}

function written({ target, label }: { target: string; label: string }): string {
  const [address = "", ...words] = (target + label).trim().split(/\s*\|\s*|\s+/);
  const title = words.join(" ") || address;
  return /^https?:/.test(address) ? `[${title}](${address})` : `\`${title.replace(/^.* /, "")}\``;
}
