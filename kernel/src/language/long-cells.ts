/**
 * Cells of thousands of statements: generated code, data that are pasted.
 *
 * What a call may have ruled out of a name's type (`assert(x)`), TypeScript finds by going back through all calls before each
 * use of a name: time grows with the square of their number. Here the way back is led past calls that rule out nothing.
 */
import ts = require("typescript");

/** Statements from which on a cell is long: below them the way back is short enough. */
const LONG = 500;

/** Internal to TypeScript: a point in the flow of control, and the one before it. */
interface FlowNode {
  readonly flags: number;
  readonly node?: ts.Node;
  antecedent?: FlowNode;
}

/** Internal to TypeScript: the flags of a point behind a call that is a statement, and behind a `push` into an array. */
export const BEHIND_CALL = 1 << 9;
export const BEHIND_PUSH = 1 << 8;

/** Shortens the way back through the calls at the top level of a long cell, whose names can be looked up by now. */
export function shortenFlow(program: ts.Program, file: ts.SourceFile): void {
  if (file.statements.length < LONG) return;
  const checker = program.getTypeChecker();
  const known = new Map<string, boolean>();
  const canBePassed = ({ flags, node }: FlowNode): boolean => {
    if (!(flags & (BEHIND_CALL | BEHIND_PUSH)) || node === undefined || !ts.isCallExpression(node)) return false;
    // Within a block the name may mean something else.
    if (node.parent.parent !== file) return false;
    const { expression } = node;
    const isPush = (flags & BEHIND_PUSH) !== 0;
    const name = `${isPush} ${expression.getText(file)}`;
    let passes = known.get(name);
    if (passes === undefined) {
      passes = isPush ? hasOneType(checker, expression, file) : rulesOutNothing(checker, expression);
      known.set(name, passes);
    }
    return passes;
  };
  for (const statement of file.statements) {
    const { flowNode } = statement as { readonly flowNode?: FlowNode };
    if (flowNode === undefined || !(flowNode.flags & BEHIND_CALL)) continue;
    let { antecedent } = flowNode;
    // That of the last statement leads past all before it already.
    while (antecedent?.antecedent !== undefined && canBePassed(antecedent)) ({ antecedent } = antecedent);
    if (antecedent !== undefined) flowNode.antecedent = antecedent;
  }
}

/** Whether the array that a method is called of has a type that it does not get from what is put into it (`const list = []`). */
function hasOneType(checker: ts.TypeChecker, method: ts.Expression, file: ts.SourceFile): boolean {
  if (!ts.isPropertyAccessExpression(method) || !ts.isIdentifier(method.expression)) return false;
  const declaration = checker.getSymbolAtLocation(method.expression)?.valueDeclaration;
  if (declaration === undefined || !ts.isVariableDeclaration(declaration)) return false;
  return declaration.getSourceFile() !== file || declaration.type !== undefined;
}

/** Whether a function asserts nothing of its arguments, and returns. */
function rulesOutNothing(checker: ts.TypeChecker, callee: ts.Expression): boolean {
  const signatures = checker.getTypeAtLocation(callee).getCallSignatures();
  return signatures.every((signature) => {
    const kind = checker.getTypePredicateOfSignature(signature)?.kind;
    const asserts = kind === ts.TypePredicateKind.AssertsIdentifier || kind === ts.TypePredicateKind.AssertsThis;
    return !asserts && !(checker.getReturnTypeOfSignature(signature).flags & ts.TypeFlags.Never);
  });
}
