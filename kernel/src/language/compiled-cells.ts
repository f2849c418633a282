/** Cells that were compiled before: one that is run again, and sees nothing else than it did, is not compiled again. */
import type { CompileResult } from "./language.js";

/** What a result depends on beside the text of the cell. */
export interface Surroundings {
  /** Of the program, with all its files; undefined where there will be a new one: nothing holds then. */
  readonly generation: number | undefined;
  /** Of what cells have declared. */
  readonly scope: number;
  readonly checkTypes: boolean;
}

interface Kept extends Surroundings {
  readonly result: CompileResult;
}

const MOST_KEPT = 100;

export class CompiledCells {
  /** By their text, those used last at the end. */
  readonly #kept = new Map<string, Kept>();

  /** What a cell was compiled to in the same surroundings. To look at these takes a look at files: most cells are new. */
  find(source: string, surroundings: () => Surroundings): CompileResult | undefined {
    const kept = this.#kept.get(source);
    if (kept === undefined) return undefined;
    this.#kept.delete(source);
    const { generation, scope, checkTypes } = surroundings();
    if (kept.generation !== generation || kept.scope !== scope || kept.checkTypes !== checkTypes) return undefined;
    this.#kept.set(source, kept);
    return kept.result;
  }

  keep(source: string, result: CompileResult, surroundings: Surroundings): void {
    if (surroundings.generation === undefined) return;
    this.#kept.set(source, { ...surroundings, result });
    const [oldest] = this.#kept.keys();
    if (oldest !== undefined && this.#kept.size > MOST_KEPT) this.#kept.delete(oldest);
  }
}
