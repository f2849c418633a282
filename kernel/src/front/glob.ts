/** Patterns of a history search, as IPython has them (SQLite's GLOB). */

/**
 * Whether a whole text is matched: `*` stands for any text, `?` for one character, `[a-z]` for one of a set, `[^a-z]` for one
 * that is not of it.
 */
export function globMatcher(pattern: string): (text: string) => boolean {
  const globs = pattern.match(/\*|\?|\[\^?\]?[^\]]*\]|[^]/gu) ?? [];
  const parts = globs.map((glob) => (glob === "*" ? undefined : one(glob)));
  return (text) => matches([...text], parts);
}

/** Whether a character fits; undefined stands for any text. */
type Part = ((character: string) => boolean) | undefined;

/**
 * Where the rest does not fit, the last `*` takes one character more, and those before it need not be looked at again: a regular
 * expression would try them all, for hours where there are many.
 */
function matches(text: readonly string[], parts: readonly Part[]): boolean {
  let [at, next, afterStar, taken] = [0, 0, 0, 0];
  for (let character = text[at]; character !== undefined; character = text[at]) {
    if (next < parts.length && parts[next] === undefined) {
      afterStar = ++next;
      taken = at;
    } else if (parts[next]?.(character) === true) {
      at++;
      next++;
    } else if (afterStar > 0) {
      next = afterStar;
      at = ++taken;
    } else return false;
  }
  return parts.slice(next).every((part) => part === undefined);
}

/** What stands for one character. */
function one(glob: string): (character: string) => boolean {
  if (glob === "?") return () => true;
  const set = /^\[(\^?)([^]+)\]$/u.exec(glob);
  if (set === null) return (character) => character === glob;
  const [, negation = "", members = ""] = set;
  const ranges = members.match(/[^]-[^]|[^]/gu) ?? [];
  const regex = new RegExp(`^[${negation}${ranges.map(range).join("")}]$`, "u");
  return (character) => regex.test(character);
}

function range(text: string): string {
  const [from = "", to] = text.length > 1 && text[1] === "-" ? text.split(/(?<=^[^])-/u) : [text];
  if (to === undefined) return escape(from);
  // A range that is none matches nothing, in SQLite as here.
  return from <= to ? `${escape(from)}-${escape(to)}` : "";
}

function escape(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/gu, "\\$&");
}
