/**
 * The debugger: answers the requests of the Debug Adapter Protocol, as Jupyter carries it, from V8's inspector. Places are in the
 * user's TypeScript, through the source maps of cells and files.
 */
import { readFileSync } from "node:fs";
import type { Debugger as V8, Runtime } from "node:inspector";
import { fileURLToPath, pathToFileURL } from "node:url";
import { HELPERS } from "../../language/helpers-name.js";
import type { Json } from "../../protocol/message.js";
import type { CompiledCell, CompiledModule } from "../../session-protocol.js";
import { Breakpoints, type SourceBreakpoint } from "./breakpoints.js";
import type { DebugPort } from "./port.js";
import { NAMING, type Sources } from "./sources.js";
import { textOf, typeOf } from "./values.js";
import { OBJECT_GROUP, Variables } from "./variables.js";

export interface DebuggerOptions {
  readonly port: DebugPort;
  readonly sources: Sources;
  /** Publishes a `debug_event`. */
  readonly publish: (event: Json) => void;
  /** Lets later cells use a global of this name, of any type. */
  readonly declare: (name: string) => Promise<void>;
}

/** A frame of the stack that a reader is to see. */
interface Frame {
  readonly id: number;
  readonly url: string;
  readonly own: V8.CallFrame;
}

/** There is one thread that runs cells. */
const THREAD = 1;
/** Frames of the kernel, and of Node.js, are passed over when stepping. */
const HIDDEN = [`^${pathToFileURL(fileURLToPath(new URL("../../", import.meta.url))).href}`, "^node:"];
/** What a step is called in V8's protocol. */
const STEPS = { continue: "resume", next: "stepOver", stepIn: "stepInto", stepOut: "stepOut" } as const;
const EXCEPTION_FILTERS = [
  { filter: "uncaught", label: "Uncaught errors", default: false },
  { filter: "all", label: "All errors", default: false },
];

type Handler = (args: Json) => Promise<Json> | Json;

export class Debugger {
  readonly #options: DebuggerOptions;
  readonly #breakpoints: Breakpoints;
  readonly #variables: Variables;
  #attached = false;
  #pauseOnErrors = "none";
  /** The stack, the innermost frame first; undefined while the program runs. */
  #frames: readonly Frame[] | undefined;
  #lastFrame = 0;
  /** URLs of scripts by V8's ids: a frame has no more than the id. */
  readonly #urls = new Map<string, string>();
  #serial = 0;
  /** Whether the pause that comes was asked for by a step. */
  #stepping = false;

  constructor(options: DebuggerOptions) {
    this.#options = options;
    this.#breakpoints = new Breakpoints(options.port, options.sources);
    this.#variables = new Variables(options.port);
    options.port.onEvent = (method, params) => {
      if (method === "Debugger.scriptParsed") this.#urls.set(String(params["scriptId"]), String(params["url"]));
      else if (method === "Debugger.paused") this.#onPaused(params as unknown as V8.PausedEventDataType);
      else this.#onResumed();
    };
    options.port.onFresh = () => void this.#onFreshSession();
  }

