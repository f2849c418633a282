/** What JSON.parse does not tell of a JSON text: names that stand twice in one object, and how deep it nests. */

/**
 * @param text valid JSON
 * @returns the first name that is there a second time in the same object, at any depth
 */
export function duplicateKey(text: string): string | undefined {
  // An entry for each open object or array; arrays have no names.
  const open: (Set<string> | undefined)[] = [];
  let expectKey = false;
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case "{":
        open.push(new Set());
        expectKey = true;
        break;
      case "[":
        open.push(undefined);
        expectKey = false;
        break;
      case "}":
      case "]":
        open.pop();
        expectKey = false;
        break;
      case ",":
        expectKey = open.at(-1) !== undefined;
        break;
      case ":":
        expectKey = false;
        break;
      case '"': {
        const end = stringEnd(text, i);
        if (expectKey) {
          // Parsed, because "a" and "\u0061" are one name.
          const key = JSON.parse(text.slice(i, end)) as string;
          const keys = open.at(-1)!;
          if (keys.has(key)) return key;
          keys.add(key);
        }
        i = end - 1;
      }
    }
  }
  return undefined;
}

function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

/** How many objects and arrays are open at most at one place of a text that may be JSON. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') i = stringEnd(text, i) - 1;
    else if (character === "{" || character === "[") deepest = Math.max(deepest, ++depth);
    else if (character === "}" || character === "]") depth--;
  }
  return deepest;
}
