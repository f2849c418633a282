/**
 * Takes the commands out of a cell: `%time f()`, `!ls`.
 *
 * What is left is TypeScript of the same length, with blanks where the commands were, so that every position in it is one in
 * the cell: errors, completions and tracebacks need no translation. The calls that carry the commands out are put in when the
 * cell is compiled (`calls.ts`).
 */
import { interpolations } from "./interpolation.js";
import { remedyOfIPython } from "./of-ipython.js";
import { endingOf, isWhole } from "./statement-end.js";
import { isCellCommand, isLineCommand, nearestCommand, type LineCommand } from "./table.js";

/** A command that runs in its place among the statements of a cell. */
export interface Command {
  readonly name: "shell" | Exclude<LineCommand, "reset" | "notype">;
  /** Of the command's text in the cell; `end` is after it. */
  readonly start: number;
  readonly end: number;
  /**
   * What follows the name. Of a line for the shell: the pieces of text around the values that are put in; where there are
   * such values, they stand as a statement of an array at the command's place.
   */
  readonly args: readonly string[];
}

/** A line for the shell whose output is a value: `const files = !ls`. */
export interface Capture {
  /** Of the exclamation mark; in the text that is left, the name of the value stands there. */
  readonly start: number;
  /** As those of a {@link Command}. */
  readonly args: readonly string[];
}

/**
 * What stands in the text for the value of a {@link Capture}, and for the function that is given the values that go into one: names
 * of one letter, as there is no room for more, and ones that nobody writes.
 */
export const CAPTURED = "ᐅ";
export const CAPTURED_WITH = "ᐳ";

/** Whether a name means a value in a cell, or before it: in earlier cells, and everywhere. */
export type IsDeclared = (name: string, place: "here" | "before") => boolean;

/** Why a cell's commands cannot be carried out. */
export interface CommandProblem {
  readonly start: number;
  readonly length: number;
  readonly message: string;
}

/** A cell without its commands. */
export interface Rewritten {
  /** TypeScript; as long as the cell, with the same lines. */
  readonly text: string;
  readonly commands: readonly Command[];
  readonly captures: readonly Capture[];
  /** The first mistake in a command. */
  readonly problem?: CommandProblem;
  /** `%%time` */
  readonly timed?: boolean;
  /** `%notype` on the first line, or `%%notype` */
  readonly untyped?: boolean;
  /** `%notype on` (false: types are not checked) or `%notype off` (true), for this cell and the later ones. */
  readonly checkTypes?: boolean;
  /** `%reset` */
  readonly reset?: boolean;
}

