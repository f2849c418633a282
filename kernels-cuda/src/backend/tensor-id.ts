/**
 * What names a tensor's values in tfjs, its `dataId`, which may be any object. The ids that our backends give carry what the backend and
 * tfjs's engine know of the tensor: to enter an object into a Map and into a WeakMap, and to take it out again, takes as long as all
 * the rest of a small op.
 */

/** An id. What it carries is private, so that a tensor that is printed or compared shows an empty object, as with any backend. */
export class TensorId {
  #first: object | undefined;
  #firstValue: unknown;
  #second: object | undefined;
  #secondValue: unknown;

  /** What `owner` has put into an id; undefined for an object that is none. */
  static get(id: object, owner: object): unknown {
    if (!(#first in id)) return undefined;
    if (id.#first === owner) return id.#firstValue;
    return id.#second === owner ? id.#secondValue : undefined;
  }

  /** Puts a value in, in place of the owner's last. False for an object that is no id, or carries those of two others. */
  static set(id: object, owner: object, value: unknown): boolean {
    if (!(#first in id)) return false;
    if (id.#first === owner || (id.#first === undefined && id.#second !== owner)) {
      id.#first = owner;
      id.#firstValue = value;
      return true;
    }
    if (id.#second !== owner && id.#second !== undefined) return false;
    id.#second = owner;
    id.#secondValue = value;
    return true;
  }

  /** Takes the owner's value out; false where there is none. */
  static delete(id: object, owner: object): boolean {
    if (!(#first in id)) return false;
    if (id.#first === owner) {
      id.#first = undefined;
      id.#firstValue = undefined;
      return true;
    }
    if (id.#second !== owner) return false;
    id.#second = undefined;
    id.#secondValue = undefined;
    return true;
  }
}

/** A WeakMap by id, whose values lie in the ids where they can. */
export class TensorRecords<Value extends object> extends WeakMap<object, Value> {
  /** @param others has the values of other objects */
  constructor(private readonly others: WeakMap<object, Value>) {
    super();
  }

  override get(id: object): Value | undefined {
    return (TensorId.get(id, this) as Value | undefined) ?? this.others.get(id);
  }

  override has(id: object): boolean {
    return this.get(id) !== undefined;
  }

  override set(id: object, value: Value): this {
    if (!TensorId.set(id, this, value)) this.others.set(id, value);
    return this;
  }

  override delete(id: object): boolean {
    return TensorId.delete(id, this) || this.others.delete(id);
  }
}
