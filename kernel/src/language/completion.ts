/** Completion of a text at a cursor. */
import ts = require("typescript");
import { CAPTURED, CAPTURED_WITH } from "./commands/rewrite.js";
import type { Language } from "./language.js";
import { completePath } from "./paths.js";
import { pathBefore, type ValuePath } from "./value-path.js";

/** One completion, as `_jupyter_types_experimental` carries it. Offsets are in UTF-16 code units. */
export interface CompletionItem {
  readonly text: string;
  /** What it is: function, method, property, class, … */
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

export interface Completions {
  readonly items: readonly CompletionItem[];
  readonly start: number;
  readonly end: number;
  /** Where TypeScript knows no members, as of a value of type `any`: those of the value at this path may be offered. */
  readonly membersOf?: ValuePath | undefined;
}

const IDENTIFIER_BEFORE = /[\p{ID_Start}$_#][\p{ID_Continue}$]*$/u;
const IDENTIFIER_AFTER = /^[\p{ID_Continue}$]*/u;

/** The head of a class or an interface, up to where a name is to come: without that TypeScript takes what follows for members. */
const HEAD = /\b(?:class|interface)\b[^{}();]*\b(?:extends|implements)\s+(?:[^{}();]*,\s*)?$/;
const NO_BODY = /^\s*(?:$|[^\s{])/;

/** What may stand at `cursor` (an offset in UTF-16 code units), best first. */
export function complete(language: Language, text: string, cursor: number): Completions {
  const prefix = IDENTIFIER_BEFORE.exec(text.slice(0, cursor))?.[0] ?? "";
  const rest = IDENTIFIER_AFTER.exec(text.slice(cursor))?.[0] ?? "";
  const start = cursor - prefix.length;
  const end = cursor + (prefix === "" ? 0 : rest.length);
  const head = HEAD.test(text.slice(0, cursor)) && NO_BODY.test(text.slice(cursor));
  const asked = head ? `${text.slice(0, cursor)}_ {}${text.slice(cursor)}` : text;
  const at = head ? cursor + 1 : cursor;
  // At the very end of a text TypeScript looks for names outside of it.
  const found = language.edit(`${asked}\n`, (service, path, program) => {
    const checker = program.getTypeChecker();
    spare(checker);
    const options = { includeCompletionsWithInsertText: false, includeSymbol: true };
    const { entries = [] } = service.getCompletionsAtPosition(path, at, options) ?? {};
    const file = entries.length === 0 ? program.getSourceFile(path) : undefined;
    const membersOf = file && pathBefore(language, program, file, start);
    return { entries, checker, membersOf };
  });
  if (found === undefined) return { items: [], start: cursor, end: cursor };
  const { entries, checker, membersOf } = found;
  const path =
    entries.length === 0 && membersOf === undefined ? completePath(text, cursor, language.folder) : undefined;
  if (path !== undefined) return path;
  const wanted = prefix.toLowerCase();
  const last = membersOfFunctions(entries);
  const items = entries
    .filter(({ kind, name }) => kind !== ts.ScriptElementKind.warning && name !== CAPTURED && name !== CAPTURED_WITH)
    .map((entry) => {
      // In a string (the path of an import, a key) TypeScript names the span that is replaced.
      const from = entry.replacementSpan === undefined ? start : entry.replacementSpan.start;
      const to = entry.replacementSpan === undefined ? end : ts.textSpanEnd(entry.replacementSpan);
      const typed = entry.replacementSpan === undefined ? wanted : text.slice(from, Math.min(cursor, to)).toLowerCase();
      return { entry, from, to, typed };
    })
    .filter(({ entry, typed }) => entry.name.toLowerCase().startsWith(typed))
    .map((item) => ({ ...item, rank: rank(item.entry, prefix, last), place: placeOf(item.entry, language) }))
    .sort((a, b) => a.rank - b.rank || compare(a.place, b.place) || compare(a.entry.name, b.entry.name))
    .map(({ entry, from, to }) => ({ text: entry.name, type: kind(entry, checker), start: from, end: to }));
  const first = items[0];
  return { items, start: first?.start ?? start, end: first?.end ?? end, membersOf };
}

/** What is internal to TypeScript. */
interface CheckerInsides extends Pick<ts.TypeChecker, "getTypeAtLocation" | "getPropertyOfType"> {
  getAccessibleSymbolChain: () => readonly ts.Symbol[] | undefined;
  getWidenedType(type: ts.Type): ts.Type;
  isValidPropertyAccess: (node: ts.Node, name: string) => boolean;
  isValidPropertyAccessForCompletions(node: ts.Node, type: ts.Type, property: ts.Symbol): boolean;
}

const noChain = (): undefined => undefined;

/**
 * Spares a checker two questions that take longer than all else.
 *
 * Members that are named by a symbol, as an array's `[Symbol.iterator]`, are not offered; but TypeScript looks for a way to name
 * that symbol, through all that every namespace in scope exports. And of each of a namespace's exports it asks whether it is a
 * value, for which it works out each time what the namespace is.
 */
function spare(typeChecker: ts.TypeChecker): void {
  const checker = typeChecker as unknown as CheckerInsides;
  if (checker.getAccessibleSymbolChain === noChain) return;
  checker.getAccessibleSymbolChain = noChain;
  const isValid = checker.isValidPropertyAccess;
  let asked: ts.Node | undefined;
  let type: ts.Type | undefined;
  checker.isValidPropertyAccess = (node, name) => {
    if (!ts.isPropertyAccessExpression(node)) return isValid(node, name);
    if (asked !== node || type === undefined) type = checker.getWidenedType(checker.getTypeAtLocation(node.expression));
    asked = node;
    if (type.flags & ts.TypeFlags.Any) return true;
    const property = checker.getPropertyOfType(type, name);
    return property !== undefined && checker.isValidPropertyAccessForCompletions(node, type, property);
  };
}

/** Members that each function has. */
const OF_FUNCTIONS: readonly string[] = [
  "apply",
  "arguments",
  "bind",
  "call",
  "caller",
  "length",
  "name",
  "prototype",
  "toString",
];

/** Those members, where there are others: what is asked of a function with members of its own, as `display.`, are these. */
function membersOfFunctions(entries: readonly ts.CompletionEntry[]): ReadonlySet<string> {
  const names = new Set(entries.map(({ name }) => name));
  return new Set(OF_FUNCTIONS.every((name) => names.has(name)) ? OF_FUNCTIONS : []);
}

/** Names that match in case come first, and those of `last` last. */
function rank({ name }: ts.CompletionEntry, prefix: string, last: ReadonlySet<string>): number {
  return (name.startsWith(prefix) ? 0 : 1) + (last.has(name) ? 2 : 0);
}

/** TypeScript's order of what is declared globally, to which earlier cells belong as well; and theirs, before it. */
const GLOBAL = "15";
const OF_A_CELL = "14";

/** The order of names by where they are from, as TypeScript has it: those nearest to the cursor first. */
function placeOf({ sortText, symbol }: ts.CompletionEntry, language: Language): string {
  return sortText === GLOBAL && symbol?.declarations?.some((each) => language.cells.has(each.getSourceFile().fileName))
    ? OF_A_CELL
    : sortText;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What an imported name, or what a module passes on, is in truth. */
function kind({ kind, symbol }: ts.CompletionEntry, checker: ts.TypeChecker): string {
  if (symbol === undefined || !(symbol.flags & ts.SymbolFlags.Alias)) return kindOf(kind);
  // What `import * as` brings, though it may be a variable to CommonJS.
  if (symbol.declarations?.some(ts.isNamespaceImport)) return "module";
  const target = checker.getAliasedSymbol(symbol);
  const { flags } = target;
  if (flags & ts.SymbolFlags.Class) return "class";
  if (flags & ts.SymbolFlags.Function) return "function";
  if (flags & ts.SymbolFlags.Enum) return "enum";
  // A member is what CommonJS exports by `export =` of an object.
  if (flags & (ts.SymbolFlags.Variable | ts.SymbolFlags.ClassMember)) {
    return checker.getTypeOfSymbol(target).getCallSignatures().length > 0 ? "function" : "variable";
  }
  if (flags & ts.SymbolFlags.Interface) return "interface";
  if (flags & ts.SymbolFlags.TypeAlias) return "type";
  return "module";
}

/** Kinds by the names for which front ends have icons. */
function kindOf(kind: ts.ScriptElementKind): string {
  switch (kind) {
    case ts.ScriptElementKind.memberFunctionElement:
      return "method";
    case ts.ScriptElementKind.memberVariableElement:
    case ts.ScriptElementKind.memberGetAccessorElement:
    case ts.ScriptElementKind.memberSetAccessorElement:
      return "property";
    case ts.ScriptElementKind.localFunctionElement:
      return "function";
    case ts.ScriptElementKind.constElement:
    case ts.ScriptElementKind.letElement:
    case ts.ScriptElementKind.variableElement:
    case ts.ScriptElementKind.localVariableElement:
    case ts.ScriptElementKind.parameterElement:
      return "variable";
    case ts.ScriptElementKind.alias:
    case ts.ScriptElementKind.moduleElement:
    case ts.ScriptElementKind.externalModuleName:
      return "module";
    default:
      return kind === ts.ScriptElementKind.unknown ? "text" : kind;
  }
}
