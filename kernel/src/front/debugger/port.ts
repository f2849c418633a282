/** The line from the debugger to the inspector of the session that runs now. */
import type { SessionProcess } from "../session-process.js";

type Params = Readonly<Record<string, unknown>>;

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

export class DebugPort {
  #session: SessionProcess | undefined;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  /** Called with what the inspector tells. */
  onEvent: (method: string, params: Params) => void = () => undefined;
  /** Called when another session has taken the place of the one before. */
  onFresh: () => void = () => undefined;

  /** From now on it is about this session. */
  use(session: SessionProcess): void {
    this.#session = session;
    for (const { reject } of this.#pending.values()) reject(new Error("the session has ended"));
    this.#pending.clear();
    session.on("debug", ({ id, result, error, method, params }) => {
      if (session !== this.#session) return;
      if (id === undefined) {
        if (method !== undefined) this.onEvent(method, params ?? {});
        return;
      }
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (error === undefined) pending?.resolve((result ?? {}) as never);
      else pending?.reject(new Error(error));
    });
    this.onFresh();
  }

  /** Calls a method of V8's inspector. */
  send<T>(method: string, params: Params = {}): Promise<T> {
    const session = this.#session;
    if (session === undefined) return Promise.reject(new Error("there is no session"));
    const id = ++this.#lastId;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      session.debug({ type: "debug", id, method, params });
    });
  }
}
