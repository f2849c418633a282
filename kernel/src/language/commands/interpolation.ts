/** `{expression}` in a line for the shell. */
import { isExpression } from "./statement-end.js";

/** Where an expression with its braces stands in a text. */
export interface Interpolation {
  /** of the opening brace */
  readonly start: number;
  /** of the closing brace */
  readonly end: number;
}

/**
 * The expressions in a shell's line. Braces stay the shell's where they hold no expression (`{a,b}`, `{1..5}`, `{}`), within
 * single quotes, after `$` (a variable of the shell) or a backslash, and where they are doubled (`{{.Name}}`).
 */
export function interpolations(line: string): Interpolation[] {
  const found: Interpolation[] = [];
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const char = line[i];
    if (char === "\\") i++;
    else if (char === '"') quoted = !quoted;
    else if (char === "'" && !quoted) i = orEnd(line.indexOf("'", i + 1), line);
    else if (char === "$" && line[i + 1] === "{") i = orEnd(line.indexOf("}", i), line);
    else if (char === "{" && line[i + 1] === "{") i = orEnd(line.indexOf("}}", i) + 1, line);
    else if (char === "{") {
      const end = closingBrace(line, i);
      if (end === undefined) continue;
      found.push({ start: i, end });
      i = end;
    }
  }
  return found;
}

function orEnd(index: number, line: string): number {
  return index <= 0 ? line.length : index;
}

function closingBrace(line: string, open: number): number | undefined {
  for (let end = line.indexOf("}", open); end >= 0; end = line.indexOf("}", end + 1)) {
    if (isExpression(line.slice(open + 1, end))) return end;
  }
  return undefined;
}
