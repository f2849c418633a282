/** Scopes, and the members of values, by the numbers under which front ends ask for them. */
import type { Debugger as V8, Runtime } from "node:inspector";
import { HELPERS } from "../../language/helpers-name.js";
import type { DebugPort } from "./port.js";
import { textOf, typeOf, type Variable } from "./values.js";

/** A scope in the words of the Debug Adapter Protocol. */
export interface Scope {
  readonly name: string;
  readonly variablesReference: number;
  readonly expensive: boolean;
}

/** Objects whose members are shown together: the blocks around a line are one scope to a reader. Inner ones come first. */
type Reference = readonly string[];

/** Elements of a list that are shown. */
const MOST_ELEMENTS = 500;
/** What a value that is looked at is kept alive by. */
export const OBJECT_GROUP = "debugger";

/** Scopes by what V8 calls them. What is global in Node.js is no concern of a notebook's reader. */
const NAMES: Readonly<Record<string, string>> = {
  ...{ local: "Locals", block: "Locals", catch: "Locals", with: "Locals", eval: "Locals" },
  ...{ closure: "Closure", module: "Module", script: "Globals" },
};

export class Variables {
  readonly #port: DebugPort;
  readonly #references = new Map<number, Reference>();
  #last = 0;

  constructor(port: DebugPort) {
    this.#port = port;
  }

  /** The program goes on: what was shown is no more. */
  forget(): void {
    this.#references.clear();
  }

  /** The scopes of a frame, the nearest first. */
  scopes({ scopeChain }: V8.CallFrame): Scope[] {
    const objects = new Map<string, string[]>();
    for (const { type, object } of scopeChain) {
      const name = NAMES[type];
      if (name === undefined || object.objectId === undefined) continue;
      objects.set(name, [...(objects.get(name) ?? []), object.objectId]);
    }
    return [...objects].map(([name, ids]) => ({ name, variablesReference: this.#refer(ids), expensive: false }));
  }

  /** The members of what the number stands for. */
  async members(reference: number): Promise<Variable[]> {
    const found = new Map<string, Variable>();
    for (const objectId of this.#references.get(reference) ?? []) {
      for (const variable of await this.#membersOf(objectId)) {
        if (!found.has(variable.name)) found.set(variable.name, variable);
      }
    }
    return [...found.values()];
  }

  /** What cells have declared. */
  async globals(): Promise<Variable[]> {
    const { names } = await this.#port.send<Runtime.GlobalLexicalScopeNamesReturnType>(
      "Runtime.globalLexicalScopeNames",
    );
    const reads = names.map((name) => `["${name}", () => ${name}]`);
    // One that was declared by a cell that failed has no value, and throws when it is read.
    const expression = `Object.fromEntries([${reads.join(", ")}].flatMap(([n, read]) => { try { return [[n, read()]] } catch { return [] } }))`;
    const parameters = { expression, silent: true, objectGroup: OBJECT_GROUP, throwOnSideEffect: false };
    const { result } = await this.#port.send<Runtime.EvaluateReturnType>("Runtime.evaluate", parameters);
    return result.objectId === undefined ? [] : this.#membersOf(result.objectId);
  }

  /** A value under a name. */
  variable(name: string, value: Runtime.RemoteObject): Variable {
    const { objectId, type } = value;
    return {
      ...{ name, value: textOf(value) },
      ...(objectId !== undefined && { type: typeOf(value) }),
      variablesReference: objectId !== undefined && type !== "function" ? this.#refer([objectId]) : 0,
    };
  }

  async #membersOf(given: string): Promise<Variable[]> {
    const objectId = await this.#bounded(given);
    const { result, internalProperties = [] } = await this.#port.send<Runtime.GetPropertiesReturnType>(
      "Runtime.getProperties",
      { objectId, ownProperties: true, generatePreview: true },
    );
    const own = result.filter(({ name }) => name !== HELPERS && name !== "__proto__");
    const entries = internalProperties.filter(({ name }) => name === "[[Entries]]");
    return [...own, ...entries].flatMap((property: Partial<Runtime.PropertyDescriptor> & { name: string }) => {
      const { name, value, get } = property;
      if (value !== undefined) return [this.variable(name, value)];
      // A getter is not called: what it does is not known.
      return get?.type === "function" ? [{ name, value: "(getter)", variablesReference: 0 }] : [];
    });
  }

  /** The same, or the first elements of a long list: a tensor's data have millions. */
  async #bounded(objectId: string): Promise<string> {
    const { result } = await this.#port.send<Runtime.CallFunctionOnReturnType>("Runtime.callFunctionOn", {
      objectId,
      functionDeclaration: `function (most) {
        const list = Array.isArray(this) || (ArrayBuffer.isView(this) && !(this instanceof DataView));
        return list && this.length > most ? this.slice(0, most) : this;
      }`,
      arguments: [{ value: MOST_ELEMENTS }],
      objectGroup: OBJECT_GROUP,
    });
    return result.objectId ?? objectId;
  }

  #refer(ids: Reference): number {
    this.#references.set(++this.#last, ids);
    return this.#last;
  }
}
