/**
 * Variables of cells that are named like a global of the engine: `const URL = "…"`, `import { setTimeout } from
 * "node:timers/promises"`.
 *
 * What a cell declares is a variable of the whole realm, seen by packages and by the session itself, which would find the
 * user's text where they look for their class. Such a variable has another name in the script, with a character behind it
 * that is not seen, so that error messages read as ever. TypeScript knows which names mean it.
 *
 * `__dirname` and `__filename`, of which Node's declarations speak, are put in here too: as globals they would make packages
 * believe that they are CommonJS.
 */
import ts = require("typescript");
import type { CellFiles } from "./files.js";
import { HELPERS } from "./helpers-name.js";

/** Zero width non-joiner: the one character that JavaScript allows in names and nobody sees. */
const UNSEEN = "\u200c";

/** What of `import.meta` stands for a name of CommonJS. */
const PLACES: ReadonlyMap<string, string> = new Map([
  ["__dirname", "dirname"],
  ["__filename", "filename"],
]);

type ResolveName = (
  name: string,
  location: ts.Node,
  meaning: ts.SymbolFlags,
  excludeGlobals: boolean,
) => ts.Symbol | undefined;

/** The transformer, for the `after` stage of TypeScript's emit; undefined for a cell that has none of these names. */
export function shadowedGlobals(
  program: ts.Program,
  file: ts.SourceFile,
  files: CellFiles,
): ts.TransformerFactory<ts.SourceFile> | undefined {
  const checker = program.getTypeChecker();
  const scope = new Set([files.cellPath, ...files.scope.filter((path) => path !== files.preludePath)]);
  // Both are internal to TypeScript: all names in the file, and what one means there.
  const { identifiers } = file as unknown as { readonly identifiers: ReadonlyMap<string, string> };
  const { resolveName } = checker as unknown as { readonly resolveName: ResolveName };
  const inCells = new Set<string>();
  for (const name of identifiers.keys()) {
    if (!Object.hasOwn(globalThis, name)) continue;
    const symbol = resolveName(name, file, ts.SymbolFlags.Value | ts.SymbolFlags.Alias, false);
    if (symbol !== undefined && isOfCell(symbol, scope)) inCells.add(name);
  }
  const places = [...PLACES.keys()].filter((name) => identifiers.has(name));
  if (inCells.size === 0 && places.length === 0) return undefined;
  return (context) => {
    const { factory } = context;
    /** The classes that the node is in. */
    const within = new Set<ts.Symbol>();
    const renamed = (node: ts.Node): ts.Expression | undefined => {
      if (!ts.isIdentifier(node) || !(inCells.has(node.text) || PLACES.has(node.text))) return undefined;
      const symbol = meaning(checker, ts.getOriginalNode(node));
      // A member is what stands behind a point, or before a colon.
      if (symbol === undefined || within.has(symbol) || symbol.flags & ts.SymbolFlags.ClassMember) return undefined;
      const place = PLACES.get(node.text);
      if (isOfCell(symbol, scope)) {
        if (place !== undefined) return undefined;
        return ts.setOriginalNode(ts.setTextRange(factory.createIdentifier(node.text + UNSEEN), node), node);
      }
      if (place === undefined) return undefined;
      const meta = factory.createPropertyAccessExpression(factory.createIdentifier(HELPERS), "meta");
      return ts.setTextRange(factory.createPropertyAccessExpression(meta, place), node);
    };
    const visit: ts.Visitor = (node) => {
      if (ts.isExportDeclaration(node)) return node;
      // What binds or passes a name by its own text has to say both from here on.
      if (ts.isShorthandPropertyAssignment(node)) {
        const value = renamed(node.name);
        const { objectAssignmentInitializer: preset } = node;
        if (value !== undefined) {
          const target =
            preset === undefined
              ? value
              : factory.createAssignment(value, ts.visitNode(preset, visit) as ts.Expression);
          return ts.setTextRange(factory.createPropertyAssignment(node.name, target), node);
        }
      }
      if (ts.isBindingElement(node) && node.propertyName === undefined && node.dotDotDotToken === undefined) {
        const name = renamed(node.name);
        if (name !== undefined && ts.isObjectBindingPattern(ts.getOriginalNode(node).parent)) {
          const preset = ts.visitNode(node.initializer, visit) as ts.Expression | undefined;
          return factory.updateBindingElement(
            node,
            undefined,
            node.name as ts.Identifier,
            name as ts.Identifier,
            preset,
          );
        }
      }
      if (ts.isClassDeclaration(node) && node.name !== undefined) {
        const name = renamed(node.name);
        const symbol = meaning(checker, ts.getOriginalNode(node.name));
        if (name !== undefined && symbol !== undefined) {
          // Within the class its name is that of the expression.
          within.add(symbol);
          const visited = children(node);
          within.delete(symbol);
          return classOfName(factory, name as ts.Identifier, visited);
        }
      }
      if (ts.isImportSpecifier(node)) {
        const name = renamed(node.name) as ts.Identifier | undefined;
        return name === undefined
          ? node
          : factory.updateImportSpecifier(node, node.isTypeOnly, node.propertyName ?? node.name, name);
      }
      return renamed(node) ?? children(node);
    };
    const children = <N extends ts.Node>(node: N): N => ts.visitEachChild(node, visit, context);
    return (emitted) => ts.visitEachChild(emitted, visit, context);
  };
}

