/** Any value as text of a bounded length, in a bounded time, whatever the value does when it is looked at. */
import { inspect, types, type InspectOptions } from "node:util";
import { Script } from "node:vm";

/** Longest text of a value, in UTF-16 units. */
const LONGEST_TEXT = 100_000;
/** Longest string within a value. */
const LONGEST_STRING = 20_000;
const MOST_ELEMENTS = 200;
const MOST_PROPERTIES = 500;
/** Objects within a value that are looked at for their number of properties. */
const MOST_LOOKED_AT = 1000;
const HOW_TO_SEE_ALL = "console.dir(value, { depth: null, maxArrayLength: null, maxStringLength: null })";

const OPTIONS: InspectOptions = {
  maxArrayLength: MOST_ELEMENTS,
  maxStringLength: LONGEST_STRING,
  breakLength: 100,
};

/** A value as text. What is left out is said, and how to see it where the whole text was cut. */
export function plainText(value: unknown, { depth = 4 } = {}): string {
  const text = inspected(value, { ...OPTIONS, depth });
  if (text.length <= LONGEST_TEXT) return text;
  const left = (text.length - LONGEST_TEXT).toLocaleString("en");
  return `${text.slice(0, LONGEST_TEXT)}\n… ${left} more characters. To see all: ${HOW_TO_SEE_ALL}`;
}

/** Longest text of a glance, in UTF-16 units and in lines. */
const GLANCE = { characters: 1000, lines: 15, properties: 50 };

/** Time for a value's own method to say what it is, in milliseconds: meanwhile the session does nothing else. */
const OWN_TEXT_MS = 100;

/**
 * A value at a glance: the start of its text. Of methods of its own only that runs by which it is printed (`inspect.custom`), for a
 * short time.
 */
export function glance(value: unknown): string {
  const seen = printsItself(value) ? value : few(value);
  if (types.isPromise(seen)) hideIds(seen);
  const depth = mayHaveMany(seen, 1, { left: MOST_LOOKED_AT }) ? 0 : 1;
  const options = { maxArrayLength: 20, maxStringLength: 300, breakLength: 80, depth };
  const plain = { ...options, customInspect: false };
  const text = types.isProxy(seen)
    ? inspect(seen, plain)
    : (withinTime(() => inspect(seen, options)) ?? inspect(seen, plain));
  const start = text.split("\n").slice(0, GLANCE.lines).join("\n").slice(0, GLANCE.characters);
  return start.length < text.length || seen !== value ? `${start}\n…` : start;
}

function printsItself(value: unknown): boolean {
  if (value === null || typeof value !== "object" || types.isProxy(value)) return false;
  return typeof (value as { readonly [inspect.custom]?: unknown })[inspect.custom] === "function";
}

/** The name of a global through which a function comes into a script, of which V8 can limit the time. */
const BODY = Symbol.for("cell.within-time");
const callBody = new Script("globalThis[Symbol.for('cell.within-time')]()");

/** What `body` gives; undefined where it throws, or takes too long. */
function withinTime<T>(body: () => T): T | undefined {
  const place = globalThis as { [BODY]?: unknown };
  place[BODY] = body;
  try {
    return callBody.runInThisContext({ timeout: OWN_TEXT_MS }) as T;
  } catch {
    return undefined;
  } finally {
    delete place[BODY];
  }
}

/** An object, or the start of one with many properties: to ask for all their names takes long, so that is done once. */
function few(value: unknown): unknown {
  const mayBe = typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
  if (!mayBe || types.isProxy(value)) return value;
  const keys = Object.keys(value);
  return keys.length > GLANCE.properties ? firstOf(value, keys.slice(0, GLANCE.properties)) : value;
}

function inspected(value: unknown, options: InspectOptions): string {
  try {
    const large = new Map<object, readonly string[]>();
    const small = !mayHaveMany(value, options.depth ?? 0, { left: MOST_LOOKED_AT }, large);
    return small ? inspect(value, options) : withFewProperties(() => inspect(value, options), large);
  } catch (error) {
    // A getter, a trap or a method of the value's own has thrown. Without its methods it can be looked at, as a rule.
    const reason = `[its inspection failed: ${messageOf(error)}]`;
    try {
      return `${inspect(value, { ...options, customInspect: false })} ${reason}`;
    } catch {
      return `[${types.isProxy(value) ? "Proxy" : typeof value}] ${reason}`;
    }
  }
}

function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return "unknown";
  }
}

/**
 * Whether an object of those that are shown has more properties than are. Says so, too, of what has too many objects to look at.
 * @param large takes the names of all properties of the object that has so many: to ask for a million takes long
 */
