/** Values as JSON has them, and front ends want them. */

/** A value as JSON: numbers of typed arrays in lists, big integers and what JSON lacks as text, a circle cut where it closes. */
export function jsonOf(value: unknown): unknown {
  return convert(value, []);
}

function convert(value: unknown, above: readonly object[]): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof value === "symbol" || typeof value === "function") return String(value);
  if (value === null || typeof value !== "object") return value;
  if (above.includes(value)) return "[circular]";
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return numbersOf(value as unknown as ArrayLike<number | bigint>);
  const inside = [...above, value];
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function") return convert((toJSON as () => unknown).call(value), inside);
  if (value instanceof Map) {
    return Object.fromEntries(
      [...(value as Map<unknown, unknown>)].map(([key, item]) => [String(key), convert(item, inside)]),
    );
  }
  if (value instanceof Set || Array.isArray(value)) return Array.from(value, (item) => convert(item, inside));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, convert(item, inside)]));
}

function numbersOf(list: ArrayLike<number | bigint>): (number | string | null)[] {
  return Array.from(list, (number) =>
    typeof number === "bigint" ? number.toString() : Number.isFinite(number) ? number : null,
  );
}

/** A plotly figure's parts, as JSON. @throws {TypeError} for data that plotly would take for nothing, naming their place */
export function figureJson(data: unknown, layout: object, config: object): unknown {
  if (!Array.isArray(data)) {
    throw new TypeError("display.plotly: what comes first is a list of traces: display.plotly([{ x, y }], layout)");
  }
  return { data: figureOf(data, "data"), layout: figureOf(layout, "layout"), config: figureOf(config, "config") };
}

/** Typed arrays as lists, and numbers that JSON lacks as gaps. */
function figureOf(value: unknown, place: string): unknown {
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return numbersOf(value as unknown as ArrayLike<number | bigint>);
  }
  if (value === null || typeof value !== "object" || value instanceof Date) return value;
  if (Array.isArray(value)) return isPlain(value) ? value : value.map((item, i) => figureOf(item, `${place}[${i}]`));
  if ("toJSON" in value && typeof value.toJSON === "function")
    return figureOf((value as { toJSON: () => unknown }).toJSON(), place);
  if (value instanceof Set) return figureOf([...(value as Set<unknown>)], place);
  const made = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  // A realm of its own has another Object.
  if (made !== null && Object.getPrototypeOf(made) !== null) {
    const remedy = "then" in value ? "await it" : "give its values as an array";
    throw new TypeError(`display.plotly: ${place} is a ${made.constructor?.name ?? "strange object"}: ${remedy}`);
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, figureOf(item, `${place}.${key}`)]));
}

/** A list of numbers or texts needs no look at each. */
function isPlain(list: readonly unknown[]): boolean {
  return list.every((item) => item === null || typeof item !== "object");
}
