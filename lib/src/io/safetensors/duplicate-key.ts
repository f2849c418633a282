/** Finds a name that stands twice in one object of a JSON text, which JSON.parse does not tell. */

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
