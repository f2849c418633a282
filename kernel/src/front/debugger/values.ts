/** Values of the session as the debugger shows them. */
import type { Runtime } from "node:inspector";

/** A variable in the words of the Debug Adapter Protocol. */
export interface Variable {
  readonly name: string;
  readonly value: string;
  /** Of objects; JupyterLab shows it in the place of the value. */
  readonly type?: string;
  /** By which its members are asked for; 0 where it has none. */
  readonly variablesReference: number;
}

/** Characters shown of one value. */
const MOST_TEXT = 1000;

/** A value in one line. */
export function textOf(value: Runtime.RemoteObject): string {
  const text =
    value.type === "string" ? JSON.stringify(value.value) : value.preview ? preview(value.preview) : plain(value);
  return text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text;
}

function plain({ type, value, description, unserializableValue }: Runtime.RemoteObject): string {
  if (type === "function") return description?.split("\n", 1)[0] ?? "function";
  return description ?? unserializableValue ?? (value === undefined ? type : JSON.stringify(value));
}

function preview({ type, subtype, description = "", properties, entries, overflow }: Runtime.ObjectPreview): string {
  if (type === "string") return JSON.stringify(description);
  if (subtype === "error" || subtype === "date" || subtype === "regexp" || subtype === "proxy") return description;
  const more = overflow ? ["…"] : [];
  if (entries !== undefined) {
    const items = entries.map(({ key, value }) => `${key ? `${preview(key)} => ` : ""}${preview(value)}`);
    return `${description} {${[...items, ...more].join(", ")}}`;
  }
  if (description === "" && properties.length === 0) return "{}";
  const list = subtype === "array" || subtype === "typedarray";
  const items = properties.map(({ name, value = "…", type }) => {
    const shown = type === "string" ? JSON.stringify(value) : type === "function" ? "ƒ" : value;
    return list && /^\d+$/.test(name) ? shown : `${name}: ${shown}`;
  });
  const [open, close] = list ? ["[", "]"] : ["{", "}"];
  const name = description === "Object" ? "" : `${description} `;
  return properties.length === 0 && !list ? description : `${name}${open}${[...items, ...more].join(", ")}${close}`;
}

/** What kind of value it is. */
export function typeOf({ type, subtype, className }: Runtime.RemoteObject): string {
  return subtype === "null" ? "null" : (className ?? type);
}
