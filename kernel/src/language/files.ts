/**
 * The files that the language service sees: the prelude, the cell at hand, and the declarations of the cells before it.
 *
 * Names resolve from the cell outward through each file's `parent`: the cell, then the declarations of earlier cells,
 * newest first, then the prelude. A later cell thus shadows an earlier one, while what the earlier one declared keeps
 * the meaning it had there. The declarations live in a fixed set of slots, because a program whose list of root files
 * has changed is built anew from the ground, and one whose files only changed their text is not.
 */

import { takeApart } from "./declarations.js";
import { Scope, type Segment } from "./scope.js";

/** Folder and stem of the virtual files; no file of that name is expected on disk. */
const STEM = ".notebook";
const EMPTY = "export {};\n";
const FIRST_SLOTS = 32;

interface VirtualFile {
  text: string;
  version: number;
}

export class CellFiles {
  readonly preludePath: string;
  readonly cellPath: string;
  readonly #folder: string;
  readonly #files = new Map<string, VirtualFile>();
  readonly #scope: Scope;
  readonly #free: string[] = [];
  #slotCount = 0;
  /** How often something was kept, and the scope before the last time. */
  #commits = 0;
  #before: readonly Segment[] = [];

  constructor(folder: string) {
    this.#folder = folder;
    this.preludePath = `${folder}/${STEM}-prelude.ts`;
    this.cellPath = `${folder}/${STEM}-cell.ts`;
    this.set(this.preludePath, EMPTY);
    this.set(this.cellPath, EMPTY);
    this.#scope = new Scope(() => this.#takeSlot());
    this.#addSlots(FIRST_SLOTS);
  }

  /** All virtual files: the roots of the program. */
  get paths(): string[] {
    return [...this.#files.keys()];
  }

  /** The files that names are looked up in after the cell itself, nearest first. */
  get scope(): string[] {
    return [...this.#scope.segments.map(({ id }) => this.#slotPath(id)).reverse(), this.preludePath];
  }

  /** The declarations of earlier cells, oldest first, with the names that no later cell has declared again. */
  get declared(): readonly { readonly path: string; readonly names: ReadonlySet<string> }[] {
    const later = new Set<string>();
    const found = this.#scope.segments.toReversed().map(({ id, declarations }) => {
      const own = declarations.flatMap(({ names }) => names);
      const names = new Set(own.filter((name) => !later.has(name)));
      for (const name of own) later.add(name);
      return { path: this.#slotPath(id), names };
    });
    return found.reverse();
  }

  /** Another where a name that earlier cells have declared may mean something else. */
  get scopeVersion(): number {
    return this.#scope.version;
  }

  /** Whether a file is the cell's at hand, or has declarations of earlier ones. */
  isOfCell(path: string): boolean {
    return path !== this.preludePath && this.#files.has(path);
  }

  get(path: string): VirtualFile | undefined {
    return this.#files.get(path);
  }

  set(path: string, text: string): void {
    const file = this.#files.get(path);
    if (file === undefined) this.#files.set(path, { text, version: 1 });
    else if (file.text !== text) {
      file.text = text;
      file.version++;
    }
  }

  /** The number by which what is kept next can be taken back. */
  get nextCommit(): number {
    return this.#commits + 1;
  }

  /** Keeps a cell's declarations for the cells that follow. */
  commit(declarations: string): void {
    this.#before = [...this.#scope.segments];
    this.#scope.add(takeApart(declarations));
    this.#write(this.#before);
    this.#commits++;
  }

  /** Forgets what was kept last, where this is its number. */
  takeBack(commit: number): void {
    if (commit !== this.#commits) return;
    const after = [...this.#scope.segments];
    this.#scope.restore(this.#before);
    this.#write(after);
  }

  /** Forgets all cells. */
  reset(): void {
    const before = [...this.#scope.segments];
    this.#scope.restore([]);
    this.#write(before);
    this.#before = [];
  }

  /** Brings the slots up to date with the scope. */
  #write(before: readonly Segment[]): void {
    const after = new Map(this.#scope.segments.map((segment) => [segment.id, segment]));
    for (const { id } of before) {
      if (after.has(id)) continue;
      this.set(this.#slotPath(id), EMPTY);
      this.#free.push(id);
    }
    const known = new Set(before);
    for (const segment of after.values()) {
      if (known.has(segment)) continue;
      const texts = segment.declarations.map(({ text }) => `${text}\n`);
      const free = this.#free.indexOf(segment.id);
      if (free >= 0) this.#free.splice(free, 1);
      // Types without a name of their own are referred to by file and export.
      const names = segment.declarations.flatMap((declaration) => declaration.names);
      this.set(this.#slotPath(segment.id), `${texts.join("")}export { ${names.join(", ")} };\n`);
    }
  }

  #slotPath(id: string): string {
    return `${this.#folder}/${id}.d.ts`;
  }

  #takeSlot(): string {
    if (this.#free.length === 0) this.#addSlots(this.#slotCount);
    return this.#free.pop() ?? "";
  }

  #addSlots(count: number): void {
    for (let i = 0; i < count; i++) {
      const id = `${STEM}-scope-${this.#slotCount++}`;
      this.set(this.#slotPath(id), EMPTY);
      this.#free.push(id);
    }
  }
}
