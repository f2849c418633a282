/** The variables that hold parameters, and what becomes of those that nobody can reach any more. */
import * as tf from "@tensorflow/tfjs-core";
import type { Tensor, Variable } from "@tensorflow/tfjs-core";

/** What it takes to free a variable that is gone. */
interface Held extends Pick<Tensor, "dtype" | "size"> {
  readonly name: string;
  dataId: Tensor["dataId"];
}

/** Stands in TensorFlow.js's list for a variable that is gone, until it is taken out. */
const gone = { trainable: false, dispose: () => undefined };

let freesUnreachable = false;

const lost = new FinalizationRegistry<Held>((held) => {
  const engine = tf.engine();
  // Whoever has disposed of it has taken it out of the list.
  if (!Object.hasOwn(engine.registeredVariables, held.name)) return;
  delete engine.registeredVariables[held.name];
  engine.disposeTensor(held as unknown as Tensor);
});

/**
 * From here on frees the parameters of models that nobody can reach any more, with the garbage. TensorFlow.js lists all variables, and so
 * would keep every model of a notebook's cell that is run again and again. For what hosts the library: a program that makes many
 * models disposes of them itself, and knows when.
 */
export function freeUnreachableModels(): void {
  freesUnreachable = true;
}

/** A variable with the values of a tensor, which it disposes of. */
export function parameterVariable(tensor: Tensor): Variable {
  const variable = tf.variable(tensor);
  tensor.dispose();
  if (freesUnreachable) freeWhenUnreachable(variable);
  return variable;
}

function freeWhenUnreachable(variable: Variable): void {
  const { name, dtype, size, dataId } = variable;
  const held: Held = { name, dtype, size, dataId };
  variable.assign = function (this: Variable, value: Tensor): void {
    tf.Variable.prototype.assign.call(this, value);
    held.dataId = this.dataId;
  };
  const reference = new WeakRef(variable);
  // The list still has it, for `tf.variableGrads` and TensorFlow.js's optimisers, but does not keep it.
  Object.defineProperty(tf.engine().registeredVariables, name, {
    ...{ configurable: true, enumerable: true },
    get: () => reference.deref() ?? gone,
  });
  lost.register(variable, held);
}
