/** What a pickle of a model's file can hold: plain data, and three kinds of inert references. */
import type { FileDtype } from "../float-formats.js";

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tuple
  | PickleValue[]
  | Dictionary
  | GlobalName
  | StorageReference
  | TensorReference;

/** Python's tuple. */
export class Tuple {
  constructor(readonly items: readonly PickleValue[]) {}
}

/** Python's dict and OrderedDict. */
export class Dictionary {
  private held: Map<string | number | boolean | null, PickleValue> | undefined;

  /** In order. Made when first used: a pickle can make a million empty ones out of a million bytes. */
  get items(): Map<string | number | boolean | null, PickleValue> {
    return (this.held ??= new Map());
  }
}

/** A class or function by its full name: a name and nothing more. */
export class GlobalName {
  constructor(readonly name: string) {}
}

/** Numbers in a row, in an entry of their own of the zip. */
export class StorageReference {
  constructor(
    /** the entry's name in the folder `data` */
    readonly key: string,
    readonly dtype: FileDtype,
    /** elements */
    readonly count: number,
  ) {}
}

/** A tensor: a storage, and which of its elements in which order. */
export class TensorReference {
  constructor(
    readonly storage: StorageReference,
    /** in elements */
    readonly offset: number,
    readonly shape: readonly number[],
    /** steps between neighbours of each axis, in elements */
    readonly strides: readonly number[],
  ) {}
}
