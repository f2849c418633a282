/** Controls that choose one of several values. */
import { inspect, isDeepStrictEqual } from "node:util";
import { Control, type CommonOptions } from "./control.js";

/** What is to choose from: the values, shown as text, or an object with a value for each text that is shown. */
export type Choices<T> = readonly T[] | Readonly<Record<string, T>>;

/** Options of `ui.dropdown`, `ui.radio` and `ui.toggles`. */
export interface ChoiceOptions<T> extends CommonOptions {
  readonly options: Choices<T>;
  /** @defaultValue the first */
  readonly value?: NoInfer<T>;
}

type Kind = "Dropdown" | "RadioButtons" | "ToggleButtons";

/** Makes the function for one way to choose. */
export function chooser(kind: Kind, name: string): <const T>(options: ChoiceOptions<T>) => Control<T> {
  return <const T>(options: ChoiceOptions<T>): Control<T> => {
    const { labels, values } = entries(options.options);
    if (values.length === 0) throw new RangeError(`ui.${name}: options is empty; give it one value at least`);
    return new Control<T>(
      { model: `${kind}Model`, view: `${kind}View` },
      {
        key: "index",
        name,
        encode(value) {
          const index = values.findIndex((option) => isDeepStrictEqual(option, value));
          if (index < 0)
            throw new RangeError(`ui.${name}: ${inspect(value)} is none of its options: ${labels.join(", ")}`);
          return index;
        },
        decode: (index) => values[index as number] as T,
      },
      "value" in options && options.value !== undefined ? options.value : (values[0] as T),
      options,
      { _options_labels: labels, ...(kind === "ToggleButtons" && { tooltips: [], icons: [], button_style: "" }) },
    );
  };
}

function entries<T>(options: Choices<T>): { labels: readonly string[]; values: readonly T[] } {
  if (!Array.isArray(options))
    return { labels: Object.keys(options), values: Object.values(options as Record<string, T>) };
  const values = options as readonly T[];
  return {
    labels: values.map((value) => (typeof value === "string" ? value : inspect(value, { breakLength: Infinity }))),
    values,
  };
}
