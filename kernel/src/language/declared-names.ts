/** Which names a cell declares at its top level. */
import ts = require("typescript");

/** Names that a cell brings into being for later cells, each once. */
export interface DeclaredNames {
  /** Declared by the cell's own statements. */
  readonly direct: readonly string[];
  /** Those of them that are types and nothing else. */
  readonly types: ReadonlySet<string>;
  /** Declared by a `var` inside a block, a loop or a branch, which is a variable of the whole cell. */
  readonly nested: readonly string[];
}

export function declaredNames(file: ts.SourceFile): DeclaredNames {
  const direct = new Set<string>();
  const types = new Set<string>();
  const nested = new Set<string>();
  for (const statement of file.statements) collect(statement, isType(statement) ? types : direct, nested);
  for (const name of direct) types.delete(name);
  return { direct: [...direct, ...types], types, nested: [...nested].filter((name) => !direct.has(name)) };
}

function isType(statement: ts.Statement): boolean {
  return ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement);
}

/** Names that the cell exports by its own `export` modifiers or clauses; they need no second export. */
export function exportedNames(file: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of file.statements) {
    if (ts.isExportDeclaration(statement)) {
      if (statement.exportClause === undefined) continue;
      if (ts.isNamespaceExport(statement.exportClause)) names.add(statement.exportClause.name.text);
      else for (const element of statement.exportClause.elements) names.add(element.name.text);
    } else if (hasModifier(statement, ts.SyntaxKind.ExportKeyword)) {
      collect(statement, names, names);
    }
  }
  return names;
}

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) ?? false);
}

/** Whether a list of declarations is of `var`. */
export function isVarList(list: ts.VariableDeclarationList): boolean {
  return (list.flags & ts.NodeFlags.BlockScoped) === 0;
}

/** Names bound by an identifier or a destructuring pattern. */
export function boundNames(name: ts.BindingName, into: (name: string) => void): void {
  if (ts.isIdentifier(name)) into(name.text);
  else for (const element of name.elements) if (ts.isBindingElement(element)) boundNames(element.name, into);
}

function collect(statement: ts.Statement, direct: Set<string>, nested: Set<string>): void {
  const add = (name: string): void => void direct.add(name);
  if (ts.isVariableStatement(statement)) {
    for (const declaration of statement.declarationList.declarations) boundNames(declaration.name, add);
  } else if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isImportEqualsDeclaration(statement)
  ) {
    if (statement.name !== undefined) add(statement.name.text);
  } else if (ts.isModuleDeclaration(statement)) {
    // `declare module "x"` and `declare global` declare nothing in the cell's own scope.
    if (ts.isIdentifier(statement.name) && statement.name.text !== "global") add(statement.name.text);
  } else if (ts.isImportDeclaration(statement)) {
    const clause = statement.importClause;
    if (clause?.name !== undefined) add(clause.name.text);
    const bindings = clause?.namedBindings;
    if (bindings !== undefined && ts.isNamespaceImport(bindings)) add(bindings.name.text);
    else if (bindings !== undefined) for (const element of bindings.elements) add(element.name.text);
  } else {
    collectVar(statement, (name) => nested.add(name));
  }
}

function collectVar(node: ts.Node, add: (name: string) => void): void {
  if (ts.isFunctionLike(node) || ts.isClassLike(node)) return;
  if (ts.isVariableDeclarationList(node) && isVarList(node)) {
    for (const declaration of node.declarations) boundNames(declaration.name, add);
  }
  ts.forEachChild(node, (child) => {
    collectVar(child, add);
  });
}
