/** Cells gone wrong: seeded mutations of the cells of the kernel's tables. */

const TOKEN = /\s+|[\p{ID_Start}$_][\p{ID_Continue}$]*|\d+n?|=>|\.\.\.|\?\?=?|\?\.|[=!]==?|&&|\|\||./gsu;

const ODD_TEXTS = [
  ...[
    "\u0000",
    "\ud800",
    "\ufeff",
    "\u2028",
    "\u202e",
    "é",
    "变",
    "😀",
    "\\u{110000}",
    "\r",
    "\t",
    "#",
    "@",
    "`",
    "${",
    "*/",
  ],
  ...[
    "/*",
    "//",
    "'",
    '"',
    "=>",
    "...",
    "?.",
    "??=",
    "await ",
    "yield ",
    "async ",
    "export ",
    "import ",
    "declare ",
    "enum ",
  ],
  ...[
    "namespace N {",
    "class {",
    "function*",
    "using ",
    "type T = ",
    "<T,>",
    "as const",
    "satisfies ",
    "!",
    "%time ",
    "{".repeat(60),
  ],
  ...[
    "(".repeat(60),
    "[".repeat(60),
    "static {",
    "get ",
    "#x in ",
    "label: ",
    "0x",
    "1_",
    "9".repeat(400),
    "/(?<a/v",
    "@d ",
  ],
];

/** A cell with one or two things changed in it. */
export function mutate(code: string, all: readonly string[], random: () => number): string {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const tokens = code.match(TOKEN) ?? [];
  const at = (): number => Math.floor(random() * (tokens.length + 1));
  for (let changes = 1 + Math.floor(random() * 2); changes > 0; changes--) {
    switch (Math.floor(random() * 9)) {
      case 0:
        tokens.splice(at(), 1 + Math.floor(random() * 3));
        break;
      case 1: {
        const from = at();
        tokens.splice(at(), 0, ...tokens.slice(from, from + 1 + Math.floor(random() * 5)));
        break;
      }
      case 2: {
        const [a, b] = [at(), at()];
        [tokens[a], tokens[b]] = [tokens[b] ?? "", tokens[a] ?? ""];
        break;
      }
      case 3:
        tokens.length = at();
        break;
      case 4:
        tokens.splice(at(), 0, pick(ODD_TEXTS));
        break;
      case 5: {
        const other = pick(all).match(TOKEN) ?? [];
        const from = Math.floor(random() * other.length);
        tokens.splice(at(), 0, ...other.slice(from, from + 1 + Math.floor(random() * 8)));
        break;
      }
      case 6: {
        const [open, close] = pick([
          ["(", ")"],
          ["{", "}"],
          ["[", "]"],
          ["`${", "}`"],
          ["async () => {", "}"],
        ] as const);
        tokens.splice(at(), 0, open);
        tokens.splice(at(), 0, close);
        break;
      }
      case 7: {
        // A name for another name: what can be read, and is wrong in its types.
        const isName = (token: string | undefined): boolean => /^[\p{ID_Start}$_]/u.test(token ?? "");
        const places = tokens.flatMap((token, i) => (isName(token) ? [i] : []));
        if (places.length > 0) tokens[pick(places)] = pick((pick(all).match(TOKEN) ?? []).filter(isName)) ?? "x";
        break;
      }
      default: {
        const from = at();
        tokens[from] = pick(all.length > 0 ? (pick(all).match(TOKEN) ?? [""]) : [""]);
      }
    }
  }
  return tokens.map((token) => token ?? "").join("");
}
