/** The texts that can be debugged: cells, by the paths that front ends give them, and the notebook's own files. */
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { CompiledCell, CompiledModule } from "../../session-protocol.js";
import { LineMap, type Place } from "./line-map.js";
import { murmur2 } from "./murmur2.js";

/** A compiled text, as V8 knows it and as the user does. */
export interface Source {
  /** What V8 calls it. A file that was loaded more than once has a number behind its path. */
  readonly url: RegExp;
  /** What front ends call it. */
  readonly path: string;
  readonly name: string;
  readonly text: string;
  readonly map: LineMap;
}

type Compiled = Pick<CompiledCell, "label" | "source" | "sourceMap">;

/** Cells that can be debugged: those that ran last. */
const MOST_CELLS = 500;
const HASH_SEED = 0xc70f6907;
/** No such folder is made: the names are only to agree on. */
const PREFIX = join(tmpdir(), `metastate-kernel-${process.pid}`) + sep;
const SUFFIX = ".ts";

/** How front ends name cells, in the words of Jupyter's debug protocol. */
export const NAMING = {
  hashMethod: "Murmur2",
  hashSeed: HASH_SEED,
  tmpFilePrefix: PREFIX,
  tmpFileSuffix: SUFFIX,
} as const;

/** The path by which front ends know a cell of this text. */
function cellPath(text: string): string {
  return `${PREFIX}${murmur2(text, HASH_SEED)}${SUFFIX}`;
}

export class Sources {
  /** By URL, oldest first; a map is read when it is first needed. */
  readonly #cells = new Map<string, Compiled & { made?: Source }>();
  readonly #files = new Map<string, CompiledModule & { made?: Source }>();
  /** Cells that front ends have told of, by path. */
  readonly #dumped = new Map<string, string>();

  /** Notes a cell that is about to run, and the files that it brings. */
  add(url: string, { label, source, sourceMap }: Compiled, modules: readonly CompiledModule[]): void {
    this.#cells.set(url, { label, source, sourceMap });
    if (this.#cells.size > MOST_CELLS) for (const oldest of this.#cells.keys()) return void this.#cells.delete(oldest);
    for (const module of modules) if (module.kind === "module") this.#files.set(module.path, { ...module });
  }

  /** Notes a cell that may never have run; gives its path. */
  dump(text: string): string {
    const path = cellPath(text);
    this.#dumped.set(path, text);
    return path;
  }

  /** What V8 calls so. */
  byUrl(url: string): Source | undefined {
    const cell = this.#cells.get(url);
    if (cell !== undefined) return (cell.made ??= sourceOf(url, cellPath(cell.source), cell));
    const path = (url.startsWith("file:") ? fileURLToPath(url) : url).replace(/\?\d+$/, "");
    const file = this.#files.get(path);
    return file && (file.made ??= sourceOf(fileUrl(path), path, file));
  }

  /** All that front ends call so: a cell may have run several times. */
  byPath(path: string): Source[] {
    const file = this.#files.get(path);
    if (file !== undefined) return [(file.made ??= sourceOf(fileUrl(path), path, file))];
    return [...this.#cells]
      .filter(([, cell]) => cellPath(cell.source) === path)
      .flatMap(([url]) => this.byUrl(url) ?? []);
  }

  /** The text that front ends know by this path. */
  text(path: string): string | undefined {
    return this.#dumped.get(path) ?? this.byPath(path).at(-1)?.text;
  }

  /** Where a place in V8's script is in the user's text. */
  original(url: string, place: Place): { readonly source: Source; readonly place: Place } | undefined {
    const source = this.byUrl(url);
    const original = source?.map.original(place);
    return source && original && { source, place: original };
  }
}

/** V8's inspector makes URLs of paths, and the number of a file that was loaded again a part of them. */
function fileUrl(path: string): string {
  return pathToFileURL(path).href;
}

function sourceOf(url: string, path: string, { label, source, sourceMap }: Compiled): Source {
  const exactly = new RegExp(`^${url.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}(%3F\\d+)?$`);
  return { url: exactly, path, name: label, text: source, map: new LineMap(sourceMap) };
}
