/** Questions to the session what a value is. One that computes answers none: then nothing is known of the value. */
import type { Looked, LookedFrame, LookCommand } from "../session-protocol.js";

/** Time for an answer, in milliseconds: whoever writes does not wait. */
const ANSWER_MS = 300;

export class Looks {
  readonly #pending = new Map<number, (looked: Looked) => void>();
  #lastSerial = 0;

  ask(path: readonly string[], wants: keyof Looked, send: (command: LookCommand) => void): Promise<Looked> {
    const serial = ++this.#lastSerial;
    return new Promise((resolve) => {
      const giveUp = setTimeout(() => {
        this.#settle(serial, {});
      }, ANSWER_MS);
      this.#pending.set(serial, (looked) => {
        clearTimeout(giveUp);
        resolve(looked);
      });
      send({ type: "look", serial, path, wants });
    });
  }

  take(frame: LookedFrame): void {
    this.#settle(frame.serial, frame);
  }

  #settle(serial: number, looked: Looked): void {
    this.#pending.get(serial)?.(looked);
    this.#pending.delete(serial);
  }
}
