/**
 * Subshells (JEP 91): beside its own queue of cells a kernel has others, which clients make. All cells share one session, and so one
 * thread: those of several shells take turns where they await.
 */
import { randomUUID } from "node:crypto";
import type { Message } from "../protocol/message.js";
import { Execute, type ExecuteOptions, type Request } from "./execute.js";

export class Subshells {
  readonly #options: ExecuteOptions;
  readonly #handle: (request: Request) => Promise<void>;
  readonly #shells = new Map<string, Execute>();
  /** The kernel's own. */
  readonly main: Execute;

  /** As those of {@link Execute}. */
  constructor(options: ExecuteOptions, handle: (request: Request) => Promise<void>) {
    this.#options = options;
    this.#handle = handle;
    this.main = new Execute(options, handle);
  }

  /** Makes one; gives its id. */
  create(): string {
    const subshell = randomUUID();
    this.#shells.set(subshell, new Execute({ ...this.#options, subshell }, this.#handle));
    return subshell;
  }

  /**
   * Removes one: its requests that wait are aborted; a cell of it that runs goes on to its end.
   * @throws {Error} where there is none of this id
   */
  delete(id: unknown): void {
    this.#known(id).abort();
    this.#shells.delete(String(id));
  }

  /** Ids. */
  list(): string[] {
    return [...this.#shells.keys()];
  }

  /**
   * What answers a message's `execute_request`.
   * @throws {Error} where its subshell is none
   */
  of({ header: { subshell_id: id } }: Message): Execute {
    return id === undefined || id === null ? this.main : this.#known(id);
  }

  /** Requests that wait are not answered any more, in any shell. */
  abort(): void {
    for (const execute of [this.main, ...this.#shells.values()]) execute.abort();
  }

  /** Settles when no cell of any shell is about to start, see {@link Execute.given}. */
  async given(): Promise<void> {
    await Promise.all([this.main, ...this.#shells.values()].map((execute) => execute.given));
  }

  #known(id: unknown): Execute {
    const execute = typeof id === "string" ? this.#shells.get(id) : undefined;
    if (execute === undefined)
      throw new Error(`There is no subshell ${String(id)}: it was deleted, or the kernel restarted`);
    return execute;
  }
}
