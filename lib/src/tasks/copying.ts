/** Copying, and selective copying (Gu and Dao 2023, arXiv 2312.00752): say again what was shown. */
import { expectOptions } from "../arguments.js";
import { checkIntegers } from "../data/batch.js";
import { ConfigurationError } from "../errors.js";
import type { Random } from "../random.js";
import { defineTask, nextTokenExample, type Task, type TaskExample } from "./task.js";

/** The sizes of `ms.tasks.copying`. */
export interface CopyingOptions {
  /** different symbols; default 16 */
  symbols?: number;
  /** symbols to copy; default 16 */
  count?: number;
}

/** The sizes of `ms.tasks.selectiveCopying`. */
export interface SelectiveCopyingOptions extends CopyingOptions {
  /** places among which the symbols lie, blanks between them; at least `count`. Default 4 times `count` */
  places?: number;
}

const go = 0;
const blank = 1;

/**
 * `s3 s1 s7 … go s3 s1 s7 …`: symbols, a sign, and the symbols again, which are the answers. Tokens: go, then symbols.
 *
 * @throws ConfigurationError naming a size that makes no sense
 */
export function copying(options: CopyingOptions = {}): Task {
  expectOptions("copying", options, { symbols: true, count: true });
  const { symbols = 16, count = 16 } = options;
  checkIntegers("copying", { symbols, count }, {});
  return defineTask({
    name: "copying",
    vocabSize: 1 + symbols,
    length: 2 * count,
    chance: 1 / symbols,
    word: (token) => (token === go ? "go" : `s${token - 1}`),
    example: (random) => {
      const shown = draw(random, count, symbols, 1);
      return copyExample(shown, shown);
    },
  });
}

/**
 * `_ s3 _ _ s1 … go s3 s1 …`: symbols among blanks, in different places each time, a sign, and the symbols in their order,
 * which are the answers. Tokens: go, blank, then symbols.
 *
 * @throws ConfigurationError naming a size that makes no sense
 */
export function selectiveCopying(options: SelectiveCopyingOptions = {}): Task {
  expectOptions("selectiveCopying", options, { symbols: true, count: true, places: true });
  const { symbols = 16, count = 16, places = 4 * count } = options;
  checkIntegers("selectiveCopying", { symbols, count, places }, {});
  if (places < count) {
    throw new ConfigurationError(`selectiveCopying: places is ${places}, wanted at least count, ${count}`);
  }
  return defineTask({
    name: "selective copying",
    vocabSize: 2 + symbols,
    length: places + count,
    chance: 1 / symbols,
    word: (token) => (token === go ? "go" : token === blank ? "_" : `s${token - 2}`),
    example(random) {
      const copied = draw(random, count, symbols, 2);
      const order = random.shuffle(Array.from({ length: places }, (_, place) => place));
      const shown = new Array<number>(places).fill(blank);
      const chosen = order.slice(0, count).sort((a, b) => a - b);
      chosen.forEach((place, i) => (shown[place] = copied[i]!));
      return copyExample(shown, copied);
    },
  });
}

function draw(random: Random, count: number, symbols: number, first: number): number[] {
  return Array.from({ length: count }, () => first + random.integer(symbols));
}

function copyExample(shown: readonly number[], copied: readonly number[]): TaskExample {
  return nextTokenExample([...shown, go, ...copied], (position) => position > shown.length);
}
