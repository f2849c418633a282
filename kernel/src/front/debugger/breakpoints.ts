/** Breakpoints: what front ends have set on the lines of cells and files, and what V8 has been told of it. */
import type { Debugger as V8 } from "node:inspector";
import type { DebugPort } from "./port.js";
import type { Source, Sources } from "./sources.js";

/** A breakpoint as a front end asks for it; lines count from 1. */
export interface SourceBreakpoint {
  readonly line: number;
  readonly condition?: string;
}

/** As it was set. */
export interface Breakpoint {
  readonly verified: boolean;
  readonly line: number;
  readonly source: { readonly path: string };
}

export class Breakpoints {
  readonly #port: DebugPort;
  readonly #sources: Sources;
  readonly #wanted = new Map<string, readonly SourceBreakpoint[]>();
  /** V8's ids, by path. */
  readonly #set = new Map<string, string[]>();

  constructor(port: DebugPort, sources: Sources) {
    this.#port = port;
    this.#sources = sources;
  }

  /** All that are wanted, by path. */
  list(): { source: string; breakpoints: readonly SourceBreakpoint[] }[] {
    return [...this.#wanted].map(([source, breakpoints]) => ({ source, breakpoints }));
  }

  /** These, and no others, are wanted on a text. */
  async replace(path: string, wanted: readonly SourceBreakpoint[]): Promise<Breakpoint[]> {
    if (wanted.length === 0) this.#wanted.delete(path);
    else this.#wanted.set(path, wanted);
    await this.#remove(path);
    const sources = this.#sources.byPath(path);
    for (const source of sources) await this.#apply(source);
    const map = sources.at(-1)?.map;
    return wanted.map(({ line }) => {
      // Of a cell that has not run it is not known which lines have code; the breakpoint is then set when it does.
      const moved = map === undefined ? line : (map.generated(line - 1)?.line ?? -1) + 1;
      return { verified: moved > 0, line: moved > 0 ? moved : line, source: { path } };
    });
  }

  /** A text is about to be run, for the first time or again. */
  async arm(source: Source): Promise<void> {
    if (this.#wanted.has(source.path)) await this.#apply(source);
  }

  /** Another session knows of none. */
  forgetSet(): void {
    this.#set.clear();
  }

  /** None is wanted any more. */
  clear(): void {
    this.#wanted.clear();
    this.#set.clear();
  }

  async #apply(source: Source): Promise<void> {
    for (const { line, condition } of this.#wanted.get(source.path) ?? []) {
      const place = source.map.generated(line - 1)?.place;
      if (place === undefined) continue;
      const { breakpointId } = await this.#port.send<V8.SetBreakpointByUrlReturnType>("Debugger.setBreakpointByUrl", {
        ...{ urlRegex: source.url.source, lineNumber: place.line, columnNumber: place.column },
        ...(condition !== undefined && { condition }),
      });
      this.#set.set(source.path, [...(this.#set.get(source.path) ?? []), breakpointId]);
    }
  }

  async #remove(path: string): Promise<void> {
    for (const breakpointId of this.#set.get(path) ?? [])
      await this.#port.send("Debugger.removeBreakpoint", { breakpointId });
    this.#set.delete(path);
  }
}
