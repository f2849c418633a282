/**
 * Turns a cell's emitted ES module into a script for V8's REPL mode.
 *
 * What REPL mode gives: top-level `await`, and `let` that may be declared again. What it lacks is put in here:
 * - `import` and `import()` do not work there: they become calls of the session's `import`, which resolves from the
 *   notebook's folder;
 * - only `let` and `class` may be declared again, so `var`, `const` and functions at the top level become `let`
 *   (assigning to a `const` is refused by the type checker before it comes to this);
 * - a name that is imported from a file of the notebook's own is a variable that the session sets when the export changes;
 * - `export` means nothing between cells and is dropped;
 * - the value of the last expression is handed to the session;
 * - `await` and `for await` go through the session, so that an interrupt can reject them.
 */
import ts = require("typescript");
import { CommandCalls, type CellCommands } from "./commands/calls.js";
import { boundNames, isVarList } from "./declared-names.js";
import { HELPERS } from "./helpers-name.js";
import { helperCall, interruptible } from "./interruptible.js";

/** Start of the names of stand-ins for `var` inside blocks: they are there for the declarations, not for the script. */
export const NESTED_VAR = "__nested_var_";

/** What the transformer is told of the cell that is being compiled. */
export interface CellFacts {
  readonly commands: CellCommands | undefined;
  /** Specifiers of the notebook's own files that it imports. */
  readonly own: Pick<ReadonlySet<string>, "has">;
}

/** The transformer, for the `after` stage of TypeScript's emit. */
export function cellTransform(facts: () => CellFacts): ts.TransformerFactory<ts.SourceFile> {
  return (context) => (file) => new CellTransform(context, facts()).transform(file);
}

class CellTransform {
  readonly #context: ts.TransformationContext;
  readonly #factory: ts.NodeFactory;
  readonly #commands: CommandCalls | undefined;
  readonly #own: CellFacts["own"];
  /** Names that a hoisted `let` declares at the start of the script. */
  readonly #hoisted = new Set<string>();
  /** Names declared by top-level statements in place. */
  readonly #declared = new Set<string>();

  constructor(context: ts.TransformationContext, { commands, own }: CellFacts) {
    this.#context = context;
    this.#factory = context.factory;
    this.#own = own;
    if (commands !== undefined) this.#commands = new CommandCalls(context.factory, commands);
  }

