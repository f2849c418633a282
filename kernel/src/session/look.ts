/** What a value is, for completion and inspection: no getter runs, no trap of a proxy, and no method but that by which a value is printed. */
import { types } from "node:util";
import { runInThisContext } from "node:vm";
import type { Looked, LookCommand } from "../session-protocol.js";
import { glance } from "./plain-text.js";

const MOST_MEMBERS = 1000;

/** What the value at a path is. */
export function look({ path: [variable = "", ...members], wants }: LookCommand): Looked {
  try {
    let value: unknown = runInThisContext(variable);
    for (const name of members) value = member(value, name);
    if (wants === "members") return { members: membersOf(value) };
    // Of a function its type tells more.
    return typeof value === "function" ? {} : { text: glance(value) };
  } catch {
    // It has not come into being, or only running something would tell.
    return {};
  }
}

class NotSeen extends Error {}

/** A value's own objects: itself, or of a text or a number the object that it is taken for, and those that it inherits from. */
function* chain(value: unknown): Generator<object> {
  if (value === undefined || value === null) return;
  for (let at = Object(value) as object | null; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    if (types.isProxy(at)) throw new NotSeen();
    yield at;
  }
}

function member(value: unknown, name: string): unknown {
  for (const object of chain(value)) {
    const property = Object.getOwnPropertyDescriptor(object, name);
    if (property !== undefined && "value" in property) return property.value;
    if (property !== undefined) break;
  }
  throw new NotSeen();
}

/** Names of an object's own properties. To list those of a dictionary takes four times as long with the few that are hidden. */
function namesOf(object: object): readonly string[] {
  const keys = Object.keys(object);
  return keys.length >= MOST_MEMBERS ? keys : Object.getOwnPropertyNames(object);
}

/** All but what every object has, and the places of a list. */
function membersOf(value: unknown): NonNullable<Looked["members"]> {
  const found = new Map<string, boolean>();
  const isList = Array.isArray(value) || ArrayBuffer.isView(value) || typeof value === "string";
  for (const object of chain(value)) {
    if (object === Object.prototype) break;
    for (const name of isList && found.size === 0 ? ["length"] : namesOf(object)) {
      if (found.size >= MOST_MEMBERS) break;
      if (name === "constructor" || found.has(name)) continue;
      found.set(name, typeof Object.getOwnPropertyDescriptor(object, name)?.value === "function");
    }
  }
  return [...found].map(([name, isFunction]) => ({ name, isFunction }));
}
