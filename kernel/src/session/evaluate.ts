/**
 * Evaluates scripts in V8's REPL mode, through the inspector: `let` may be declared again, closures see the new value,
 * and `await` works at the top level. No other public interface of V8 has this mode.
 */
import { Session, type Runtime } from "node:inspector";

/** What the inspector would otherwise hold on to for ever: the values and errors that evaluations gave. */
const objectGroup = "cell";

let inspector = connect();

function connect(): Session {
  const session = new Session();
  session.connect();
  return session;
}

/** How an evaluation ended. A termination (an interrupt) is neither a value nor an error. */
export type Evaluation =
  | { readonly status: "ok" }
  | { readonly status: "thrown"; readonly error: unknown }
  | { readonly status: "terminated" };

/** Evaluates a script; its errors are located at `url`. */
export function evaluate(script: string, url: string): Promise<Evaluation> {
  const expression = `${script}\n//# sourceURL=${url}`;
  // `replMode` is in V8's protocol, not in Node's types of it.
  const parameters: Runtime.EvaluateParameterType & { replMode: boolean } = { expression, objectGroup, replMode: true };
  return new Promise((resolve) => {
    inspector.post("Runtime.evaluate", parameters as Runtime.EvaluateParameterType, (failure, result) => {
      if (failure !== null) {
        resolve({ status: "terminated" });
        return;
      }
      const { exceptionDetails } = result;
      if (exceptionDetails === undefined) resolve({ status: "ok" });
      else if (exceptionDetails.exception === undefined) resolve({ status: "terminated" });
      else resolve({ status: "thrown", error: toValue(exceptionDetails.exception) });
      const holds = result.result.objectId !== undefined || exceptionDetails !== undefined;
      if (holds) inspector.post("Runtime.releaseObjectGroup", { objectGroup });
    });
  });
}

/**
 * Gives up on an evaluation that will never settle, because it was terminated in its middle or waits for nothing; it counts
 * as terminated. V8 would otherwise report, from within the garbage collector, that its promise was collected, and Node 22
 * crashes on that report.
 */
export function abandonEvaluation(): void {
  inspector.disconnect();
  inspector = connect();
}

/** The name of a global through which a remote object comes back as itself. */
const HANDOVER = Symbol.for("cell.handover");

function toValue(remote: Runtime.RemoteObject): unknown {
  if (remote.objectId === undefined) {
    if (remote.type === "undefined") return undefined;
    if (remote.unserializableValue !== undefined) return primitive(remote);
    return remote.value as unknown;
  }
  const place = globalThis as { [HANDOVER]?: unknown };
  inspector.post("Runtime.callFunctionOn", {
    functionDeclaration: `function (value) { globalThis[Symbol.for("cell.handover")] = value; }`,
    arguments: [{ objectId: remote.objectId }],
    objectId: remote.objectId,
  });
  const value = place[HANDOVER];
  delete place[HANDOVER];
  inspector.post("Runtime.releaseObject", { objectId: remote.objectId });
  return value;
}

/** NaN, the infinities, -0 and big integers, which JSON cannot carry. */
function primitive(remote: Runtime.RemoteObject): unknown {
  const text = remote.unserializableValue ?? "";
  return remote.type === "bigint" ? BigInt(text.slice(0, -1)) : Number(text);
}