  /** Answers a request; what goes wrong with it is part of the answer. */
  async answer(request: Json): Promise<Json> {
    const command = String(request["command"]);
    const handler = Object.hasOwn(this.#handlers, command) ? this.#handlers[command] : undefined;
    const reply = { type: "response", request_seq: Number(request["seq"] ?? 0), command };
    try {
      if (handler === undefined) throw new Error(`the debugger does not know the request ${command}`);
      const body = await handler((request["arguments"] ?? {}) as Json);
      return { ...reply, seq: ++this.#serial, success: true, body };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { ...reply, seq: ++this.#serial, success: false, message };
    } finally {
      if (command === "initialize") this.#event("initialized", {});
    }
  }

  /** Called before a cell runs; undefined where that need not be waited for. */
  beforeRun(url: string, cell: CompiledCell, modules: readonly CompiledModule[]): Promise<void> | undefined {
    const { sources } = this.#options;
    sources.add(url, cell, modules);
    return this.#attached ? this.#arm([url, ...modules.map(({ path }) => path)]) : undefined;
  }

  async #arm(urls: readonly string[]): Promise<void> {
    for (const url of urls) {
      const source = this.#options.sources.byUrl(url);
      if (source !== undefined) await this.#breakpoints.arm(source).catch(() => undefined);
    }
  }

  readonly #handlers: Readonly<Record<string, Handler>> = {
    initialize: () => ({
      supportsConfigurationDoneRequest: true,
      supportsConditionalBreakpoints: true,
      supportsEvaluateForHovers: true,
      supportsSteppingGranularity: false,
      exceptionBreakpointFilters: EXCEPTION_FILTERS,
    }),
    attach: async () => {
      this.#attached = true;
      await this.#enable();
      return {};
    },
    configurationDone: () => ({}),
    disconnect: async () => {
      await this.detach();
      return {};
    },
    debugInfo: () => ({
      ...NAMING,
      isStarted: this.#attached,
      breakpoints: this.#breakpoints.list(),
      stoppedThreads: this.#frames === undefined ? [] : [THREAD],
      richRendering: true,
      exceptionPaths: EXCEPTION_FILTERS.map(({ filter }) => filter),
      copyToGlobals: true,
    }),
    dumpCell: ({ code }) => ({ sourcePath: this.#options.sources.dump(String(code)) }),
    setBreakpoints: async ({ source, breakpoints, lines }) => {
      const path = String((source as Json | undefined)?.["path"]);
      const wanted = (breakpoints ??
        (lines as number[] | undefined)?.map((line) => ({ line })) ??
        []) as SourceBreakpoint[];
      return { breakpoints: await this.#breakpoints.replace(path, wanted) };
    },
    setExceptionBreakpoints: async ({ filters }) => {
      const wanted = filters as readonly string[];
      this.#pauseOnErrors = wanted.includes("all") ? "all" : wanted.includes("uncaught") ? "uncaught" : "none";
      if (this.#attached) await this.#send("Debugger.setPauseOnExceptions", { state: this.#pauseOnErrors });
      return {};
    },
    source: ({ source }) => this.#source(String((source as Json)["path"])),
    threads: () => ({ threads: [{ id: THREAD, name: "cells" }] }),
    modules: () => ({ modules: [], totalModules: 0 }),
    pause: async () => {
      await this.#send("Debugger.pause");
      return {};
    },
    continue: () => this.#step("continue"),
    next: () => this.#step("next"),
    stepIn: () => this.#step("stepIn"),
    stepOut: () => this.#step("stepOut"),
    stackTrace: () => {
      const frames = this.#stopped();
      return { stackFrames: frames.map((frame) => this.#described(frame)), totalFrames: frames.length };
    },
    scopes: ({ frameId }) => ({ scopes: this.#variables.scopes(this.#frame(frameId).own) }),
    variables: async ({ variablesReference }) => ({
      variables: await this.#variables.members(Number(variablesReference)),
    }),
    evaluate: async ({ expression, frameId }) => {
      const { value, type, variablesReference } = this.#variables.variable(
        "",
        await this.#evaluate(expression, frameId),
      );
      return { result: value, variablesReference, ...(type !== undefined && { type }) };
    },
    inspectVariables: async () => ({ variables: await this.#variables.globals() }),
    richInspectVariables: async ({ variableName, frameId }) => {
      const name = String(variableName);
      const value = await this.#evaluate(name, frameId);
      const rich = await this.#evaluate(`${HELPERS}.richly(${name})`, frameId).catch(() => undefined);
      const data = rich?.type === "string" ? (JSON.parse(String(rich.value)) as Json) : { "text/plain": textOf(value) };
      return { data, metadata: {} };
    },
    copyToGlobals: async ({ srcVariableName, dstVariableName, srcFrameId }) => {
      const [from, to] = [String(srcVariableName), String(dstVariableName)];
      if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(to)) throw new Error(`${to} is no name of a variable`);
      await this.#evaluate(`globalThis[${JSON.stringify(to)}] = ${from}`, srcFrameId);
      await this.#options.declare(to);
      return {};
    },
  };

  /** Leaves the session alone: what stands at a breakpoint goes on. */
  async detach(): Promise<void> {
    if (!this.#attached) return;
    this.#attached = false;
    this.#breakpoints.clear();
    this.#urls.clear();
    await this.#options.port.send("detach").catch(() => undefined);
    this.#onResumed();
  }

  #send<T>(method: string, params: Json = {}): Promise<T> {
    if (!this.#attached) throw new Error("the debugger is not attached: send initialize and attach first");
    return this.#options.port.send<T>(method, params);
  }

  async #enable(): Promise<void> {
    await this.#send("Debugger.enable");
    await this.#send("Debugger.setBlackboxPatterns", { patterns: HIDDEN });
    await this.#send("Debugger.setPauseOnExceptions", { state: this.#pauseOnErrors });
  }

  /** The session before it has ended: with it the stack, and all that V8 was told. */
  async #onFreshSession(): Promise<void> {
    if (!this.#attached) return;
    this.#breakpoints.forgetSet();
    this.#urls.clear();
    this.#onResumed();
    await this.#enable().catch(() => undefined);
  }

  #onPaused({ callFrames, reason, hitBreakpoints = [] }: V8.PausedEventDataType): void {
    const frames = callFrames.map((own) => ({ own, url: this.#urls.get(own.location.scriptId) ?? own.url }));
    const seen = frames.filter(({ url }) => url !== "" && !HIDDEN.some((pattern) => new RegExp(pattern).test(url)));
    if (seen.length === 0) {
      void this.#send("Debugger.stepOut").catch(() => undefined);
      return;
    }
    this.#frames = seen.map((frame) => ({ id: ++this.#lastFrame, ...frame }));
    const error = reason === "exception" || reason === "promiseRejection";
    const why = error ? "exception" : hitBreakpoints.length > 0 ? "breakpoint" : this.#stepping ? "step" : "pause";
    this.#stepping = false;
    this.#event("stopped", { reason: why, threadId: THREAD, allThreadsStopped: true });
  }

  #onResumed(): void {
    if (this.#frames === undefined) return;
    this.#frames = undefined;
    this.#variables.forget();
    this.#event("continued", { threadId: THREAD, allThreadsContinued: true });
  }

  async #step(command: keyof typeof STEPS): Promise<Json> {
    this.#stopped();
    this.#stepping = command !== "continue";
    await this.#send(`Debugger.${STEPS[command]}`);
    return command === "continue" ? { allThreadsContinued: true } : {};
  }

  #stopped(): readonly Frame[] {
    if (this.#frames === undefined) throw new Error("nothing stands at a breakpoint");
    return this.#frames;
  }

  #frame(id: unknown): Frame {
    const frame = this.#stopped().find((each) => each.id === id);
    if (frame === undefined) throw new Error(`there is no frame ${String(id)}`);
    return frame;
  }

  /** A frame in the words of the protocol. What is not the user's own keeps its place in JavaScript. */
  #described({ id, url, own }: Frame): Json {
    const { location, functionName } = own;
    const place = { line: location.lineNumber, column: location.columnNumber ?? 0 };
    const found = this.#options.sources.original(url, place);
    const path = found?.source.path ?? (url.startsWith("file:") ? fileURLToPath(url) : url);
    const { line, column } = found?.place ?? place;
    const name = functionName === "" ? (found?.source.name ?? "(anonymous)") : functionName;
    const source = { name: found?.source.name ?? path.split("/").at(-1), path };
    return { id, name, source, line: line + 1, column: column + 1 };
  }

  /** Of cells, and of the files that stand in a stack. */
  #source(path: string): Json {
    const known = this.#options.sources.text(path);
    if (known !== undefined) return { content: known, mimeType: "text/typescript" };
    const inStack = this.#frames?.some(({ url }) => url === pathToFileURL(path).href || url === path);
    if (inStack !== true) throw new Error(`no text is known of ${path}`);
    return { content: readFileSync(path, "utf8"), mimeType: "text/javascript" };
  }

  /** The value of an expression in a frame; without one, as a cell sees it. */
  async #evaluate(expression: unknown, frameId: unknown): Promise<Runtime.RemoteObject> {
    const asked = { expression: String(expression), silent: true, objectGroup: OBJECT_GROUP, generatePreview: true };
    const inFrame =
      this.#frames === undefined ? undefined : frameId === undefined ? this.#frames[0] : this.#frame(frameId);
    const { result, exceptionDetails } =
      inFrame === undefined
        ? await this.#send<Runtime.EvaluateReturnType>("Runtime.evaluate", { ...asked, replMode: true })
        : await this.#send<V8.EvaluateOnCallFrameReturnType>("Debugger.evaluateOnCallFrame", {
            ...{ ...asked, callFrameId: inFrame.own.callFrameId },
          });
    if (exceptionDetails === undefined) return result;
    const { exception, text } = exceptionDetails;
    throw new Error(exception?.description?.split("\n", 1)[0] ?? `${text} ${exception ? typeOf(exception) : ""}`);
  }

  #event(event: string, body: Json): void {
    this.#options.publish({ type: "event", event, seq: ++this.#serial, body });
  }
}
