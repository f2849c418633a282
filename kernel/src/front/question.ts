/** Cells that are no code but a question: `name?` asks what is known of a name. */

/** `?name` and `name??` are IPython's other ways to ask. */
const QUESTION = /^\s*(?:(?<before>\?{1,2})\s*)?(?<name>[\p{ID_Start}$_][\p{ID_Continue}$.]*)(?<after>\?{0,2})\s*$/u;

/** The name that a cell asks about; undefined where it asks nothing. */
export function askedName(cell: string): string | undefined {
  const { name, before, after } = QUESTION.exec(cell)?.groups ?? {};
  return before || after ? name : undefined;
}
