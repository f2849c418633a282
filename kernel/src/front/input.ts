/** Asks clients for input on behalf of cells, and finds the question that an answer is for. */
import type { Json, Message } from "../protocol/message.js";
import type { InputAnswer, InputFrame } from "../session-protocol.js";

/** The client that a cell may ask. */
export interface Client {
  /** Routing identities of its requests; its stdin socket has the same. */
  readonly identities: readonly Buffer[];
  readonly allowStdin: boolean;
}

/**
 * Sends an `input_request`; `id` is its `msg_id`, and `sent` tells whether there is a client that takes it.
 */
export type SendQuestion = (content: Json) => { readonly id: string; readonly sent: Promise<boolean> };

interface Question {
  /** The cell, or the comm message, that asks. */
  readonly task: number;
  readonly answer: (answer: InputAnswer) => void;
}

export class Input {
  /** Questions that wait, by the id of their `input_request`, oldest first. */
  readonly #questions = new Map<string, Question>();
  /** Ids of the questions that no longer wait. */
  readonly #over = new Set<string>();

  /** Asks by `send`, where that is possible; `answer` is called once, unless the questions are forgotten. */
  ask(frame: InputFrame, send: SendQuestion | undefined, answer: Question["answer"]): void {
    if (send === undefined) {
      answer({ status: "not-allowed" });
      return;
    }
    const { id, sent } = send({ prompt: frame.prompt, password: frame.password });
    this.#questions.set(id, { task: frame.task, answer });
    void sent.then((arrived) => {
      if (!arrived) this.#answer(id, { status: "not-allowed" });
    });
  }

  /**
   * Takes an `input_reply`. Its parent is the `input_request`, so that the late answer to a question that was interrupted is
   * not taken for that to a later one. Many clients name no parent, as jupyter_client: they answer the oldest question.
   */
  reply({ parent_header: { msg_id: id }, content: { value } }: Message): void {
    if (this.#over.has(String(id))) return;
    const [oldest] = this.#questions.keys();
    const question = typeof id === "string" && this.#questions.has(id) ? id : oldest;
    if (question !== undefined) this.#answer(question, { status: "ok", value: typeof value === "string" ? value : "" });
  }

  /** The tasks have been interrupted, and their questions with them. */
  interrupt(tasks: readonly number[]): void {
    for (const [id, { task }] of this.#questions) {
      if (tasks.includes(task)) this.#answer(id, { status: "interrupted" });
    }
  }

  /** The session that asked is no more. */
  forget(): void {
    for (const id of this.#questions.keys()) this.#over.add(id);
    this.#questions.clear();
  }

  #answer(id: string, answer: InputAnswer): void {
    const question = this.#questions.get(id);
    if (!this.#questions.delete(id)) return;
    this.#over.add(id);
    question?.answer(answer);
  }
}
