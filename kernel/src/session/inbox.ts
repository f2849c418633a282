/** The order in which the session takes up what the front asks of it. */
import type { Command, CommCommand, ImportReply, InputReply, LookCommand, RunCommand } from "../session-protocol.js";

export interface InboxHandlers {
  readonly run: (command: RunCommand) => Promise<void>;
  readonly comm: (command: CommCommand) => Promise<void>;
  readonly answer: (command: InputReply) => void;
  readonly imported: (command: ImportReply) => void;
  readonly look: (command: LookCommand) => void;
  /** Whether a task has ended, be it before it began. */
  readonly hasEnded: (id: number) => boolean;
  /** Told of a task that could not be begun or carried through: a cell may have replaced what the session itself is made of. */
  readonly failed: (id: number, error: unknown) => void;
}

/**
 * Cells of a shell run one after the other; comm messages are taken up at once, also while a cell awaits. Both start in the order in
 * which they came.
 *
 * A command starts in a turn of the event loop of its own, and the turn of the next is asked for before: an interrupt that
 * terminates a handler drops all else that was to run in that turn.
 */
export class Inbox {
  readonly #handlers: InboxHandlers;
  readonly #waiting: (RunCommand | CommCommand)[] = [];
  /** The last cell of each shell, until it ends. */
  readonly #cells = new Map<string | undefined, Promise<void>>();
  /** What to do when a cell has ended. */
  readonly #ends = new Map<number, () => void>();

  constructor(handlers: InboxHandlers) {
    this.#handlers = handlers;
  }

  push(commands: readonly Command[]): void {
    for (const command of commands) {
      if (command.type === "input-reply") {
        this.#handlers.answer(command);
        continue;
      }
      if (command.type === "import-reply") {
        this.#handlers.imported(command);
        continue;
      }
      if (command.type === "look") {
        this.#handlers.look(command);
        continue;
      }
      // The usual case: a cell, and nothing that waits before it.
      if (command.type === "run" && this.#waiting.length === 0) this.#start(command);
      else if (this.#waiting.push(command) === 1) setImmediate(this.#next);
    }
  }

  readonly #next = (): void => {
    const command = this.#waiting.shift();
    if (this.#waiting.length > 0) setImmediate(this.#next);
    if (command !== undefined) this.#start(command);
  };

  /** Goes on with what waits, after an interrupt: a termination may have dropped the turn that was asked for. */
  wake(): void {
    if (this.#waiting.length > 0) setImmediate(this.#next);
  }

  /** A task has ended. */
  ended(id: number): void {
    this.#ends.get(id)?.();
  }

  #start(command: RunCommand | CommCommand): void {
    const id = command.type === "run" ? command.cell.id : command.id;
    if (this.#handlers.hasEnded(id)) return;
    const fail = (error: unknown): void => {
      this.#handlers.failed(id, error);
    };
    try {
      if (command.type === "run") this.#run(command, fail);
      else this.#handlers.comm(command).catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  #run(command: RunCommand, fail: (error: unknown) => void): void {
    const { subshell } = command;
    const { id } = command.cell;
    const before = this.#cells.get(subshell) ?? Promise.resolve();
    // Its end, not what the handler gives: that is lost when a termination strikes it.
    const end = new Promise<void>((resolve) => this.#ends.set(id, resolve));
    this.#cells.set(subshell, end);
    before.then(() => (this.#handlers.hasEnded(id) ? undefined : this.#handlers.run(command))).catch(fail);
    void end.then(() => {
      this.#ends.delete(id);
      if (this.#cells.get(subshell) === end) this.#cells.delete(subshell);
    });
  }
}
