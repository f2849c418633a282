/**
 * Runs the cells that clients ask for in a session that is replaced when it dies: those of a shell one after the other, those of
 * several shells side by side.
 */
import type { LanguageClient } from "../language/client.js";
import type { CompileResult } from "../language/language.js";
import type { Header, Json, Message } from "../protocol/message.js";
import type {
  CommFrame,
  CompiledCell,
  CompiledModule,
  DisplayFrame,
  ErrorReport,
  Frame,
  ImportFrame,
  InputFrame,
  Looked,
  MimeBundle,
  Outcome,
  StreamName,
} from "../session-protocol.js";
import { cellUrl } from "../session-protocol.js";
import { Comms } from "./comms.js";
import type { DebugPort } from "./debugger/port.js";
import { Input, type Client, type SendQuestion } from "./input.js";
import { Looks } from "./looks.js";
import { Outputs, type Publish, type PublishOptions } from "./outputs.js";
import { endReport, type KillReason } from "./session-end.js";
import { SessionProcess, type SessionEnd, type SessionOptions } from "./session-process.js";
import { Startup } from "./startup.js";

export interface ExecutionOptions {
  readonly session: SessionOptions;
  readonly language: LanguageClient;
  readonly publish: Publish;
  /** Sends an `input_request` to the client of the request with this header. */
  readonly ask: (content: Json, parent: Header, client: Client) => ReturnType<SendQuestion>;
  readonly log: (line: string) => void;
  /** Is told of each session. */
  readonly debugPort?: DebugPort;
  /** Called before a cell of this URL runs; it does when the promise, where there is one, has settled. */
  readonly beforeRun?: (
    url: string,
    cell: CompiledCell,
    modules: readonly CompiledModule[],
  ) => Promise<void> | undefined;
}

/** A cell to run. */
export interface ExecutionRequest {
  readonly source: string;
  readonly silent: boolean;
  /** The subshell that runs it; the kernel's own shell where it is left out. */
  readonly subshell?: string | undefined;
  /** The number that the cell gets: the 3 of `In [3]`. */
  readonly executionCount: number;
  /** Header of the request: outputs name it as their parent. */
  readonly parent: Header;
  /** Who may be asked for input. */
  readonly client?: Client;
  /** Called with the result. */
  readonly onResult?: (data: MimeBundle) => void;
  /** Called when the session has been given the cell: messages from then on find it running. */
  readonly given?: () => void;
}

interface RunningCell {
  readonly id: number;
  readonly request: ExecutionRequest;
  readonly finish: (outcome: Outcome) => void;
  /** Takes the result, which is otherwise published. */
  readonly take: ((result: MimeBundle) => void) | undefined;
  /** It was given up before the session could begin it. */
  isGivenUp: boolean;
}

/** A client's comm message. */
interface ClientMessage {
  readonly parent: Header;
  /** Set until the session has handled it. */
  finish?: (() => void) | undefined;
}

/** Cells, and comm messages, whose late output still finds its way. */
const MOST_PARENTS = 1000;
const DEAF =
  "Native code does not react to the interrupt. The cell goes on until that code ends; another interrupt ends the session, and " +
  "its variables are lost.\n";
/** Time for an interrupt to reach a cell that waits because clients are slow, in milliseconds. */
const LET_THROUGH_MS = 1000;
/** Sessions that died before they were ready; after so many in a row the next cell starts one, not the front itself. */
const MOST_FAILED_STARTS = 2;

