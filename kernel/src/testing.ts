/** A notebook without Jupyter, for tests: the language and a session, and what a reader would see of each cell. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Editing } from "./front/editing.js";
import { Execution } from "./front/execution.js";
import { LanguageClient } from "./language/client.js";
import type { Completions } from "./language/completion.js";
import type { Inspection } from "./language/inspection.js";
import { makeHeader, type Header, type Json } from "./protocol/message.js";
import type { Outcome } from "./session-protocol.js";

/** What a cell has shown and how it ended. */
export interface Ran {
  readonly outcome: Outcome;
  readonly stdout: string;
  readonly stderr: string;
  /** `text/plain` of the result; undefined when there is none */
  readonly result: string | undefined;
  /** All messages of the cell so far; later ones are added as they come. */
  readonly messages: readonly Published[];
}

/** A message that was published. */
export interface Published {
  readonly type: string;
  readonly content: Json;
  readonly metadata?: Json | undefined;
  readonly buffers?: readonly Uint8Array[] | undefined;
}

/** `Name: message` of a failed cell, `ok` of one that did not fail. */
export function ending({ outcome }: Ran): string {
  return outcome.status === "ok" ? "ok" : `${outcome.ename}: ${outcome.evalue}`;
}

export class TestNotebook {
  readonly folder = mkdtempSync(join(tmpdir(), "metastate-kernel-test-"));
  readonly log: string[] = [];
  /** What is published from now on is taken when this settles: a client that is slow. */
  reader: Promise<void> | undefined;
  /** The `input_request`s of cells, oldest first. */
  readonly questions: { readonly id: string; readonly content: Json }[] = [];
  /** What is answered to them at once; null for a client that has no stdin socket. A question beyond these waits. */
  readonly answers: (string | null)[] = [];
  readonly #language: LanguageClient;
  readonly #execution: Execution;
  readonly #editing: Editing;
  readonly #outputs = new Map<string, Published[]>();
  #count = 0;
  #clock = Date.now() / 1000;

  /** @param preloads paths of preload modules */
  constructor(preloads: readonly string[] = []) {
    const cellApi = fileURLToPath(new URL("./cell-api/index.js", import.meta.url));
    this.#language = new LanguageClient({ folder: this.folder, globals: [cellApi, ...preloads] });
    this.#execution = new Execution({
      session: { folder: this.folder, preloads },
      language: this.#language,
      publish: (type, content, parent, more) => {
        this.#outputs.get(parent.msg_id)?.push({ type, content, ...more });
        return this.reader;
      },
      ask: (content) => this.#ask(content),
      log: (line) => this.log.push(line),
    });
    this.#editing = new Editing(this.#language, this.#execution);
  }

  /** Writes a file into the folder; its time of change differs from that of every earlier version. */
  write(name: string, text: string): void {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    this.#clock += 1;
    utimesSync(path, this.#clock, this.#clock);
  }

  async run(source: string, { allowStdin = true } = {}): Promise<Ran> {
    const parent: Header = makeHeader("execute_request");
    const messages: Published[] = [];
    this.#outputs.set(parent.msg_id, messages);
    const client = { identities: [], allowStdin };
    const outcome = await this.#execution.execute({
      ...{ source, silent: false, executionCount: ++this.#count, parent, client },
    });
    const stream = (name: string): string =>
      messages
        .flatMap(({ type, content }) => (type === "stream" && content["name"] === name ? [content["text"]] : []))
        .join("");
    const result = messages.find(({ type }) => type === "execute_result")?.content["data"] as Json | undefined;
    return {
      outcome,
      stdout: stream("stdout"),
      stderr: stream("stderr"),
      result: result?.["text/plain"] as string | undefined,
      messages,
    };
  }

  #ask(content: Json): { id: string; sent: Promise<boolean> } {
    const { msg_id: id } = makeHeader("input_request");
    const answer = this.answers.shift();
    this.questions.push({ id, content });
    if (typeof answer === "string")
      queueMicrotask(() => {
        this.reply(answer, id);
      });
    return { id, sent: Promise.resolve(answer !== null) };
  }

  /** Answers the question of this id; without one, as a client that does not say what its answer is for. */
  reply(value: string, id?: string): void {
    const parent_header = id === undefined ? {} : { msg_id: id };
    const message = { identities: [], header: makeHeader("input_reply"), metadata: {}, buffers: [] };
    this.#execution.input.reply({ ...message, parent_header, content: { value } });
  }

  /** Sends a client's comm message; resolves, when it has been handled, to what was published in answer to it. */
  async comm(
    type: "comm_open" | "comm_msg" | "comm_close",
    content: Json,
    buffers: Buffer[] = [],
  ): Promise<Published[]> {
    const header = makeHeader(type);
    const messages: Published[] = [];
    this.#outputs.set(header.msg_id, messages);
    await this.#execution.deliver({ identities: [], header, parent_header: {}, metadata: {}, content, buffers });
    return messages;
  }

  /** The comms that are open, by id. */
  get comms(): Json {
    return this.#execution.comms.info(undefined)["comms"] as Json;
  }

  /** What may stand at the end of a text. */
  complete(text: string): Promise<Completions> {
    return this.#editing.complete(text, text.length);
  }

  /** What is known of the name at the end of a text. */
  inspect(text: string): Promise<Inspection | undefined> {
    return this.#editing.inspect(text, text.length);
  }

  interrupt(): void {
    this.#execution.interrupt();
  }

  async close(): Promise<void> {
    this.#execution.close();
    await this.#language.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
