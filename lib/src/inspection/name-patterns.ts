/** Patterns of activation names, and what to say when one matches nothing. */
import { ConfigurationError } from "../errors.js";

/**
 * Whether names fit any of the patterns: `*` stands for anything without a dot, `**` for anything, `{a,b}` for a or b. The
 * rest is literal: `blocks.*.att.{r,k}`.
 */
export function namePattern(patterns: string | readonly string[]): (name: string) => boolean {
  const expressions = listOf(patterns).map((pattern) => expressionOf(pattern));
  return (name) => expressions.some((expression) => expression.test(name));
}

/**
 * The names that fit the patterns, in their own order.
 *
 * @param caller what the user called, for the message
 * @throws ConfigurationError when a pattern fits no name, with the names that come near
 */
export function matchingNames(
  caller: string,
  patterns: string | readonly string[],
  names: readonly string[],
): string[] {
  const list = listOf(patterns);
  if (list.length === 0)
    throw new ConfigurationError(`${caller}: no names are given, wanted at least one, e.g. "logits"`);
  for (const pattern of list) {
    const expression = expressionOf(pattern);
    if (names.some((name) => expression.test(name))) continue;
    throw new ConfigurationError(
      `${caller}: no activation is named "${pattern}"; near it: ${nearest(pattern, names).join(", ")}. ` +
        `model.activationNames lists all`,
    );
  }
  const fits = namePattern(list);
  return names.filter(fits);
}

/** The names that differ from the text by the fewest letters. */
export function nearest(text: string, names: readonly string[], count = 5): string[] {
  return names
    .map((name): [string, number] => [name, editDistance(text, name)])
    .sort(([, a], [, b]) => a - b)
    .slice(0, count)
    .map(([name]) => name);
}

function listOf(patterns: string | readonly string[]): readonly string[] {
  return typeof patterns === "string" ? [patterns] : patterns;
}

/**
 * A pattern as an expression of the whole name.
 *
 * @param star what one `*` stands for, as an expression: by default anything without a dot
 */
export function expressionOf(pattern: string, star = "[^.]*"): RegExp {
  const source = pattern.replace(/\*\*|\*|\{[^{}]*\}|[\\^$.|?+()[\]{}]/g, (found) => {
    if (found === "**") return ".*";
    if (found === "*") return star;
    if (found.length > 1) return `(?:${found.slice(1, -1).split(",").map(escaped).join("|")})`;
    return escaped(found);
  });
  return new RegExp(`^${source}$`);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*|?+()[\]{}]/g, "\\$&");
}

/** Levenshtein's distance: letters to insert, delete or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