function mayHaveMany(
  value: unknown,
  depth: number,
  budget: { left: number },
  large?: Map<object, readonly string[]>,
): boolean {
  if (value === null || typeof value !== "object" || depth < 0 || types.isProxy(value)) return false;
  if (ArrayBuffer.isView(value)) return false;
  if (--budget.left < 0) return true;
  const inside = (part: unknown): boolean => mayHaveMany(part, depth - 1, budget, large);
  // By the methods of Map and Set themselves: those of a class of the user's are the user's code.
  if (types.isMap(value)) {
    return (
      [...first(Map.prototype.keys.call(value))].some(inside) ||
      [...first(Map.prototype.values.call(value))].some(inside)
    );
  }
  if (types.isSet(value)) return [...first(Set.prototype.values.call(value))].some(inside);
  const keys = Array.isArray(value) ? [...first(value.keys())].map(String) : Object.keys(value);
  if (keys.length > MOST_PROPERTIES) {
    if (!Array.isArray(value)) large?.set(value, keys);
    return true;
  }
  return keys.some((key) => inside(Object.getOwnPropertyDescriptor(value, key)?.value));
}

/** The elements of a list that are shown. */
function* first<T>(elements: Iterable<T>): Generator<T> {
  let left = MOST_ELEMENTS;
  for (const element of elements) {
    if (--left < 0) return;
    yield element;
  }
}

/**
 * `inspect` has no option for the number of properties: an object used as a dictionary of a million words takes it many
 * seconds. It asks each object for a method of this name first, so for the time of an inspection every object has one. V8 then
 * has to look up anew what it knew of all objects, which is why this is only for values that need it.
 */
function withFewProperties(body: () => string, large: ReadonlyMap<object, readonly string[]>): string {
  if (Object.getOwnPropertyDescriptor(Object.prototype, inspect.custom) !== undefined) return body();
  if (!Object.isExtensible(Object.prototype)) return body();
  Object.defineProperty(Object.prototype, inspect.custom, {
    value: firstProperties,
    configurable: true,
    writable: true,
  });
  known = large;
  try {
    return body();
  } finally {
    known = undefined;
    delete (Object.prototype as { [inspect.custom]?: unknown })[inspect.custom];
  }
}

/**
 * Up to Node 22 a promise or a timer made while AsyncLocalStorage is in use has properties for that, which `inspect` shows. From
 * here on they are hidden when one is looked at.
 */
export function hideAsyncIds(): void {
  const timers = [setTimeout(() => undefined), setImmediate(() => undefined)] as const;
  clearTimeout(timers[0]);
  clearImmediate(timers[1]);
  const kinds = [Promise.prototype, ...timers.map((timer) => Object.getPrototypeOf(timer) as object)];
  for (const kind of kinds as { [inspect.custom]?: (...args: readonly unknown[]) => unknown }[]) {
    // Of a `Timeout` Node shows the neighbours in its list by their names alone.
    const { [inspect.custom]: shown } = kind;
    const value = function (this: object, ...args: readonly unknown[]): unknown {
      hideIds(this);
      return shown === undefined ? this : Reflect.apply(shown, this, args);
    };
    Reflect.defineProperty(kind, inspect.custom, { value, configurable: true, writable: true });
  }
}

function hideIds(of: object): void {
  for (const symbol of Object.getOwnPropertySymbols(of)) {
    if (NODES_OWN.has(symbol.description)) Reflect.defineProperty(of, symbol, { enumerable: false });
  }
}

const NODES_OWN: ReadonlySet<string | undefined> = new Set([
  "async_id_symbol",
  "trigger_async_id_symbol",
  "kResourceStore",
  "destroyed",
]);

/** Names of properties, of objects that are being inspected and have many. */
let known: ReadonlyMap<object, readonly string[]> | undefined;

/** To return the object itself means: as without this method. */
function firstProperties(this: object, depth: number, options: InspectOptions): object | string {
  if (types.isProxy(this) || Array.isArray(this) || ArrayBuffer.isView(this) || depth < 0) return this;
  const keys = known?.get(this) ?? Object.keys(this);
  if (keys.length <= MOST_PROPERTIES) return this;
  const first = firstOf(this, keys.slice(0, MOST_PROPERTIES));
  const more = (keys.length - MOST_PROPERTIES).toLocaleString("en");
  const text = inspect(first, { ...options, depth });
  return text.replace(
    /,?(\s*)\}$/,
    (_, space: string) => `,${space === " " ? " " : `${space}  `}… ${more} more properties${space}}`,
  );
}

/** An object with some of the properties of another. */
function firstOf(object: object, keys: readonly string[]): object {
  const first = Object.create(Object.getPrototypeOf(object) as object | null) as object;
  for (const key of keys) {
    Object.defineProperty(first, key, Object.getOwnPropertyDescriptor(object, key) ?? {});
  }
  return first;
}
