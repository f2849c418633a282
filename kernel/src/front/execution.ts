/**
 * Runs the cells that clients ask for, one after the other, in a session that is replaced when it dies.
 */
import type { LanguageClient } from "../language/client.js";
import type { CompileResult } from "../language/language.js";
import type { Header, Json } from "../protocol/message.js";
import type { CompiledCell, ErrorReport, Frame, MimeBundle, Outcome, StreamName } from "../session-protocol.js";
import { endReport, type KillReason } from "./session-end.js";
import { SessionProcess, type SessionEnd, type SessionOptions } from "./session-process.js";

/** Publishes a message as an output of the request with this header. */
export type Publish = (msgType: string, content: Json, parent: Header) => void;

export interface ExecutionOptions {
  readonly session: SessionOptions;
  readonly language: LanguageClient;
  readonly publish: Publish;
  readonly log: (line: string) => void;
}

/** A cell to run. */
export interface ExecutionRequest {
  readonly source: string;
  readonly silent: boolean;
  /** The number that the cell gets: the 3 of `In [3]`. */
  readonly executionCount: number;
  /** Header of the request: outputs name it as their parent. */
  readonly parent: Header;
}

interface RunningCell {
  readonly id: number;
  readonly request: ExecutionRequest;
  readonly finish: (outcome: Outcome) => void;
}

/** Cells whose late output still finds its way. */
const MOST_PARENTS = 1000;
/** Time for a cell to react to an interrupt before its session is ended, in milliseconds. */
const INTERRUPT_MS = 5000;
/** Sessions that died before they were ready; after so many in a row the next cell starts one, not the front itself. */
const MOST_FAILED_STARTS = 2;