  transform(file: ts.SourceFile): ts.SourceFile {
    const imports: ts.Statement[] = [];
    const functions: ts.Statement[] = [];
    const body: ts.Statement[] = [];
    const statements = file.statements.filter((statement) => !isStandIn(statement));
    const last = lastOfUser(statements);
    for (const statement of statements) {
      if (ts.isImportDeclaration(statement)) imports.push(this.#import(statement));
      else if (ts.isFunctionDeclaration(statement)) functions.push(this.#function(statement));
      else if (this.#commands !== undefined) body.push(...this.#besideCommands(this.#commands, statement, last));
      else if (!ts.isExportDeclaration(statement)) body.push(...this.#statement(statement, statement === last));
    }
    if (this.#commands !== undefined) body.push(...this.#commands.rest());
    const hoisted = [...this.#hoisted].filter((name) => !this.#declared.has(name));
    const script = [
      this.#factory.createExpressionStatement(this.#factory.createStringLiteral("use strict")),
      this.#afterInspector(),
      ...(this.#commands?.start() ?? []),
      ...(hoisted.length > 0 ? [this.#let(hoisted.map((name) => this.#factory.createVariableDeclaration(name)))] : []),
      ...imports,
      ...functions,
      ...body,
    ];
    return this.#factory.updateSourceFile(file, this.#factory.createNodeArray(script));
  }

  /**
   * What the cell does, it does when the inspector has returned: it would end the process where a termination strikes it as
   * it takes what the script gives.
   */
  #afterInspector(): ts.Statement {
    return this.#factory.createExpressionStatement(this.#factory.createAwaitExpression(this.#factory.createVoidZero()));
  }

  /** A statement after the commands that stand before it; one that is timed, or that holds values for the shell, is wrapped. */
  #besideCommands(commands: CommandCalls, statement: ts.Statement, last: ts.Statement | undefined): ts.Statement[] {
    const { calls, timed, shell } = commands.before(statement);
    if (ts.isExportDeclaration(statement)) return calls;
    const isLast = statement === last && !commands.isFollowed;
    if (shell !== undefined && ts.isExpressionStatement(statement)) {
      return [...calls, commands.shell(shell, this.#visit(statement.expression))];
    }
    if (timed === undefined) return [...calls, ...this.#statement(statement, isLast)];
    if (timed === "timeit") {
      const expression = ts.isExpressionStatement(statement) ? this.#visit(statement.expression) : undefined;
      return [...calls, commands.repeated(expression, statement)];
    }
    if (!ts.isExpressionStatement(statement))
      return [...calls, ...commands.timedStatement(this.#statement(statement, false))];
    const value = commands.timedValue(this.#visit(statement.expression));
    const result = isLast ? this.#helper("result", [value]) : value;
    return [...calls, ts.setTextRange(this.#factory.createExpressionStatement(result), statement)];
  }

  #statement(statement: ts.Statement, isLast: boolean): ts.Statement[] {
    const factory = this.#factory;
    if (ts.isExpressionStatement(statement)) {
      const expression = this.#visit(exportedBy(statement) ?? statement.expression);
      if (!isLast) return [factory.updateExpressionStatement(statement, expression)];
      return [factory.updateExpressionStatement(statement, this.#helper("result", [expression]))];
    }
    if (ts.isExportAssignment(statement)) {
      // `export default 6 * 7` is an expression to a notebook.
      const expression = this.#visit(statement.expression);
      return [factory.createExpressionStatement(isLast ? this.#helper("result", [expression]) : expression)];
    }
    if (ts.isClassDeclaration(statement)) {
      if (statement.name !== undefined) this.#declared.add(statement.name.text);
      const name = statement.name ?? factory.createIdentifier("_default");
      const visited = this.#visit(statement);
      const { heritageClauses, members } = visited;
      return [
        ts.setTextRange(
          factory.updateClassDeclaration(visited, withoutExport(visited), name, undefined, heritageClauses, members),
          statement,
        ),
      ];
    }
    if (ts.isVariableStatement(statement)) return this.#variables(statement);
    if (isLast && ts.isTryStatement(statement) && isMade(statement)) return [this.#withResult(this.#visit(statement))];
    return [this.#visit(statement)];
  }

  /** A cell with `using` is, to what disposes at its end, the block of a `try`: its last expression is in there. */
  #withResult(statement: ts.TryStatement): ts.TryStatement {
    const factory = this.#factory;
    const { tryBlock, catchClause, finallyBlock } = statement;
    const last = lastOfUser(tryBlock.statements);
    // A declaration has become an assignment by now.
    if (last === undefined || !ts.isExpressionStatement(last) || !ts.isExpressionStatement(ts.getOriginalNode(last)))
      return statement;
    const result = factory.updateExpressionStatement(last, this.#helper("result", [last.expression]));
    const statements = tryBlock.statements.map((each) => (each === last ? result : each));
    return factory.updateTryStatement(statement, factory.updateBlock(tryBlock, statements), catchClause, finallyBlock);
  }

  /** Top-level variables: `let`, unless a `var` repeats a name of this cell, which is then an assignment. */
  #variables(statement: ts.VariableStatement): ts.Statement[] {
    const list = statement.declarationList;
    const names: string[] = [];
    for (const declaration of list.declarations) boundNames(declaration.name, (name) => names.push(name));
    if (isVarList(list) && names.some((name) => this.#declared.has(name) || this.#hoisted.has(name))) {
      return [this.#factory.createExpressionStatement(this.#assignments(list))];
    }
    for (const name of names) this.#declared.add(name);
    const declarations = list.declarations.map((declaration) => this.#visit(declaration));
    return [ts.setTextRange(this.#let(declarations), statement)];
  }

  /** A function is hoisted as in any module, but as a `let`, so that a later cell may declare its name again. */
  #function(statement: ts.FunctionDeclaration): ts.Statement {
    const factory = this.#factory;
    const name = statement.name?.text ?? "_default";
    const visited = this.#visit(statement);
    const value = ts.setTextRange(
      factory.createFunctionExpression(
        withoutExport(visited) as ts.Modifier[] | undefined,
        visited.asteriskToken,
        undefined,
        undefined,
        visited.parameters,
        undefined,
        visited.body ?? factory.createBlock([]),
      ),
      statement,
    );
    if (this.#declared.has(name)) {
      return factory.createExpressionStatement(factory.createAssignment(factory.createIdentifier(name), value));
    }
    this.#declared.add(name);
    return this.#let([factory.createVariableDeclaration(name, undefined, undefined, value)]);
  }

  #import(statement: ts.ImportDeclaration): ts.Statement {
    const factory = this.#factory;
    const clause = statement.importClause;
    const bindings = clause?.namedBindings;
    const names: string[] = [];
    const elements: ts.BindingElement[] = [];
    const live: ts.Expression[] = [];
    const bind = (from: string, to: ts.Identifier): void => {
      names.push(from);
      elements.push(factory.createBindingElement(undefined, factory.createStringLiteral(from), to));
      live.push(this.#liveBinding(from, to));
      this.#declared.add(to.text);
    };
    if (clause?.name !== undefined) bind("default", clause.name);
    if (bindings !== undefined && ts.isNamedImports(bindings)) {
      for (const element of bindings.elements) bind((element.propertyName ?? element.name).text, element.name);
    }
    const module = this.#imported(statement, names);
    const declarations: ts.VariableDeclaration[] = [];
    let source: ts.Expression = module;
    if (bindings !== undefined && ts.isNamespaceImport(bindings)) {
      this.#declared.add(bindings.name.text);
      declarations.push(factory.createVariableDeclaration(bindings.name, undefined, undefined, module));
      source = bindings.name;
    }
    if (elements.length > 0) {
      const pattern = factory.createObjectBindingPattern(elements);
      const isOwn = ts.isStringLiteral(statement.moduleSpecifier) && this.#own.has(statement.moduleSpecifier.text);
      const followed = isOwn ? this.#helper("live", [source, ...live]) : source;
      declarations.push(factory.createVariableDeclaration(pattern, undefined, undefined, followed));
    }
    if (declarations.length === 0) return ts.setTextRange(factory.createExpressionStatement(module), statement);
    return ts.setTextRange(this.#let(declarations), statement);
  }

  /** The name of an export, that of the variable which has its value, and a function that sets the variable. */
  #liveBinding(name: string, variable: ts.Identifier): ts.Expression {
    const factory = this.#factory;
    const value = factory.createUniqueName("value");
    const set = factory.createArrowFunction(
      ...([undefined, undefined, [factory.createParameterDeclaration(undefined, undefined, value)]] as const),
      ...([undefined, undefined, factory.createAssignment(variable, value)] as const),
    );
    const [from, to] = [name, sourceName(variable)].map((text) => factory.createStringLiteral(text));
    return factory.createArrayLiteralExpression([from as ts.Expression, to as ts.Expression, set]);
  }

  /** The module of an import declaration, from which it takes the names. */
  #imported({ moduleSpecifier, attributes }: ts.ImportDeclaration, names: readonly string[]): ts.Expression {
    const factory = this.#factory;
    const options = attributes === undefined ? factory.createVoidZero() : importOptions(factory, attributes);
    const wanted = factory.createArrayLiteralExpression(names.map((name) => factory.createStringLiteral(name)));
    const rest = names.length > 0 ? [options, wanted] : attributes === undefined ? [] : [options];
    return factory.createAwaitExpression(this.#helper("import", [moduleSpecifier, ...rest]));
  }

  #let(declarations: readonly ts.VariableDeclaration[]): ts.VariableStatement {
    return this.#factory.createVariableStatement(
      undefined,
      this.#factory.createVariableDeclarationList(declarations, ts.NodeFlags.Let),
    );
  }

  #helper(name: string, args: readonly ts.Expression[]): ts.CallExpression {
    return helperCall(this.#factory, name, args);
  }

  #visit<T extends ts.Node>(node: T): T {
    return ts.visitNode(node, this.#visitor(false)) as T;
  }

  readonly #visitor = (inFunction: boolean): ts.Visitor => {
    const visit: ts.Visitor = (node) => {
      const factory = this.#factory;
      const enters = !inFunction && (ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node));
      const children = <N extends ts.Node>(of: N): N =>
        ts.visitEachChild(of, enters ? this.#visitor(true) : visit, this.#context);
      if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
        const [specifier] = node.arguments;
        const known = specifier !== undefined && ts.isStringLiteralLike(specifier);
        return ts.setTextRange(this.#helper(known ? "import" : "importComputed", children(node).arguments), node);
      }
      if (this.#commands !== undefined && (ts.isIdentifier(node) || ts.isCallExpression(node))) {
        const captured = this.#commands.captured(node, ts.isIdentifier(node) ? node : children(node));
        if (captured !== undefined) return captured;
      }
      if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
        return factory.createPropertyAccessExpression(factory.createIdentifier(HELPERS), "meta");
      }
      if (ts.isIdentifier(node) && isDeno(node)) {
        return factory.createPropertyAccessExpression(factory.createIdentifier(HELPERS), node);
      }
      if (ts.isAwaitExpression(node) || ts.isForOfStatement(node)) {
        const visited = children(node);
        return interruptible(factory, visited) ?? visited;
      }
      if (!inFunction) {
        if (ts.isVariableStatement(node) && isVarList(node.declarationList)) {
          const assignments = this.#hoist(node.declarationList);
          return assignments === undefined
            ? factory.createEmptyStatement()
            : ts.setTextRange(factory.createExpressionStatement(assignments), node);
        }
        if (ts.isVariableDeclarationList(node) && isVarList(node)) {
          const loop = node.parent as ts.Node | undefined;
          const iterates = loop !== undefined && (ts.isForOfStatement(loop) || ts.isForInStatement(loop));
          const target = node.declarations[0];
          if (iterates && target !== undefined) {
            boundNames(target.name, (name) => this.#hoisted.add(name));
            return assignmentTarget(factory, target.name);
          }
          return this.#hoist(node);
        }
      }
      return children(node);
    };
    return visit;
  };

  /** A `var` inside a block: declared at the start of the script, assigned in place. */
  #hoist(list: ts.VariableDeclarationList): ts.Expression | undefined {
    for (const declaration of list.declarations) boundNames(declaration.name, (name) => this.#hoisted.add(name));
    if (list.declarations.every((declaration) => declaration.initializer === undefined)) return undefined;
    return this.#assignments(list);
  }

  #assignments(list: ts.VariableDeclarationList): ts.Expression {
    const factory = this.#factory;
    const parts = list.declarations.flatMap((declaration) =>
      declaration.initializer === undefined
        ? []
        : [factory.createAssignment(assignmentTarget(factory, declaration.name), this.#visit(declaration.initializer))],
    );
    const [first = factory.createVoidZero(), ...rest] = parts;
    const all = rest.reduce<ts.Expression>((left, right) => factory.createComma(left, right), first);
    return factory.createParenthesizedExpression(all);
  }
}

/** The `Deno` of `Deno.jupyter`, and of `const { jupyter } = Deno`: no global, so that no package takes this for Deno. */
function isDeno(node: ts.Identifier): boolean {
  if (node.text !== "Deno") return false;
  const original = ts.getOriginalNode(node);
  const parent = original.parent as ts.Node | undefined;
  if (parent === undefined) return false;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === original && parent.name.text === "jupyter";
  if (!ts.isVariableDeclaration(parent) || !ts.isObjectBindingPattern(parent.name)) return false;
  return parent.name.elements.some(({ name, propertyName = name }) => propertyName.getText() === "jupyter");
}

/** A name as it is in the cell: `shadowed-globals.ts` may have given the variable another one. */
function sourceName(variable: ts.Identifier): string {
  const original = ts.getOriginalNode(variable);
  return ts.isIdentifier(original) ? original.text : variable.text;
}

/** Whether TypeScript has made a statement, rather than the user written it. */
function isMade(statement: ts.Statement): boolean {
  return ts.getOriginalNode(statement).pos < 0;
}

/** What `export = …` exports, which TypeScript has made an assignment to `module.exports`: there is no such thing here. */
function exportedBy(statement: ts.ExpressionStatement): ts.Expression | undefined {
  const { expression } = statement;
  return ts.isExportAssignment(ts.getOriginalNode(statement)) && ts.isBinaryExpression(expression)
    ? expression.right
    : undefined;
}

function isStandIn(statement: ts.Statement): boolean {
  if (!ts.isVariableStatement(statement)) return false;
  const name = statement.declarationList.declarations[0]?.name;
  return name !== undefined && ts.isIdentifier(name) && name.text.startsWith(NESTED_VAR);
}

/** The last statement that the user wrote: the kernel appends an export clause, and TypeScript an `export {}`. */
function lastOfUser(statements: readonly ts.Statement[]): ts.Statement | undefined {
  return statements.findLast((statement) => !ts.isExportDeclaration(statement) && !ts.isEmptyStatement(statement));
}

function withoutExport(node: ts.ClassDeclaration | ts.FunctionDeclaration): ts.ModifierLike[] | undefined {
  return node.modifiers?.filter(
    ({ kind }) => kind !== ts.SyntaxKind.ExportKeyword && kind !== ts.SyntaxKind.DefaultKeyword,
  );
}

function importOptions(factory: ts.NodeFactory, attributes: ts.ImportAttributes): ts.Expression {
  const entries = attributes.elements.map(({ name, value }) => factory.createPropertyAssignment(name, value));
  const given = factory.createObjectLiteralExpression(entries);
  return factory.createObjectLiteralExpression([factory.createPropertyAssignment("with", given)]);
}

/** A binding name as the target of an assignment: `{ a, b: [c] = d }` as an expression. */
function assignmentTarget(factory: ts.NodeFactory, name: ts.BindingName): ts.Expression {
  if (ts.isIdentifier(name)) return name;
  const withDefault = (element: ts.BindingElement): ts.Expression => {
    const target = assignmentTarget(factory, element.name);
    return element.initializer === undefined ? target : factory.createAssignment(target, element.initializer);
  };
  if (ts.isArrayBindingPattern(name)) {
    return factory.createArrayLiteralExpression(
      name.elements.map((element) => {
        if (ts.isOmittedExpression(element)) return element;
        return element.dotDotDotToken === undefined
          ? withDefault(element)
          : factory.createSpreadElement(withDefault(element));
      }),
    );
  }
  return factory.createObjectLiteralExpression(
    name.elements.map((element) => {
      if (element.dotDotDotToken !== undefined) {
        return factory.createSpreadAssignment(assignmentTarget(factory, element.name));
      }
      const key = element.propertyName ?? (element.name as ts.Identifier);
      return factory.createPropertyAssignment(key, withDefault(element));
    }),
  );
}
