/** Puts the calls that carry out a cell's commands among its statements. */
import ts = require("typescript");
import { HELPERS } from "../helpers-name.js";
import type { DeclaredName } from "./declared.js";
import { CAPTURED, CAPTURED_WITH, type Command, type Rewritten } from "./rewrite.js";

/** The commands of a cell that has some. */
export interface CellCommands extends Pick<Rewritten, "commands" | "captures" | "timed"> {
  /** What earlier cells, and this one, declare: for `%who`. */
  readonly declared: readonly DeclaredName[];
}

/** What is to be done with a statement, and before it. */
interface Before {
  readonly calls: ts.Statement[];
  /** The command that the statement stands after, if that takes its time. */
  readonly timed: "time" | "timeit" | undefined;
  /** The statement is the array of the values that go into this command. */
  readonly shell: Command | undefined;
}

/** Whether an expression awaits something itself, and not in a function. */
function awaits(node: ts.Node): boolean {
  if (ts.isAwaitExpression(node)) return true;
  return !ts.isFunctionLike(node) && ts.forEachChild(node, (child) => awaits(child) || undefined) === true;
}

export class CommandCalls {
  readonly #factory: ts.NodeFactory;
  readonly #cell: CellCommands;
  #next = 0;

  constructor(factory: ts.NodeFactory, cell: CellCommands) {
    this.#factory = factory;
    this.#cell = cell;
  }

  /** What comes first in the script. */
  start(): ts.Statement[] {
    return this.#cell.timed === true ? [this.#factory.createExpressionStatement(this.#helper("timeCell"))] : [];
  }

  /** Whether a command comes after the statement that was asked for last: the cell's value is then not shown. */
  get isFollowed(): boolean {
    return this.#next < this.#cell.commands.length;
  }

  /** The commands that stand before a statement, none of which was asked for before. */
  before(statement: ts.Statement): Before {
    const original = ts.getOriginalNode(statement);
    // What TypeScript has made itself stands where it is.
    if (original.pos < 0 || (original.getSourceFile() as ts.SourceFile | undefined) === undefined) {
      return { calls: [], timed: undefined, shell: undefined };
    }
    const position = original.getStart();
    const calls: ts.Statement[] = [];
    let timed: Before["timed"];
    let shell: Command | undefined;
    for (let command = this.#peek(); command !== undefined && command.start < position; command = this.#peek()) {
      this.#next++;
      timed = command.name === "time" || command.name === "timeit" ? command.name : undefined;
      if (command.args.length > 1 && position < command.end) shell = command;
      else if (timed === undefined) calls.push(this.#call(command));
    }
    return { calls, timed, shell };
  }

  /** The commands after the last statement. */
  rest(): ts.Statement[] {
    const rest = this.#cell.commands.slice(this.#next);
    this.#next = this.#cell.commands.length;
    return rest.filter(({ name }) => name !== "time" && name !== "timeit").map((command) => this.#call(command));
  }

  /** An expression between the two calls that take its time. */
  timedValue(value: ts.Expression): ts.Expression {
    const awaited = this.#factory.createAwaitExpression(this.#helper("interruptible", [value]));
    return this.#helper("stopTimer", [this.#helper("startTimer"), awaited]);
  }

  /** The call that evaluates an expression many times; without one it says what it wants. */
  repeated(expression: ts.Expression | undefined, place: ts.Statement): ts.Statement {
    const factory = this.#factory;
    const args = expression === undefined ? [] : [this.#function(expression)];
    const call = this.#helper("interruptible", [this.#helper("timeCalls", args)]);
    return ts.setTextRange(factory.createExpressionStatement(factory.createAwaitExpression(call)), place);
  }

  #function(expression: ts.Expression): ts.Expression {
    const factory = this.#factory;
    const modifiers = awaits(expression) ? [factory.createModifier(ts.SyntaxKind.AsyncKeyword)] : undefined;
    // An object literal would be a block.
    return factory.createArrowFunction(
      ...([modifiers, undefined, [], undefined, undefined, factory.createParenthesizedExpression(expression)] as const),
    );
  }

  /** A statement between the two calls that take its time. */
  timedStatement(statements: readonly ts.Statement[]): ts.Statement[] {
    return [
      this.#factory.createExpressionStatement(this.#helper("startTimer")),
      ...statements,
      this.#factory.createExpressionStatement(this.#helper("stopTimer")),
    ];
  }

  /** A line for the shell with values in it. */
  shell(command: Command, values: ts.Expression): ts.Statement {
    return this.#call(command, [values]);
  }

  /** The value of a command's output, where a name stands for it; undefined for all else. The children of the node have been visited. */
  captured(node: ts.Node, visited: ts.Node): ts.Expression | undefined {
    const called = ts.isCallExpression(node);
    const name = called ? node.expression : node;
    if (!ts.isIdentifier(name) || name.text !== (called ? CAPTURED_WITH : CAPTURED)) return undefined;
    const start = ts.getOriginalNode(name).end - name.text.length;
    const capture = this.#cell.captures.find((each) => each.start === start);
    if (capture === undefined) return undefined;
    const factory = this.#factory;
    const pieces = factory.createArrayLiteralExpression(capture.args.map((arg) => factory.createStringLiteral(arg)));
    const values = factory.createArrayLiteralExpression(called ? (visited as ts.CallExpression).arguments : []);
    const call = this.#helper("interruptible", [this.#helper("capture", [pieces, values])]);
    return ts.setTextRange(factory.createParenthesizedExpression(factory.createAwaitExpression(call)), node);
  }

  #peek(): Command | undefined {
    return this.#cell.commands[this.#next];
  }

  #call(command: Command, more: readonly ts.Expression[] = []): ts.Statement {
    const factory = this.#factory;
    const args = command.args.map((arg) => factory.createStringLiteral(arg));
    const given =
      command.name === "shell"
        ? [factory.createArrayLiteralExpression(args), ...more]
        : command.name === "who"
          ? [this.#declared(command), ...args]
          : args;
    const call = this.#helper("command", [factory.createStringLiteral(command.name), ...given]);
    const awaited = factory.createAwaitExpression(this.#helper("interruptible", [call]));
    const range = { pos: command.start, end: command.end };
    return ts.setTextRange(factory.createExpressionStatement(ts.setTextRange(awaited, range)), range);
  }

  /** What is declared above a `%who`, with a function for each that reads its value. */
  #declared(command: Command): ts.Expression {
    const factory = this.#factory;
    const above = this.#cell.declared.filter(({ position = -1 }) => position < command.start);
    return factory.createArrayLiteralExpression(
      above.map(({ name, kind, type }) => {
        const text = (key: string, value: string): ts.PropertyAssignment =>
          factory.createPropertyAssignment(key, factory.createStringLiteral(value));
        const read = factory.createArrowFunction(
          ...([undefined, undefined, [], undefined, undefined, factory.createIdentifier(name)] as const),
        );
        const value = kind === "variable" ? [factory.createPropertyAssignment("read", read)] : [];
        return factory.createObjectLiteralExpression([
          text("name", name),
          text("kind", kind),
          text("type", type),
          ...value,
        ]);
      }),
    );
  }

  #helper(name: string, args: readonly ts.Expression[] = []): ts.CallExpression {
    const factory = this.#factory;
    const target = factory.createPropertyAccessExpression(factory.createIdentifier(HELPERS), name);
    return factory.createCallExpression(target, undefined, args);
  }
}
