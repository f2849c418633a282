/**
 * The declarations of the cells before, as a chain of segments that stays short however many cells there have been.
 *
 * Each cell adds a segment. When there are several of a size they become one: declarations that no name and no other
 * declaration leads to any more are left out then. Segments are joined only where no name would change its meaning.
 */
import type { Declaration } from "./declarations.js";

/** Neighbouring declarations, old to new, none of which hides another. */
export interface Segment {
  /** Stem of the file that it is in, as types without a name refer to it. */
  readonly id: string;
  readonly level: number;
  readonly declarations: readonly Declaration[];
}

/** Segments of one level that are joined. */
const JOINED = 8;

export class Scope {
  /** Oldest first. */
  #segments: Segment[] = [];
  /** Another where names may mean something else. */
  #version = 0;
  readonly #newId: () => string;

  /** @param newId gives an id that no segment has */
  constructor(newId: () => string) {
    this.#newId = newId;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get version(): number {
    return this.#version;
  }

  add(declarations: readonly Declaration[]): void {
    if (declarations.length === 0 || this.#knows(declarations)) return;
    this.#version++;
    this.#segments.push({ id: this.#newId(), level: 0, declarations });
    for (let level = 0; this.#segments.filter((segment) => segment.level === level).length >= JOINED; level++) {
      const before = this.#segments.length;
      this.#join(level);
      // They hide each other: they may be fewer another time.
      if (this.#segments.length === before) return;
    }
  }

  /** Puts segments that there were before in the place of those that there are. */
  restore(segments: readonly Segment[]): void {
    this.#segments = [...segments];
    this.#version++;
  }

  /** Whether a cell has declared just this before, of which nothing differs from what is written alike, and neither its names nor what they speak of was declared again since. */
  #knows(declarations: readonly Declaration[]): boolean {
    const isOwn = ({ names, modules, isUnique }: Declaration): boolean =>
      isUnique || names.length === 0 || modules.length > 0;
    if (declarations.some(isOwn)) return false;
    const own = new Set(declarations.flatMap(({ names }) => names));
    const at = this.#segments.findLastIndex((segment) => declares(segment, own));
    const there = new Map(this.#segments[at]?.declarations.flatMap(({ names, text }) => names.map((n) => [n, text])));
    if (!declarations.every(({ names, text }) => names.every((name) => there.get(name) === text))) return false;
    const spokenOf = new Set(declarations.flatMap(({ mentions }) => [...mentions]));
    return !this.#segments.slice(at + 1).some((segment) => declares(segment, spokenOf));
  }

  /** Joins the segments of a level, which are the newest. */
  #join(level: number): void {
    const referred = this.#referredIds();
    const alive = living(this.#segments, referred);
    const joined: Segment[] = [];
    let open: Declaration[] = [];
    const close = (): void => {
      if (open.length > 0) joined.push({ id: this.#newId(), level: level + 1, declarations: open });
      open = [];
    };
    for (const segment of this.#segments) {
      const declarations = segment.declarations.filter((declaration) => alive.has(declaration));
      if (segment.level !== level || referred.has(segment.id)) {
        close();
        // A large segment is written anew only when that is worth it.
        const shrunk = declarations.length * 2 < segment.declarations.length;
        if (declarations.length === 0) continue;
        joined.push({
          ...segment,
          level: segment.level === level ? level + 1 : segment.level,
          declarations: shrunk ? declarations : segment.declarations,
        });
      } else {
        if (!canFollow(open, declarations)) close();
        open.push(...declarations);
      }
    }
    close();
    this.#segments = joined;
  }

  /** Segments that types without a name refer to: they stay where they are. */
  #referredIds(): Set<string> {
    const modules = this.#segments.flatMap(({ declarations }) => declarations.flatMap((each) => each.modules));
    return new Set(modules.map((module) => module.replace(/^\.\//, "")));
  }
}

function declares({ declarations }: Segment, some: ReadonlySet<string>): boolean {
  return declarations.some(({ names }) => names.some((name) => some.has(name)));
}

/** Whether all names keep their meaning when `newer` is put into one scope with `older`. */
function canFollow(older: readonly Declaration[], newer: readonly Declaration[]): boolean {
  const taken = new Set(older.flatMap(({ names, mentions }) => [...names, ...mentions]));
  return !newer.some(({ names }) => names.some((name) => taken.has(name)));
}

/** The declarations that a later cell can still come to: by name, or through others. */
function living(segments: readonly Segment[], referred: ReadonlySet<string>): Set<Declaration> {
  const alive = new Set<Declaration>();
  const hidden = new Set<string>();
  /** Names of which newer declarations speak, and that these do not declare themselves. */
  const needed = new Set<string>();
  const unnamed = new Set<string>();
  for (const { id, declarations } of segments.toReversed()) {
    const own = new Map(declarations.flatMap((each) => each.names.map((name) => [name, each] as const)));
    const open = declarations.filter(({ names, text }) => {
      if (names.length === 0) return !unnamed.has(text);
      return referred.has(id) || names.some((name) => !hidden.has(name) || needed.has(name));
    });
    for (const name of own.keys()) needed.delete(name);
    for (let each = open.pop(); each !== undefined; each = open.pop()) {
      if (alive.has(each)) continue;
      alive.add(each);
      if (each.names.length === 0) unnamed.add(each.text);
      for (const name of each.mentions) {
        const target = own.get(name);
        if (target === undefined) needed.add(name);
        else open.push(target);
      }
    }
    for (const name of own.keys()) hidden.add(name);
  }
  return alive;
}
