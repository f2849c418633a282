/** What to do about an error of TypeScript's, where that is known: a line below its message. */
import { importOfNode, importRemedy } from "../package-name.js";
import { remedyOfName } from "./of-python.js";

/** Errors that say that a module was not found. */
export const MISSING_MODULE: ReadonlySet<number> = new Set([2307, 2792, 2882]);

/** Errors that say that JSX is not set up. */
const NEEDS_JSX: ReadonlySet<number> = new Set([6142, 17004]);

/** Error that says that a text has too many statements for TypeScript to follow what each changes. */
const TOO_LARGE = 2563;

/** Errors that say that something may be null or undefined. */
const MAY_BE_NOTHING: ReadonlySet<number> = new Set([2531, 2532, 2533, 2721, 2722, 2723, 18047, 18048, 18049]);

/** Errors that say that something is of type `unknown`. */
const IS_UNKNOWN: ReadonlySet<number> = new Set([2571, 18046]);

/** Errors that say that a parameter has no type. */
const HAS_NO_TYPE: ReadonlySet<number> = new Set([7006, 7031]);

/** A line that gives a name its value. */
const ASSIGNMENT = /^\s*([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=(?![=>])/u;

/** Error that says that a variable is used before it is declared, as in its own declaration. */
const USED_TOO_EARLY = 2448;

/** A line that declares a name, and uses it behind that. */
const MADE_FROM_ITSELF = /\b(?:let|const)\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*(?::[^=]*)?=(?![=>])(.*)/u;

/** A value where an array of such values is wanted. */
const ONE_OF_AN_ARRAY =
  /^(?:Type|Argument of type) '(\w+)' is not assignable to (?:type|parameter of type) '(?:readonly )?\1\[\]'\.$/;

/** A list where a typed array is wanted. */
const LIST_FOR_TYPED_ARRAY = /Type 'number\[\]' is missing the following properties from type '(\w+Array)\b/;

/** A text as the key of an object that has no type for that. */
const ANY_KEY = /^Element implicitly has an 'any' type because expression of type 'string' can't be used to index/;

/** How TypeScript tells types of one name apart: by the file of an earlier cell, which the user knows nothing of. */
export const OF_A_CELL = /import\("[^"]*\/(\.notebook-(?:cell|scope-\d+))"\)\.([\p{ID_Continue}$]+)/gu;

/** What to do about JSX in a notebook that has no setting for it. */
export const JSX_REMEDY =
  'For JSX, a tsconfig.json beside the notebook says how it is compiled: { "compilerOptions": { "jsx": "react-jsx" } }';

/** What to do about the error of this number. @param text what it says, as TypeScript does; @param line the text of its line */
export function remedyOf(code: number, text: string, line: string): string | undefined {
  const name = /'([^']+)'/.exec(text)?.[1] ?? "";
  if (MISSING_MODULE.has(code)) return importRemedy(name);
  if (code === 2339 && /cell-api\/deno"/.test(text)) {
    return "Cells run in Node.js: of Deno there is Deno.jupyter. For files there is node:fs/promises.";
  }
  if (/^Cannot find name '(document|window)'/.test(text)) {
    return "Cells run in Node.js, where there is no page: display.html shows HTML, and ui has widgets.";
  }
  if (code === 2304 || code === 2552) {
    if (ASSIGNMENT.exec(line)?.[1] === name) {
      return `A new variable is declared: let ${name} = …, or const ${name} = … where it keeps its value.`;
    }
    return remedyOfName(name) ?? importOfNode(name) ?? `Has the cell that declares ${name} been run in this session?`;
  }
  if (code === USED_TOO_EARLY && isMadeFromItself(name, line)) {
    return `To change the ${name} of an earlier cell leave out the let or const: ${name} = …. A new variable needs another name.`;
  }
  const twice = declaredTwice(text);
  if (twice !== undefined) {
    return `${twice} was declared again: what was made or typed before keeps its earlier meaning. Run those cells again.`;
  }
  if (ONE_OF_AN_ARRAY.test(text)) return "An array of such values is wanted here: put brackets around them, [ ].";
  const typedArray = LIST_FOR_TYPED_ARRAY.exec(text)?.[1];
  if (typedArray !== undefined) return `${typedArray}.from(list) makes a typed array of a list.`;
  if (MAY_BE_NOTHING.has(code)) {
    return "Where there may be nothing: x?.name is then undefined, x ?? other has another value, if (x) { … } asks first.";
  }
  if (IS_UNKNOWN.has(code)) {
    return "What it is has to be asked first: if (x instanceof Error) { … }, or typeof x; String(x) is its text in any case.";
  }
  if (HAS_NO_TYPE.has(code)) return "Say what it is: (x: number) => …, or of any type: (x: any) => ….";
  if (ANY_KEY.test(text)) {
    return "An object with keys of any name has a type that says so: const x: Record<string, number> = {}; or is a Map.";
  }
  if (code === 2550) {
    return `Node.js ${process.version} may not have it: cells know the library of JavaScript that this version has as a whole.`;
  }
  if (NEEDS_JSX.has(code)) return JSX_REMEDY;
  if (code === TOO_LARGE)
    return "%notype on the first line runs the cell without type checking; or put parts of it into functions.";
  return undefined;
}

function isMadeFromItself(name: string, line: string): boolean {
  const [, declared, value = ""] = MADE_FROM_ITSELF.exec(line) ?? [];
  const words: readonly string[] = value.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu) ?? [];
  return declared === name && words.includes(name);
}

/** A name that a text uses for what different cells have declared. */
function declaredTwice(text: string): string | undefined {
  const places = new Map<string, string>();
  for (const [, place = "", name = ""] of text.matchAll(OF_A_CELL)) {
    const other = places.get(name);
    if (other !== undefined && other !== place) return name;
    places.set(name, place);
  }
  return undefined;
}
