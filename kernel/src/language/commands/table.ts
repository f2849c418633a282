/** The commands of cells: what there is, how each is written, and what it does. */

export interface CommandEntry {
  /** As it is written, with what may follow. */
  readonly usage: string;
  /** In Markdown. */
  readonly help: string;
}

/** Commands that are written `%name`. */
export const LINE_COMMANDS = {
  help: { usage: "%help", help: "this table" },
  load: { usage: "%load file.ts", help: "puts a file's text, or that of a URL, in the place of this cell" },
  notype: {
    usage: "%notype",
    help: "on the first line: runs this cell without type checking; `%notype on`, `%notype off`: all cells from here on",
  },
  npm: {
    usage: "%npm install lodash",
    help: "runs npm in the notebook's folder, `install`, `uninstall`, `ls` and the rest; cells see new packages and their types at once",
  },
  reset: { usage: "%reset", help: "on the first line: starts a fresh session; all variables are gone" },
  tb: { usage: "%tb", help: "the last error once more, with all its frames: those of packages are folded at first" },
  time: {
    usage: "%time expression",
    help: "shows the wall and CPU time of a statement; a promise is awaited; the value is the cell's value as ever",
  },
  timeit: {
    usage: "%timeit expression",
    help: "how long the expression takes, from many evaluations of it; a promise is awaited; no value is shown or kept",
  },
  who: {
    usage: "%who [text]",
    help: "a table of what cells have declared; with a text, of names and types that have it",
  },
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Commands about a whole cell, written `%%name` on its first line. */
export const CELL_COMMANDS = {
  notype: { usage: "%%notype", help: "runs this cell without type checking" },
  time: { usage: "%%time", help: "shows the wall and CPU time of the whole cell" },
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** The shell's line; it has no name. */
export const SHELL_COMMAND: CommandEntry = {
  usage: "!command",
  help: "runs a command of the shell with live output; `{expression}` in it, outside single quotes, is replaced by its value; `const x = !command` is the array of the lines that it prints",
};

export type LineCommand = keyof typeof LINE_COMMANDS;
export type CellCommand = keyof typeof CELL_COMMANDS;

export function isLineCommand(name: string): name is LineCommand {
  return Object.hasOwn(LINE_COMMANDS, name);
}

export function isCellCommand(name: string): name is CellCommand {
  return Object.hasOwn(CELL_COMMANDS, name);
}

/** The command, with its percent signs, that a mistyped one is most like; undefined where none is near. */
export function nearestCommand(mark: "%" | "%%", name: string): string | undefined {
  const known = [
    ...Object.keys(LINE_COMMANDS).map((word) => ({ mark: "%", word })),
    ...Object.keys(CELL_COMMANDS).map((word) => ({ mark: "%%", word })),
  ];
  const ranked = known
    .map((entry) => ({
      ...entry,
      distance: editDistance(name.toLowerCase(), entry.word) + (entry.mark === mark ? 0 : 0.5),
    }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(1, name.length / 2) ? best.mark + best.word : undefined;
}

/** Letters to insert, delete, replace, or swap with their neighbour, to make one word of the other. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