/** A class that keeps its name, as a variable of another. */
function classOfName(factory: ts.NodeFactory, variable: ts.Identifier, node: ts.ClassDeclaration): ts.Statement {
  const modifiers = node.modifiers?.filter(
    ({ kind }) => kind !== ts.SyntaxKind.ExportKeyword && kind !== ts.SyntaxKind.DefaultKeyword,
  );
  const name = (ts.getOriginalNode(node) as ts.ClassDeclaration).name;
  const value = factory.createClassExpression(modifiers, name, undefined, node.heritageClauses, node.members);
  const list = factory.createVariableDeclarationList(
    [factory.createVariableDeclaration(variable, undefined, undefined, ts.setTextRange(value, node))],
    ts.NodeFlags.Let,
  );
  return ts.setTextRange(factory.createVariableStatement(undefined, list), node);
}

/** What a name stands for; undefined for one that TypeScript has made up. */
function meaning(checker: ts.TypeChecker, node: ts.Node): ts.Symbol | undefined {
  const parent = node.parent as ts.Node | undefined;
  if (parent === undefined || (node.getSourceFile() as ts.SourceFile | undefined) === undefined) return undefined;
  if (ts.isShorthandPropertyAssignment(parent)) return checker.getShorthandAssignmentValueSymbol(parent);
  // Of `{ name }` in a pattern it would be the property.
  if (ts.isBindingElement(parent) && parent.name === node) {
    return (parent as unknown as { readonly symbol: ts.Symbol }).symbol;
  }
  return checker.getSymbolAtLocation(node);
}

/**
 * The name by which code of the session finds a variable: of cells, at their top level, or of all; undefined for one that is local.
 * @param cells paths of the files of cells
 */
export function variableOf(symbol: ts.Symbol, cells: Pick<ReadonlySet<string>, "has">): string | undefined {
  const { name, declarations: [declaration] = [] } = symbol;
  if (declaration === undefined || !(symbol.flags & (ts.SymbolFlags.Variable | ts.SymbolFlags.Alias))) return undefined;
  if (!cells.has(declaration.getSourceFile().fileName)) return name;
  if (!isOfCell(symbol, cells)) return undefined;
  return Object.hasOwn(globalThis, name) ? name + UNSEEN : name;
}

/** Whether a cell has declared it, at its top level. */
function isOfCell(symbol: ts.Symbol, scope: Pick<ReadonlySet<string>, "has">): boolean {
  const declaration = symbol.declarations?.[0];
  if (declaration === undefined || !scope.has(declaration.getSourceFile().fileName)) return false;
  const isVar =
    ts.isVariableDeclaration(declaration) && !(ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.BlockScoped);
  let node: ts.Node = declaration.parent;
  for (; !ts.isSourceFile(node); node = node.parent) {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isModuleBlock(node)) return false;
    if (isVar || !(ts.isBlock(node) || ts.isIterationStatement(node, false) || ts.isCatchClause(node))) continue;
    return false;
  }
  // `declare const x` is of something that is there already; what is kept of earlier cells has only declarations.
  return node.isDeclarationFile || !(ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Ambient);
}