export class Execution {
  readonly #options: ExecutionOptions;
  #session: SessionProcess | undefined;
  #ready = false;
  #failedStarts = 0;
  #killed: KillReason | undefined;
  #running: RunningCell | undefined;
  /** An interrupt that came while the cell was still being compiled. */
  #interruptPending = false;
  #compiling = false;
  #lastId = 0;
  readonly #parents = new Map<number, ExecutionRequest>();
  /** What a preload wrote to stderr before there was a cell to show it. */
  #early = "";
  #closed = false;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.#start();
  }

  /** Header of the request whose cell is running. */
  get busyWith(): Header | undefined {
    return this.#running?.request.parent;
  }

  /** Compiles and runs a cell; its outputs are published as they come. One at a time. */
  async execute(request: ExecutionRequest): Promise<Outcome> {
    const { source, silent, executionCount } = request;
    const label = `In [${executionCount}]`;
    this.#interruptPending = false;
    const compiled = await this.#compile(source, label);
    if (!compiled.ok) return this.#failed(request, compiled.errors);
    const id = ++this.#lastId;
    const cell: CompiledCell = { id, label, source, javascript: compiled.javascript, sourceMap: compiled.sourceMap };
    this.#remember(id, request);
    if (this.#early !== "") this.#stream(id, "stderr", this.#early);
    this.#early = "";
    const session = this.#session ?? this.#start();
    const outcome = await new Promise<Outcome>((finish) => {
      this.#running = { id, request, finish };
      session.run({ type: "run", cell, silent });
      if (this.#interruptPending) this.interrupt();
    });
    this.#running = undefined;
    return outcome.status === "error" ? this.#failed(request, outcome) : outcome;
  }

  async #compile(source: string, label: string): Promise<CompileResult> {
    this.#compiling = true;
    try {
      return await this.#options.language.ask("compile", source, label);
    } catch (error) {
      // A defect of TypeScript's, or of how it is used here: the notebook must be told, or the cell seems to do nothing.
      const evalue = `The cell could not be compiled: ${error instanceof Error ? error.message : String(error)}`;
      return { ok: false, errors: { ename: "KernelError", evalue, traceback: [evalue] } };
    } finally {
      this.#compiling = false;
    }
  }

  /** Stops the running cell; variables are kept unless native code does not react for 5 seconds. */
  interrupt(): void {
    const running = this.#running;
    if (running === undefined) {
      this.#interruptPending = this.#compiling;
      return;
    }
    const session = this.#session;
    session?.interrupt(running.id);
    setTimeout(() => {
      if (this.#running !== running || this.#session !== session) return;
      this.#killed = "interrupt-ignored";
      session?.kill();
    }, INTERRUPT_MS).unref();
  }

  /** Ends the session. */
  close(): void {
    this.#closed = true;
    this.#session?.kill();
  }

  #start(): SessionProcess {
    const session = new SessionProcess(this.#options.session);
    this.#session = session;
    this.#ready = false;
    this.#killed = undefined;
    session.on("frame", (frame) => {
      this.#onFrame(frame);
    });
    session.on("raw", (name, text) => {
      this.#stream(this.#lastId, name, text);
    });
    session.on("end", (end) => {
      this.#onEnd(session, end);
    });
    return session;
  }

  #onFrame(frame: Frame): void {
    switch (frame.type) {
      case "ready":
        this.#ready = true;
        this.#failedStarts = 0;
        break;
      case "preload-failed":
        this.#options.log(`preload failed: ${frame.error.ename}: ${frame.error.evalue}`);
        this.#stream(
          this.#lastId,
          "stderr",
          `The preload module could not be loaded:\n${frame.error.traceback.join("\n")}\n`,
        );
        break;
      case "stream":
        this.#stream(frame.cell, frame.name, frame.text);
        break;
      case "display":
        this.#publish(frame.cell, frame.update ? "update_display_data" : "display_data", {
          data: frame.data,
          metadata: {},
          transient: { display_id: frame.displayId },
        });
        break;
      case "result":
        this.#result(frame.cell, frame.data);
        break;
      case "clear":
        this.#publish(frame.cell, "clear_output", { wait: frame.wait });
        break;
      case "late-error":
        this.#publish(frame.cell, "error", { ...frame.error });
        break;
      case "exit":
        break;
      case "done":
        if (this.#running?.id === frame.cell) this.#running.finish(frame.outcome);
        break;
    }
  }

  #onEnd(session: SessionProcess, end: SessionEnd): void {
    if (this.#closed || session !== this.#session) return;
    const report = endReport(end, this.#killed);
    this.#options.log(`session ${session.pid ?? "?"} ended: ${report.evalue}`);
    this.#session = undefined;
    if (!this.#ready) this.#failedStarts++;
    // The new session knows nothing of the old one's variables, and so must the type checker.
    this.#options.language.ask("reset").catch((error: unknown) => {
      this.#options.log(String(error));
    });
    if (this.#failedStarts < MOST_FAILED_STARTS) this.#start();
    if (this.#running !== undefined) this.#running.finish({ status: "error", ...report });
    else if (this.#lastId > 0) this.#publish(this.#lastId, "error", { ...report });
  }

  #failed(request: ExecutionRequest, { ename, evalue, traceback }: ErrorReport): Outcome {
    if (!request.silent) this.#options.publish("error", { ename, evalue, traceback }, request.parent);
    return { status: "error", ename, evalue, traceback };
  }

  #result(cell: number, data: MimeBundle): void {
    const count = this.#parents.get(cell)?.executionCount ?? 0;
    this.#publish(cell, "execute_result", { execution_count: count, data, metadata: {} });
  }

  #stream(cell: number, name: StreamName, text: string): void {
    this.#publish(cell, "stream", { name, text });
  }

  #publish(cell: number, msgType: string, content: Json): void {
    const request = this.#parents.get(cell) ?? this.#running?.request;
    if (request === undefined) this.#beforeFirstCell(content);
    else if (!request.silent) this.#options.publish(msgType, content, request.parent);
  }

  /** Warnings wait for the first cell; the rest is for the server's log. */
  #beforeFirstCell({ name, text }: Json): void {
    if (typeof text !== "string") return;
    if (name === "stderr") this.#early += text;
    else this.#options.log(text.trimEnd());
  }

  #remember(id: number, request: ExecutionRequest): void {
    this.#parents.set(id, request);
    if (this.#parents.size > MOST_PARENTS) this.#parents.delete(id - MOST_PARENTS);
  }
}
