/** What a cell has declared, taken apart: each declaration with the names it brings and the names it speaks of. */
import ts = require("typescript");

export interface Declaration {
  /** As in a `.d.ts` file, with its documentation. */
  readonly text: string;
  /** Names that it declares; none for `declare global` and its like, which are kept for ever. */
  readonly names: readonly string[];
  /** Names that it refers to, and that have a meaning from outside of it. */
  readonly mentions: ReadonlySet<string>;
  /** Modules in whose types it has some without a name: `import("…").T`. */
  readonly modules: readonly string[];
  /** It is a type of its own beside another that is written alike: a class with private members, a symbol. */
  readonly isUnique: boolean;
}

interface Growing {
  text: string;
  readonly names: readonly string[];
  readonly mentions: Set<string>;
  readonly modules: string[];
  isUnique: boolean;
}

/** Takes apart what TypeScript has written as the declarations of a cell. */
export function takeApart(declarations: string): Declaration[] {
  const file = ts.createSourceFile("cell.d.ts", declarations, ts.ScriptTarget.ESNext);
  const found: Growing[] = [];
  const byName = new Map<string, Growing>();
  const add = (name: string | undefined, text: string, node: ts.Node): void => {
    let declaration = name === undefined ? undefined : byName.get(name);
    if (declaration === undefined) {
      const names = name === undefined ? [] : [name];
      declaration = { text, names, mentions: new Set(), modules: [], isUnique: false };
      found.push(declaration);
      if (name !== undefined) byName.set(name, declaration);
    } else {
      // An overload, or an interface beside a class: they stay together.
      declaration.text += `\n${text}`;
    }
    declaration.isUnique ||= ts.isClassDeclaration(node) || text.includes("unique symbol");
    mentions(node, declaration);
  };
  for (const statement of file.statements) each(statement, file, add);
  return found;
}

type Add = (name: string | undefined, text: string, node: ts.Node) => void;

function each(statement: ts.Statement, file: ts.SourceFile, add: Add): void {
  if (ts.isExportDeclaration(statement) || ts.isExportAssignment(statement)) return;
  if (ts.isVariableStatement(statement)) {
    const { declarationList: list } = statement;
    const keyword = list.flags & ts.NodeFlags.Const ? "const" : list.flags & ts.NodeFlags.Let ? "let" : "var";
    const comment = file.text.slice(statement.getFullStart(), statement.getStart(file));
    for (const declaration of list.declarations) {
      if (!ts.isIdentifier(declaration.name)) continue;
      add(declaration.name.text, `${comment}declare ${keyword} ${declaration.getText(file)};`, declaration);
    }
  } else if (ts.isImportDeclaration(statement)) {
    for (const [name, text] of imports(statement, file)) add(name, text, statement);
  } else {
    const { name } = statement as ts.Statement & { readonly name?: ts.Node };
    const isOwn = name !== undefined && ts.isIdentifier(name) && name.text !== "global";
    add(isOwn ? name.text : undefined, withoutExport(statement, file), statement);
  }
}

/** An import for each of its names: a later cell may take one of them. */
function imports(statement: ts.ImportDeclaration, file: ts.SourceFile): [name: string | undefined, text: string][] {
  const clause = statement.importClause;
  if (clause === undefined) return [[undefined, statement.getText(file)]];
  const type = clause.phaseModifier === ts.SyntaxKind.TypeKeyword ? "type " : "";
  const from = file.text.slice(statement.moduleSpecifier.getStart(file), statement.getEnd());
  const { name, namedBindings } = clause;
  const found: [string, string][] = [];
  if (name !== undefined) found.push([name.text, `import ${type}${name.text} from ${from}`]);
  if (namedBindings === undefined) return found;
  if (ts.isNamespaceImport(namedBindings)) {
    found.push([namedBindings.name.text, `import ${type}${namedBindings.getText(file)} from ${from}`]);
  } else {
    for (const element of namedBindings.elements) {
      found.push([element.name.text, `import ${type}{ ${element.getText(file)} } from ${from}`]);
    }
  }
  return found;
}

/** A declaration as it stands in a file that exports its names at the end. */
function withoutExport(statement: ts.Statement, file: ts.SourceFile): string {
  const text = statement.getFullText(file).trim();
  const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
  if (!modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return text;
  const start = modifiers[0]?.getStart(file) ?? 0;
  const comment = file.text.slice(statement.getFullStart(), start).trimStart();
  const rest = modifiers.filter(({ kind }) => !DROPPED.has(kind)).map((modifier) => `${modifier.getText(file)} `);
  const declared = ts.isImportEqualsDeclaration(statement) ? "" : "declare ";
  const body = file.text.slice(modifiers.at(-1)?.getEnd(), statement.getEnd()).trimStart();
  return `${comment}${declared}${rest.join("")}${body}`;
}

const DROPPED: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.ExportKeyword,
  ts.SyntaxKind.DefaultKeyword,
  ts.SyntaxKind.DeclareKeyword,
]);

/** Collects what a declaration refers to. Its own type parameters may be among it: to say too much does no harm. */
function mentions(node: ts.Node, into: Pick<Growing, "mentions" | "modules">): void {
  const leftmost = (entity: ts.Node): void => {
    if (ts.isIdentifier(entity)) into.mentions.add(entity.text);
    else if (ts.isQualifiedName(entity)) leftmost(entity.left);
    else if (ts.isPropertyAccessExpression(entity)) leftmost(entity.expression);
    else ts.forEachChild(entity, leftmost);
  };
  const visit = (child: ts.Node): void => {
    if (ts.isTypeReferenceNode(child)) leftmost(child.typeName);
    else if (ts.isTypeQueryNode(child)) leftmost(child.exprName);
    else if (ts.isExpressionWithTypeArguments(child) || ts.isComputedPropertyName(child)) leftmost(child.expression);
    else if (ts.isImportEqualsDeclaration(child)) leftmost(child.moduleReference);
    else if ((ts.isVariableDeclaration(child) || ts.isEnumMember(child)) && child.initializer) {
      leftmost(child.initializer);
    } else if (ts.isExportSpecifier(child)) leftmost(child.propertyName ?? child.name);
    else if (ts.isImportTypeNode(child) && ts.isLiteralTypeNode(child.argument)) {
      if (ts.isStringLiteral(child.argument.literal)) into.modules.push(child.argument.literal.text);
    }
    ts.forEachChild(child, visit);
  };
  visit(node);
}
