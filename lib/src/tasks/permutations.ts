/** Permutation state tracking (Merrill et al. 2024, arXiv 2404.08819): in which order are the things now? */
import { expectOptions } from "../arguments.js";
import { checkIntegers } from "../data/batch.js";
import { ConfigurationError } from "../errors.js";
import { defineTask, type Task } from "./task.js";

/** The sizes of `ms.tasks.permutations`. */
export interface PermutationsOptions {
  /** n of the group S_n: 3 can be tracked by many models, 5 not by transformers and diagonal states. Default 5 */
  degree?: 2 | 3 | 4 | 5 | 6;
  /** T: moves a sequence; default 32 */
  length?: number;
  /** every permutation, or only exchanges of two neighbours; default all */
  moves?: "all" | "swaps";
}

/**
 * Each input is a permutation of n things, applied to where all the ones before it put them; each target is the
 * permutation that they make together. All positions count. A token is a permutation's place in the alphabetical list, so
 * 0 moves nothing.
 *
 * @throws ConfigurationError naming a size that makes no sense
 */
export function permutations(options: PermutationsOptions = {}): Task {
  expectOptions("permutations", options, { degree: true, length: true, moves: true });
  const { degree = 5, length = 32, moves = "all" } = options;
  checkIntegers("permutations", { length }, {});
  if (!(Number.isInteger(degree) && degree >= 2 && degree <= 6)) {
    throw new ConfigurationError(`permutations: degree is ${degree as number}, wanted 2 to 6`);
  }
  const all = listPermutations(degree);
  const numbers = new Map(all.map((permutation, number) => [permutation.join(""), number]));
  const inputs = [...all.keys()].filter((number) => moves === "all" || isSwap(all[number]!));
  // after[a · n! + b]: the number of "first a, then b".
  const after = Int32Array.from({ length: all.length ** 2 }, (_, i) => {
    const [first, second] = [all[Math.floor(i / all.length)]!, all[i % all.length]!];
    return numbers.get(first.map((place) => second[place]).join(""))!;
  });
  return defineTask({
    name: `permutations of ${degree}`,
    vocabSize: all.length,
    length,
    chance: 1 / all.length,
    word: (token) => all[token]!.map((place) => place + 1).join(""),
    example(random) {
      const tokens = Int32Array.from({ length }, () => inputs[random.integer(inputs.length)]!);
      let state = 0;
      const targets = tokens.map((move) => (state = after[state * all.length + move]!));
      return { inputs: tokens, targets, mask: new Uint8Array(length).fill(1) };
    },
  });
}

/** All orders of 0 … n − 1, alphabetically: where each thing goes. */
function listPermutations(degree: number): number[][] {
  if (degree === 1) return [[0]];
  return Array.from({ length: degree }, (_, first) =>
    listPermutations(degree - 1).map((rest) => [first, ...rest.map((place) => (place >= first ? place + 1 : place))]),
  ).flat();
}

function isSwap(permutation: readonly number[]): boolean {
  const moved = permutation.flatMap((place, i) => (place === i ? [] : [i]));
  return moved.length === 2 && moved[1]! - moved[0]! === 1;
}
