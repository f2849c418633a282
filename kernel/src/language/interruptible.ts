/** `await` and `for await` go through the session, so that an interrupt can reject them. */
import ts = require("typescript");
import { HELPERS } from "./helpers-name.js";

/** A call of one of the helpers that the session offers to compiled code. */
export function helperCall(factory: ts.NodeFactory, name: string, args: readonly ts.Expression[]): ts.CallExpression {
  const target = factory.createPropertyAccessExpression(factory.createIdentifier(HELPERS), name);
  return factory.createCallExpression(target, undefined, args);
}

/** The node as it can be interrupted; undefined for what awaits nothing. Its children have been visited. */
export function interruptible(factory: ts.NodeFactory, node: ts.Node): ts.Node | undefined {
  if (ts.isAwaitExpression(node)) {
    return factory.updateAwaitExpression(node, helperCall(factory, "interruptible", [node.expression]));
  }
  if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) {
    const { awaitModifier, initializer, expression, statement } = node;
    const iterable = helperCall(factory, "interruptibleIterable", [expression]);
    return factory.updateForOfStatement(node, awaitModifier, initializer, iterable, statement);
  }
  return undefined;
}

/** The transformer of the notebook's own files, for the `after` stage of TypeScript's emit. */
export const interruptibleTransform: ts.TransformerFactory<ts.SourceFile> = (context) => {
  const visit: ts.Visitor = (node) => {
    const visited = ts.visitEachChild(node, visit, context);
    return interruptible(context.factory, visited) ?? visited;
  };
  return (file) => ts.visitEachChild(file, visit, context);
};