export class Execution {
  readonly #options: ExecutionOptions;
  #session: SessionProcess | undefined;
  #startup = new Startup(false);
  #failedStarts = 0;
  #killed: KillReason | undefined;
  /** By id; at most one of each shell. */
  readonly #running = new Map<number, RunningCell>();
  /** The cells that are on their way to the session, and whether an interrupt has come meanwhile. */
  readonly #starting = new Set<{ interrupted: boolean }>();
  /** What has not reacted to an interrupt, which was said. */
  readonly #deaf = new Set<number>();
  /** The numbers of cells and of comm messages are from one row. */
  #lastId = 0;
  #lastCell = 0;
  readonly #outputs: Outputs;
  readonly #parents = new Map<number, ExecutionRequest>();
  readonly #messages = new Map<number, ClientMessage>();
  /** The comms that cells and clients have opened. */
  readonly comms: Comms;
  /** The questions of cells that wait for an answer. */
  readonly input = new Input();
  readonly #looks = new Looks();
  /** What preload modules wrote before there was a cell: the first one that is not silent shows it. */
  readonly #early: (readonly [StreamName, string])[] = [];
  #closed = false;

  constructor(options: ExecutionOptions) {
    this.#options = options;
    this.#outputs = new Outputs({
      publish: options.publish,
      hold: (held) => this.#session?.hold(held),
    });
    this.comms = new Comms((msgType, content, parent, more) => {
      this.#outputs.publish(parent, msgType, content, more);
    });
    this.#start();
  }

  /** Header of the request whose cell is running; of several, of the one that began first. */
  get busyWith(): Header | undefined {
    const [first] = this.#running.values();
    return first?.request.parent;
  }

  /** Compiles and runs a cell; its outputs are published as they come. One at a time of each shell. */
  async execute(request: ExecutionRequest): Promise<Outcome> {
    const outcome = await this.#run(request, request.source, `In [${request.executionCount}]`);
    if (outcome.status === "error" && !request.silent) {
      const { ename, evalue, traceback } = outcome;
      this.#outputs.publish(request.parent, "error", { ename, evalue, traceback });
    }
    return outcome;
  }

  /** The value of one of a request's `user_expressions`, after its cell. What it prints is the cell's. */
  async evaluate(request: ExecutionRequest, name: string, expression: string): Promise<Json> {
    let data: MimeBundle = { "text/plain": "undefined" };
    const take = (result: MimeBundle): void => void (data = result);
    // The line break ends a comment at the end.
    const outcome = await this.#run(request, `(${expression}\n)`, `user_expressions[${JSON.stringify(name)}]`, take);
    return outcome.status === "ok" ? { status: "ok", data, metadata: {} } : { ...outcome };
  }

  /**
   * A cell that installs packages runs in two stages, see `language/commands/stages.ts`.
   * @param take Called with the result, which is published where it is left out.
   */
  async #run(
    request: ExecutionRequest,
    source: string,
    label: string,
    take?: (result: MimeBundle) => void,
  ): Promise<Outcome> {
    for (let from = 0; ;) {
      const { outcome, next } = await this.#runFrom(from, request, source, label, take);
      if (outcome.status === "error" || next === undefined) return outcome;
      from = next;
    }
  }

  async #runFrom(
    from: number,
    request: ExecutionRequest,
    source: string,
    label: string,
    take: ((result: MimeBundle) => void) | undefined,
  ): Promise<{ readonly outcome: Outcome; readonly next?: number | undefined }> {
    const { silent, subshell } = request;
    const starting = { interrupted: false };
    this.#starting.add(starting);
    const compiled = await this.#compile(source, label, from);
    if (compiled.warning !== undefined && !silent) {
      this.#outputs.stream(request.parent, "stderr", compiled.warning);
    }
    if (compiled.reset === true) this.#reset(request);
    if (!compiled.ok) {
      this.#starting.delete(starting);
      return { outcome: { status: "error", ...compiled.errors } };
    }
    const id = (this.#lastCell = ++this.#lastId);
    const { javascript, sourceMap, imports, modules, variables, commit } = compiled;
    const cell: CompiledCell = { id, label, source, javascript, sourceMap, imports, variables };
    this.#remember(id, request);
    if (!silent) for (const [name, text] of this.#early.splice(0)) this.#stream(id, name, text);
    // Where nobody debugs there is nothing to wait for: a cell's start is a matter of microseconds.
    const armed = this.#options.beforeRun?.(cellUrl(id), cell, modules);
    if (armed !== undefined) await armed;
    const session = this.#session ?? this.#start();
    this.#starting.delete(starting);
    if (starting.interrupted) {
      await this.#options.language.ask("takeBack", commit);
      return { outcome: { status: "error", ...this.#startup.report() } };
    }
    const outcome = await new Promise<Outcome>((finish) => {
      this.#running.set(id, { id, request, finish, take, isGivenUp: false });
      session.send({ type: "run", cell, modules, silent: silent && take === undefined, subshell });
      request.given?.();
    });
    if (this.#running.get(id)?.isGivenUp === true) await this.#options.language.ask("takeBack", commit);
    this.#running.delete(id);
    this.#outputs.flush();
    if (compiled.changesPackages === true) await this.#options.language.ask("lookAgain");
    return { outcome, next: compiled.next };
  }

  async #compile(source: string, label: string, from: number): Promise<CompileResult> {
    try {
      return await this.#options.language.ask("compile", source, label, from);
    } catch (error) {
      // A defect of TypeScript's, or of how it is used here: the notebook must be told, or the cell seems to do nothing.
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log(`a cell could not be compiled: ${reason}`);
      const evalue = /Maximum call stack size/.test(reason)
        ? "The cell is nested too deeply for TypeScript: give parts of it names, or read large data from a file."
        : `The cell could not be compiled: ${reason}`;
      return { ok: false, errors: { ename: "KernelError", evalue, traceback: [evalue] } };
    }
  }

  /**
   * Gives the session a client's comm message, at once, also while a cell runs; resolves when it has been handled, and all
   * its output has been published.
   */
  async deliver(message: Message): Promise<void> {
    const content = this.comms.fromClient(message);
    if (content === undefined) return;
    const id = ++this.#lastId;
    const session = this.#session ?? this.#start();
    await new Promise<void>((finish) => {
      this.#messages.set(id, { parent: message.header, finish });
      session.send({ type: "comm", id, ...content });
    });
    const [oldest] = this.#messages.keys();
    if (oldest !== undefined && this.#messages.size > MOST_PARENTS) this.#messages.delete(oldest);
  }

  /** What the value at a path is, where the session can say that at once. */
  look(path: readonly string[], wants: keyof Looked): Promise<Looked> {
    const session = this.#session;
    if (session === undefined || !this.#startup.isDone) return Promise.resolve({});
    return this.#looks.ask(path, wants, (command) => {
      session.send(command);
    });
  }

  /** Ids of what an interrupt stops: the running cells, and the handlers of comm messages that run or wait. */
  #interruptible(): number[] {
    const handled = [...this.#messages].filter(([, { finish }]) => finish !== undefined).map(([id]) => id);
    return [...this.#running.keys(), ...handled];
  }

  /**
   * Stops what runs; variables are kept. Where native code does not react for 5 seconds, that is said, and the next interrupt
   * ends the session. While preload modules are loaded, see {@link Startup}.
   */
  interrupt(): void {
    for (const starting of this.#starting) starting.interrupted = true;
    const session = this.#session;
    if (session === undefined) return;
    if (this.#startup.isDone) this.#stop(session);
    else this.#interruptStart(session);
  }

  #stop(session: SessionProcess): void {
    const ids = this.#interruptible();
    if (ids.length === 0) return;
    if (ids.some((id) => this.#deaf.has(id))) {
      this.#kill(session, "interrupt-ignored");
      return;
    }
    session.interrupt(ids);
    this.input.interrupt(ids);
    this.#outputs.letThrough(LET_THROUGH_MS);
  }

  /** Native code may end by itself, and the variables are worth more than the time: whether they go is for the user to say. */
  #noteDeaf(ids: readonly number[]): void {
    const running = new Set(this.#interruptible());
    for (const id of ids) {
      if (!running.has(id)) continue;
      this.#deaf.add(id);
      const { parent } = this.#parents.get(id) ?? this.#messages.get(id) ?? {};
      if (parent !== undefined) this.#outputs.stream(parent, "stderr", DEAF);
    }
  }

  #interruptStart(session: SessionProcess): void {
    const waits = this.#running.size + this.#starting.size > 0;
    const givesUpPreload = this.#startup.interrupt(waits);
    session.interrupt([...this.#running.keys()], { givesUpPreload });
    if (!givesUpPreload) {
      const report = this.#startup.report();
      for (const cell of this.#running.values()) {
        cell.isGivenUp = true;
        cell.finish({ status: "error", ...report });
      }
    }
    // Otherwise the session ends the cell, when it has told what it lacks.
  }

  #kill(session: SessionProcess, reason: KillReason): void {
    this.#killed = reason;
    session.kill();
  }

  /** `%reset`: the cell runs in a fresh session. */
  #reset({ parent, silent }: ExecutionRequest): void {
    const old = this.#session;
    // What its end would say is known already.
    this.#session = undefined;
    old?.kill();
    this.input.forget();
    this.#start();
    this.comms.closeAll(parent);
    const evalue = "another cell has started a fresh session (%reset)";
    this.#endAll({ ename: "SessionEnded", evalue, traceback: [evalue] });
    const text = "A fresh session has been started: all variables are gone.\n";
    if (!silent) this.#outputs.stream(parent, "stdout", text);
  }

  /** Ends the session. */
  close(): void {
    this.#closed = true;
    this.#session?.kill();
  }

  #start(): SessionProcess {
    const session = new SessionProcess(this.#options.session);
    this.#session = session;
    this.#startup = new Startup(this.#options.session.preloads.length > 0);
    this.#deaf.clear();
    this.#killed = undefined;
    this.#options.debugPort?.use(session);
    session.on("frame", (frame) => {
      this.#onFrame(frame, session);
    });
    session.on("raw", (name, text) => {
      this.#stream(this.#lastCell, name, text);
    });
    session.on("deaf", (ids) => {
      if (session !== this.#session) return;
      if (this.#startup.isDone) this.#noteDeaf(ids);
      else this.#kill(session, "interrupted-at-start");
    });
    session.on("end", (end) => {
      this.#onEnd(session, end);
    });
    return session;
  }

  #onFrame(frame: Frame, session: SessionProcess): void {
    switch (frame.type) {
      case "ready":
        this.#startup.isDone = true;
        this.#failedStarts = 0;
        break;
      case "preload-failed":
        this.#options.log(`preload failed: ${frame.error.ename}: ${frame.error.evalue}`);
        this.#stream(
          this.#lastCell,
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
          metadata: { ...frame.metadata, ...kept(frame) },
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
      case "publish":
        this.#publish(frame.cell, frame.msgType, frame.content, { metadata: frame.metadata, buffers: frame.buffers });
        break;
      case "comm":
        this.#comm(frame);
        break;
      case "input":
        this.#ask(frame, session);
        break;
      case "import":
        void this.#import(frame, session);
        break;
      case "looked":
        this.#looks.take(frame);
        break;
      case "exit":
        break;
      case "done":
        if (this.#running.has(frame.cell)) this.#running.get(frame.cell)?.finish(frame.outcome);
        else this.#handled(frame.cell);
        break;
    }
  }

  #onEnd(session: SessionProcess, end: SessionEnd): void {
    if (this.#closed || session !== this.#session) return;
    const report = endReport(end, this.#killed);
    this.#options.log(`session ${session.pid ?? "?"} ended: ${report.evalue}`);
    this.#session = undefined;
    this.input.forget();
    if (!this.#startup.isDone) this.#failedStarts++;
    // The new session knows nothing of the old one's variables, and so must the type checker.
    this.#options.language.ask("reset").catch((error: unknown) => {
      this.#options.log(String(error));
    });
    if (this.#failedStarts < MOST_FAILED_STARTS) this.#start();
    const parent = this.busyWith ?? this.#parents.get(this.#lastCell)?.parent;
    if (parent !== undefined) this.comms.closeAll(parent);
    if (this.#running.size === 0 && this.#lastCell > 0) this.#publish(this.#lastCell, "error", { ...report });
    this.#endAll(report);
  }

  /** What ran in a session that is no more. */
  #endAll(report: ErrorReport): void {
    for (const { finish } of this.#running.values()) finish({ status: "error", ...report });
    for (const id of this.#messages.keys()) this.#handled(id);
  }

  #comm(frame: CommFrame): void {
    const message = frame.message === undefined ? undefined : this.#messages.get(frame.message);
    const parent = message?.parent ?? this.#parents.get(frame.cell)?.parent ?? this.busyWith;
    if (parent !== undefined) this.comms.fromSession(frame, parent);
  }

  #ask(frame: InputFrame, session: SessionProcess): void {
    const { parent, client } = this.#parents.get(frame.cell) ?? {};
    this.#outputs.flush();
    const mayAsk = parent !== undefined && client?.allowStdin === true;
    const send: SendQuestion | undefined = mayAsk ? (content) => this.#options.ask(content, parent, client) : undefined;
    this.input.ask(frame, send, (answer) => {
      session.answer(frame, answer);
    });
  }

  async #import({ serial, specifier }: ImportFrame, session: SessionProcess): Promise<void> {
    const found = await this.#options.language.ask("compileImport", specifier).catch((error: unknown) => {
      const evalue = `${specifier} could not be compiled: ${error instanceof Error ? error.message : String(error)}`;
      return { modules: [], errors: { ename: "KernelError", evalue, traceback: [evalue] } };
    });
    const { errors: error, ...meant } = { errors: undefined, ...found };
    session.send({ type: "import-reply", serial, ...meant, ...(error !== undefined && { error }) });
  }

  #handled(id: number): void {
    const message = this.#messages.get(id);
    this.#outputs.flush();
    message?.finish?.();
    if (message !== undefined) message.finish = undefined;
  }

  #result(cell: number, data: MimeBundle): void {
    const { take } = this.#running.get(cell) ?? {};
    if (take !== undefined) {
      take(data);
      return;
    }
    const request = this.#parents.get(cell);
    request?.onResult?.(data);
    this.#publish(cell, "execute_result", { execution_count: request?.executionCount ?? 0, data, metadata: {} });
  }

  #stream(cell: number, name: StreamName, text: string): void {
    const request = this.#requestOf(cell);
    const shown = request !== undefined && (!request.silent || this.#parents.has(cell));
    if (!shown) this.#early.push([name, text]);
    else if (!request.silent) this.#outputs.stream(request.parent, name, text);
  }

  #publish(cell: number, msgType: string, content: Json, more?: PublishOptions): void {
    const request = this.#requestOf(cell);
    if (request !== undefined && !request.silent) this.#outputs.publish(request.parent, msgType, content, more);
  }

  #requestOf(cell: number): ExecutionRequest | undefined {
    const [first] = this.#running.values();
    return this.#parents.get(cell) ?? first?.request;
  }

  #remember(id: number, request: ExecutionRequest): void {
    this.#parents.set(id, request);
    const [oldest] = this.#parents.keys();
    if (oldest !== undefined && this.#parents.size > MOST_PARENTS) this.#parents.delete(oldest);
  }
}

/** What is saved with an output that is updated: JupyterLab does not save display ids, and our extension looks for it here. */
function kept({ displayId, update, kept: more }: DisplayFrame): Json {
  return update || more !== undefined ? { metastate: { display_id: displayId, ...more } } : {};
}
