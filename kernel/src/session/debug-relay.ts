/**
 * Between the front's debugger and V8's inspector of the main thread. It lives in the interrupt thread, which answers also while the
 * main thread stands at a breakpoint; it is loaded when a debugger comes.
 */
import { Session, type Debugger, type InspectorNotification } from "node:inspector";
import type { DebugMessage, DebugRequest } from "../session-protocol.js";

export class DebugRelay {
  readonly #send: (message: DebugMessage) => void;
  #inspector: Session | undefined;
  #paused = false;

  constructor(send: (message: DebugMessage) => void) {
    this.#send = send;
  }

  /** Calls a method of the inspector. `detach` leaves the main thread alone again. */
  handle({ id, method, params }: DebugRequest): void {
    if (method === "detach") {
      this.#inspector?.disconnect();
      this.#inspector = undefined;
      this.#paused = false;
      this.#send({ type: "debug", id, result: {} });
      return;
    }
    this.#connected().post(method, params, (error, result) => {
      this.#send(error === null ? { type: "debug", id, result } : { type: "debug", id, error: error.message });
    });
  }

  /** An interrupt of what stands at a breakpoint. */
  terminate(): void {
    if (this.#paused) this.#inspector?.post("Debugger.resume", { terminateOnResume: true });
  }

  #connected(): Session {
    if (this.#inspector !== undefined) return this.#inspector;
    const inspector = (this.#inspector = new Session());
    inspector.connectToMainThread();
    inspector.on("Debugger.scriptParsed", ({ params }: InspectorNotification<Debugger.ScriptParsedEventDataType>) => {
      const { scriptId, url } = params;
      this.#send({ type: "debug", method: "Debugger.scriptParsed", params: { scriptId, url } });
    });
    for (const method of ["Debugger.paused", "Debugger.resumed"] as const) {
      inspector.on(method, (message: { params?: object }) => {
        this.#paused = method === "Debugger.paused";
        this.#send({ type: "debug", method, params: { ...message.params } });
      });
    }
    return inspector;
  }
}
