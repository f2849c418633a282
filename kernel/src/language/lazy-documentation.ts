/**
 * Documentation comments of libraries, parsed when somebody asks for them.
 *
 * A snapshot of the language process takes the longer to read the more objects are in it, and a tenth of it were the parsed
 * comments of declarations, of which a notebook looks at a few. Their text is in the snapshot anyway.
 */
import ts = require("typescript");

/** A declaration with the parsed comments that stand before it. */
interface Documented extends ts.Node {
  jsDoc?: ArrayLike<ts.JSDoc>;
}

/** Internal to TypeScript. */
const { getJSDocCommentRanges, parseIsolatedJSDocComment, setParent, setParentRecursive } = ts as unknown as {
  readonly getJSDocCommentRanges: (node: ts.Node, text: string) => readonly ts.CommentRange[] | undefined;
  readonly parseIsolatedJSDocComment: (text: string, start: number, length: number) => { jsDoc: ts.JSDoc } | undefined;
  readonly setParent: (child: ts.Node, parent: ts.Node) => void;
  readonly setParentRecursive: (root: ts.Node, incremental: boolean) => void;
};

/** Stands for the one comment of a declaration until that is looked at. */
class Unparsed implements ArrayLike<ts.JSDoc> {
  readonly #node: Documented;
  readonly [index: number]: ts.JSDoc;

  constructor(node: Documented) {
    this.#node = node;
  }

  get length(): number {
    return 1;
  }

  get 0(): ts.JSDoc {
    const { jsDoc } = this.#node;
    if (jsDoc !== undefined && jsDoc !== this) return jsDoc[0] as ts.JSDoc;
    const parsed = parse(this.#node);
    this.#node.jsDoc = [parsed];
    return parsed;
  }
}
// TypeScript goes through the comments by index, and by the methods of arrays.
Object.setPrototypeOf(Unparsed.prototype, Array.prototype);

function parse(node: Documented): ts.JSDoc {
  const { text } = node.getSourceFile();
  const range = onlyComment(node, text);
  const { jsDoc } = (range && parseIsolatedJSDocComment(text, range.pos, range.end - range.pos)) ?? {};
  if (jsDoc === undefined) throw new Error("a comment is not where it was");
  setParent(jsDoc, node);
  setParentRecursive(jsDoc, false);
  return jsDoc;
}

function onlyComment(node: ts.Node, text: string): ts.CommentRange | undefined {
  const ranges = getJSDocCommentRanges(node, text) ?? [];
  return ranges.length === 1 ? ranges[0] : undefined;
}

/** Lets go of what was parsed of the comments in a file that does not change. That a declaration is deprecated stays known. */
export function forgetDocumentation(file: ts.SourceFile): void {
  const visit = (node: Documented): void => {
    if (Array.isArray(node.jsDoc) && node.jsDoc.length === 1 && onlyComment(node, file.text) !== undefined) {
      node.jsDoc = new Unparsed(node);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
}
