/**
 * The files that the language service sees: the prelude, the cell at hand, and the declarations of the cells before it.
 *
 * Names resolve from the cell outward through each file's `parent`: the cell, then the declarations of earlier cells,
 * newest first, then the prelude. A later cell thus shadows an earlier one, while what the earlier one declared keeps
 * the meaning it had there. The declarations live in a fixed set of slots, because a program whose list of root files
 * has changed is built anew from the ground, and one whose files only changed their text is not.
 */

/** Folder and stem of the virtual files; no file of that name is expected on disk. */
const STEM = ".notebook";
const EMPTY = "export {};\n";
const FIRST_SLOTS = 32;

interface VirtualFile {
  text: string;
  version: number;
}

interface Slot {
  readonly path: string;
  /** Names that the cell in this slot declared and that no later cell has declared again. */
  readonly names: Set<string>;
}

export class CellFiles {
  readonly preludePath: string;
  readonly cellPath: string;
  readonly #folder: string;
  readonly #files = new Map<string, VirtualFile>();
  readonly #free: string[] = [];
  /** Slots in use, oldest first. */
  #used: Slot[] = [];
  #slotCount = 0;

  constructor(folder: string) {
    this.#folder = folder;
    this.preludePath = `${folder}/${STEM}-prelude.ts`;
    this.cellPath = `${folder}/${STEM}-cell.ts`;
    this.set(this.preludePath, EMPTY);
    this.set(this.cellPath, EMPTY);
    this.#addSlots(FIRST_SLOTS);
  }

  /** All virtual files: the roots of the program. */
  get paths(): string[] {
    return [...this.#files.keys()];
  }

  /** The files that names are looked up in after the cell itself, nearest first. */
  get scope(): string[] {
    return [...this.#used.map((slot) => slot.path).reverse(), this.preludePath];
  }

  /** The declarations of earlier cells, oldest first, with the names that no later cell has declared again. */
  get declared(): readonly { readonly path: string; readonly names: ReadonlySet<string> }[] {
    return this.#used;
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

  /** Keeps a cell's declarations for the cells that follow. */
  commit(names: readonly string[], declarations: string): void {
    if (names.length === 0) return;
    for (const slot of this.#used) for (const name of names) slot.names.delete(name);
    if (this.#free.length === 0) this.#addSlots(this.#slotCount);
    const path = this.#free.pop() ?? "";
    this.set(path, declarations);
    this.#used.push({ path, names: new Set(names) });
    this.#release();
  }

  /** Forgets all cells. */
  reset(): void {
    for (const slot of this.#used) this.#empty(slot);
    this.#used = [];
  }

  /**
   * Frees the slots whose every name has been declared again, unless a later declaration still speaks of one of their
   * types. That is looked for as text, so a slot may be kept without need, but is never freed in use.
   */
  #release(): void {
    const kept: Slot[] = [];
    let laterText = "";
    for (const slot of this.#used.toReversed()) {
      const text = this.#files.get(slot.path)?.text ?? "";
      const stem = slot.path.slice(this.#folder.length + 1, -".d.ts".length);
      const declared = [
        ...text.matchAll(/\b(?:class|interface|type|enum|namespace)\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)/gu),
      ];
      const mentioned =
        laterText.includes(stem) || declared.some(([, name]) => name !== undefined && laterText.includes(name));
      if (slot.names.size === 0 && !mentioned) {
        this.#empty(slot);
      } else {
        kept.unshift(slot);
        laterText += text;
      }
    }
    this.#used = kept;
  }

  #empty(slot: Slot): void {
    this.set(slot.path, EMPTY);
    this.#free.push(slot.path);
  }

  #addSlots(count: number): void {
    for (let i = 0; i < count; i++) {
      const path = `${this.#folder}/${STEM}-scope-${this.#slotCount++}.d.ts`;
      this.set(path, EMPTY);
      this.#free.push(path);
    }
  }
}