/** A cell that has no such line has no command. What `!` stands before, beside a command, is TypeScript's. */
const CANDIDATE = /^[ \t]*(?:%%?[A-Za-z]|!(?![\s!=([]|$)|[^=\n]+=[ \t]*!(?![\s!=([]|$))/m;
/** `const x = !`, and what follows; `=` and `!` in this order are TypeScript as well, see `#isForShell`. */
const ASSIGNED =
  /^[ \t]*(?:(?:export[ \t]+)?(?:const|let|var)[ \t]+[^=!;()]+|[\p{ID_Start}$_][\p{ID_Continue}$.]*[ \t]*)=[ \t]*!(?![\s!=([]|$)/u;
/** A name that is called, or that a member is taken of, is TypeScript's; any other may be a program's. */
const FIRST_NAME = /^([\p{ID_Start}$_][\p{ID_Continue}$]*)(?![\p{ID_Continue}$([.?!])/u;
/** The name that a line declares. */
const OWN_NAME = /^[ \t]*(?:export[ \t]+)?(?:const|let)[ \t]+([\p{ID_Start}$_][\p{ID_Continue}$]*)[ \t]*[:=]/u;
const PERCENT = /^([ \t]*)(%%?)([A-Za-z][\w-]*)(?:[ \t]+(.*?))?[ \t]*$/;

/** What may end a comment or a template, or begin an expression in one. */
const CLOSES = /`|\*\/|[{}]/;

/**
 * Takes the commands out of a cell.
 * @param isDeclared decides of `x = !name`, which may be TypeScript or a program's name: it is TypeScript's where the name is declared
 */
export function rewriteCommands(source: string, isDeclared: IsDeclared = () => true): Rewritten {
  return CANDIDATE.test(source) ? new Rewriter(source, isDeclared).run() : { text: source, commands: [], captures: [] };
}

class Rewriter {
  readonly #source: string;
  readonly #isDeclared: IsDeclared;
  #text: string;
  readonly #commands: Command[] = [];
  readonly #captures: Capture[] = [];
  #flags: Partial<Pick<Rewritten, "timed" | "untyped" | "checkTypes" | "reset">> = {};
  #problem: CommandProblem | undefined;
  /** Where the statements begin that are still to be looked at: after the last command. */
  #from = 0;
  /** Whether anything but blank lines, comments and commands about the whole cell has been met. */
  #begun = false;

  /** Where a line stands that is within a comment or a template; 0 where the last one that was looked at is not. */
  #inside = 0;

  constructor(source: string, isDeclared: IsDeclared) {
    this.#source = source;
    this.#isDeclared = isDeclared;
    this.#text = source;
  }

  run(): Rewritten {
    let start = 0;
    do {
      const end = this.#lineEnd(start);
      const line = this.#source.slice(start, end);
      start = this.#nextLine(CANDIDATE.test(line) ? this.#line(start, line) : end);
    } while (start > 0 && this.#problem === undefined);
    return {
      ...{ text: this.#text, commands: this.#commands, captures: this.#captures, ...this.#flags },
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  /** Looks at a line that may be a command; returns where the lines end that it has dealt with. */
  #line(start: number, line: string): number {
    const end = start + line.length;
    const before = this.#text.slice(this.#from, start);
    if (this.#inside > 0 && !CLOSES.test(this.#source.slice(this.#inside, start))) return end;
    const ending = endingOf(before);
    this.#inside = ending === "inside" ? start : 0;
    if (ending === "open" || ending === "inside") return end;
    if (line.trimStart().startsWith("!")) {
      this.#begun = true;
      return this.#shell(start + line.indexOf("!"));
    }
    const assigned = ASSIGNED.exec(line)?.[0].length;
    if (assigned !== undefined) {
      this.#begun = true;
      return this.#isForShell(before, line, assigned) ? this.#capture(start + assigned - 1) : end;
    }
    const [, indent = "", mark, name, rest = ""] = PERCENT.exec(line) ?? [];
    if (name === undefined) return end;
    const cell = mark === "%%";
    const known = cell ? isCellCommand(name) : isLineCommand(name);
    // `a` on one line and `% b` on the next is a remainder.
    if (ending === "expression" && (known ? indent !== "" : isWhole(before + line))) return end;
    const at = start + indent.length;
    const first = !this.#begun && isBlank(before);
    if (!known) this.#unknown(at, line.slice(indent.length));
    else if (cell) this.#cellCommand(at, name, rest, first);
    else this.#lineCommand(at, end, name as LineCommand, rest, first);
    return end;
  }

  #lineCommand(at: number, end: number, name: LineCommand, rest: string, first: boolean): void {
    const width = name.length + 1;
    switch (name) {
      case "time":
      case "timeit":
        this.#begun = true;
        if (rest === "") {
          const cell = name === "time" ? ", or %%time for a whole cell" : "";
          return this.#wrong(at, width, `%${name} needs something to time: %${name} f(x)${cell}.`);
        }
        this.#blank(at, at + width);
        this.#commands.push({ name, start: at, end: at + width, args: [] });
        this.#from = at;
        return;
      case "reset":
        if (!first)
          return this.#wrong(at, width, "%reset stands on the first line of a cell: what is above it would be lost.");
        this.#flags = { ...this.#flags, reset: true };
        break;
      case "notype":
        if (rest === "on" || rest === "off") this.#flags = { ...this.#flags, checkTypes: rest === "off" };
        else if (rest !== "") return this.#wrong(at, width, "%notype is followed by on, by off, or by nothing.");
        else if (!first) return this.#wrong(at, width, "%notype stands on the first line of a cell.");
        else this.#flags = { ...this.#flags, untyped: true };
        break;
      case "load":
        if (rest === "") return this.#wrong(at, width, "%load needs the path of a file: %load helpers.ts");
        this.#begun = true;
        this.#commands.push({ name, start: at, end, args: [rest.replace(/^(["'])(.*)\1$/, "$2")] });
        break;
      default:
        this.#begun = true;
        this.#commands.push({ name, start: at, end, args: rest === "" ? [] : [rest] });
    }
    this.#blank(at, end);
    this.#from = end;
  }

  #cellCommand(at: number, name: string, rest: string, first: boolean): void {
    const width = name.length + 2;
    if (!first) return this.#wrong(at, width, `%%${name} is about a whole cell: it stands on the first line.`);
    if (rest !== "") {
      return this.#wrong(
        at,
        width,
        `%%${name} stands alone on its line; for one statement there is ${name === "time" ? "%time" : "no such command"}.`,
      );
    }
    this.#flags = { ...this.#flags, ...(name === "time" ? { timed: true } : { untyped: true }) };
    const end = this.#lineEnd(at);
    this.#blank(at, end);
    this.#from = end;
  }

  #shell(at: number): number {
    const { end, args, values } = this.#shellLine(at);
    this.#blank(at, end);
    this.#putValues(values, "[", "]");
    this.#commands.push({ name: "shell", start: at, end, args });
    this.#from = end;
    return end;
  }

  /** Whether what follows the exclamation mark is for the shell: it is no TypeScript, or would be about a name that nobody knows. */
  #isForShell(before: string, line: string, assigned: number): boolean {
    const ending = endingOf(before + line);
    if (ending !== "open" && ending !== "inside" && !isWhole(before + line)) return true;
    const name = FIRST_NAME.exec(line.slice(assigned))?.[1];
    if (name === undefined) return false;
    // What a line declares means nothing in that line: in `const date = !date` it is the program, unless there is another.
    const itself = name === OWN_NAME.exec(line)?.[1];
    return !this.#isDeclared(name, itself ? "before" : "here");
  }

  /** In the place of the command comes the value of what it prints. */
  #capture(at: number): number {
    const { end, args, values } = this.#shellLine(at);
    // The semicolon: a line that begins with a bracket is a statement of its own.
    const blank = this.#source.slice(at + 1, end - 1).replace(/[^\n\r]/g, " ");
    this.#put(at, `${values.length === 0 ? CAPTURED : CAPTURED_WITH}${blank};`);
    this.#putValues(values, "(", ")");
    this.#captures.push({ start: at, args });
    return end;
  }

  /** A line for the shell goes on in the next where it ends in a backslash. */
  #shellLine(at: number): { end: number; args: string[]; values: { start: number; text: string }[] } {
    let end = this.#lineEnd(at);
    for (let next = this.#nextLine(end); this.#source[end - 1] === "\\" && next > 0; next = this.#nextLine(end)) {
      end = this.#lineEnd(next);
    }
    const places = interpolations(this.#source.slice(at + 1, end));
    const args: string[] = [];
    let last = at + 1;
    const values = places.map((place) => {
      args.push(this.#source.slice(last, place.start + at + 1));
      last = place.end + at + 2;
      return { start: place.start + at + 1, text: this.#source.slice(place.start + at + 2, place.end + at + 1) };
    });
    args.push(this.#source.slice(last, end));
    return { end, args, values };
  }

  /** The values that go into a line, as a list between brackets. */
  #putValues(values: readonly { start: number; text: string }[], open: string, close: string): void {
    for (const [i, { start, text }] of values.entries()) {
      this.#put(start, `${i === 0 ? open : " "}${text}${i === values.length - 1 ? close : ","}`);
    }
  }

  #unknown(at: number, text: string): void {
    const [, mark = "%", name = ""] = /^(%%?)([\w-]*)/.exec(text) ?? [];
    const elsewhere = remedyOfIPython(name);
    const near = elsewhere === undefined ? nearestCommand(mark as "%" | "%%", name) : undefined;
    const hint = elsewhere !== undefined ? ` ${elsewhere}` : near === undefined ? "" : ` Did you mean ${near}?`;
    this.#wrong(at, mark.length + name.length, `There is no command ${mark}${name}.${hint} %help lists all of them.`);
  }

  #wrong(start: number, length: number, message: string): void {
    this.#problem ??= { start, length, message };
  }

  /** Blanks, and a semicolon that ends what is above: `a` and, in the next line, `f()` after `%time` are two statements. */
  #blank(start: number, end: number): void {
    this.#put(start, `;${this.#source.slice(start + 1, end).replace(/[^\n\r]/g, " ")}`);
  }

  #put(start: number, text: string): void {
    this.#text = this.#text.slice(0, start) + text + this.#text.slice(start + text.length);
  }

  /** Where the line after the one that ends here begins; 0 where there is none. */
  #nextLine(end: number): number {
    return this.#source.indexOf("\n", end) + 1;
  }

  #lineEnd(from: number): number {
    const end = this.#source.indexOf("\n", from);
    if (end < 0) return this.#source.length;
    return this.#source[end - 1] === "\r" ? end - 1 : end;
  }
}

/** Whether there is nothing in a text but blanks and comments (and the semicolons that commands leave). */
export function isBlank(text: string): boolean {
  return text.replace(/\/\*[^]*?\*\/|\/\/.*/g, "").replace(/[;\s]/g, "") === "";
}
