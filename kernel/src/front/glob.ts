/** Patterns of a history search, as IPython has them (SQLite's GLOB). */

/**
 * Whether a whole text is matched: `*` stands for any text, `?` for one character, `[a-z]` for one of a set, `[^a-z]` for one
 * that is not of it.
 */
export function globMatcher(pattern: string): (text: string) => boolean {
  const parts = pattern.match(/\*|\?|\[\^?\]?[^\]]*\]|[^]/gu) ?? [];
  const regex = new RegExp(`^${parts.map(part).join("")}$`, "u");
  return (text) => regex.test(text);
}

function part(glob: string): string {
  if (glob === "*") return "[^]*";
  if (glob === "?") return "[^]";
  const set = /^\[(\^?)([^]+)\]$/u.exec(glob);
  if (set === null) return escape(glob);
  const [, negation = "", members = ""] = set;
  const ranges = members.match(/[^]-[^]|[^]/gu) ?? [];
  return `[${negation}${ranges.map(range).join("")}]`;
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
