/** What a training holds of the engine's memory, apart from the training, so that it can be freed without it. */

/** Something that holds tensors. */
export interface Disposable {
  /** Frees them. */
  dispose(): void;
}

/** Things that one owner is to free. They are freed as well when that owner cannot be reached any more. */
export class Owned implements Disposable {
  readonly #things = new Set<Disposable>();

  /** Takes a thing over. */
  add<T extends Disposable>(thing: T): T {
    this.#things.add(thing);
    return thing;
  }

  /** Frees one of them before the others. */
  free(thing: Disposable | undefined): void {
    if (thing && this.#things.delete(thing)) thing.dispose();
  }

  /** Gives one of them up to who has it now, without freeing it. */
  release(thing: Disposable): void {
    this.#things.delete(thing);
  }

  /** Frees them all. */
  dispose(): void {
    for (const thing of this.#things) thing.dispose();
    this.#things.clear();
  }
}
