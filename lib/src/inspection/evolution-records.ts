/** What a state did from token to token, as data for plots. */
import { jupyterDisplay, Shown, tableForms, type MimeBundle } from "../display.js";
import { ConfigurationError } from "../errors.js";
import type { GenerationEnd } from "../generation/generated-row.js";
import type { TokenLogProbability } from "../generation/log-probabilities.js";
import { differenceOf } from "../model/state-distance.js";
import type { ActivationValues } from "./activation-values.js";
import { matchingNames } from "./name-patterns.js";
import { principalComponents } from "./principal-components.js";

/** What a token did to one head's matrix. */
export interface HeadChange {
  /** ‖S‖_F after the token */
  readonly norm: number;
  /** ‖S_t − S_{t−1}‖_F: the size of the token's update */
  readonly update: number;
  /** cosine between S_t and S_{t−1} as vectors */
  readonly similarity: number;
  /** ‖S‖²_F / σ₁², when asked for */
  readonly stableRank?: number;
  /** the exponential of the entropy of σ / Σσ, when asked for */
  readonly effectiveRank?: number;
  /** the largest first, when asked for */
  readonly singularValues?: readonly number[];
}

/** One token, and what it did to the states. */
export interface EvolutionRecord {
  /** of the records, from 0 */
  readonly index: number;
  /** the token's number from the beginning of the text */
  readonly position: number;
  readonly token: number;
  /** the text that became certain with it; empty without a tokenizer */
  readonly text: string;
  /** where it comes from: the prompt, the model's own choice, or a text to be followed */
  readonly source: "prompt" | "generated" | "text";
  /** −log p, nats: how little the model expected it. Absent where nothing was predicted yet */
  readonly surprise?: number;
  /** the tokens the model held most likely, when asked for */
  readonly mostLikely?: readonly TokenLogProbability[];
  /** by name of the state, e.g. `blocks.0.state.wkv`, a change a head */
  readonly states: ReadonlyMap<string, readonly HeadChange[]>;
  /** the matrices after the token, `[head, value, key]`, of every k-th record when asked for */
  readonly matrices?: ReadonlyMap<string, ActivationValues>;
  /** on the last generated token: why it is the last */
  readonly end?: GenerationEnd;
}

/** The numbers of {@link HeadChange}. */
export type ChangeStatistic = "norm" | "update" | "similarity" | "stableRank" | "effectiveRank";

/** The states' path in few coordinates. */
export interface EvolutionPath {
  /** a row a record that has matrices; at least two columns */
  readonly points: readonly (readonly [number, number, ...number[]])[];
  /** the tokens, as a person reads them */
  readonly labels: readonly string[];
  /** the portion of all variance that each coordinate has */
  readonly explained: readonly number[];
}

/** Records put together; the methods give what the plots take. Shows itself as a table of its last tokens. */
export class RecordedEvolution extends Shown {
  /** @param records in the order of the text */
  constructor(readonly records: readonly EvolutionRecord[]) {
    super();
  }

  /** The whole text. */
  get text(): string {
    return this.records.map(({ text }) => text).join("");
  }

  /** Each token as a person reads it: its text, or its number where there is none. */
  get labels(): string[] {
    return this.records.map(labelOf);
  }

  /** −log p of each token, nats; NaN where nothing was predicted. */
  get surprise(): number[] {
    return this.records.map(({ surprise = NaN }) => surprise);
  }

  /** Names of the states. */
  get names(): string[] {
    return [...(this.records[0]?.states.keys() ?? [])];
  }

  /**
   * A statistic over the tokens, a line a head, for `ms.plots.overTokens`: `series("update", "blocks.0.state.*")`.
   *
   * @param states patterns of names; default all
   * @throws ConfigurationError when no state is named so, or the statistic was not asked for
   */
  series(statistic: ChangeStatistic, states: string | readonly string[] = "**"): Record<string, number[]> {
    const lines: Record<string, number[]> = {};
    for (const name of matchingNames("series", states, this.names)) {
      this.records.forEach(({ states: changes }, i) =>
        changes.get(name)!.forEach((change, head) => {
          const value = change[statistic];
          if (value === undefined) {
            throw new ConfigurationError(
              `series: "${statistic}" was not recorded: pass statistics: ["${statistic}"] to ms.evolution`,
            );
          }
          (lines[`${name}, head ${head}`] ??= [])[i] = value;
        }),
      );
    }
    return lines;
  }

  /**
   * One head's matrix after each token that has one, for `ms.plots.stateEvolution`.
   *
   * @throws ConfigurationError when there are no matrices; RangeError when there is no such head
   */
  frames(state: string, head = 0): { label: string; token: number; matrix: number[][] }[] {
    return this.withMatrices("frames").map((record) => ({
      label: labelOf(record),
      token: record.index,
      matrix: this.matrixOf(record, state).select({ head }).matrix(),
    }));
  }

  /**
   * The path of states in their principal components, for `ms.plots.trajectory`. Several states together are one vector.
   *
   * @param states patterns of names; default all
   * @param others further runs of the same model, on the same coordinates: two prompts that diverge, in one plot
   * @returns this run's path, then one for each of the others
   * @throws ConfigurationError when there are no matrices; RangeError when there are fewer than two
   */
  paths(
    states: string | readonly string[] = "**",
    { components = 2, others = [] }: { components?: number; others?: readonly RecordedEvolution[] } = {},
  ): EvolutionPath[] {
    const names = matchingNames("paths", states, this.names);
    const runs = [this, ...others].map((run) => run.withMatrices("paths"));
    const vectors = runs.flat().map((record) => {
      const parts = names.map((name) => this.matrixOf(record, name).data);
      const vector = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
      let at = 0;
      for (const part of parts) {
        vector.set(part, at);
        at += part.length;
      }
      return vector;
    });
    const { points, explained } = principalComponents(vectors, Math.max(2, components));
    let from = 0;
    return runs.map((run) => {
      const own = points.slice(from, (from += run.length)) as unknown as EvolutionPath["points"];
      return { points: own, labels: run.map(labelOf), explained };
    });
  }

  /**
   * How far apart this run's states and another's are after the same number of tokens, for `ms.plots.overTokens`: ‖S − S′‖_F
   * divided by the larger of both norms, a line a state, all its heads together; 0 where they are equal.
   *
   * @param other a run of the same model with as many tokens
   * @param states patterns of names; default all
   * @throws ConfigurationError when there are no matrices, or not as many as here
   */
  distances(other: RecordedEvolution, states: string | readonly string[] = "**"): Record<string, number[]> {
    const [mine, theirs] = [this.withMatrices("distances"), other.withMatrices("distances")];
    if (mine.length !== theirs.length) {
      throw new ConfigurationError(
        `distances: matrices of ${mine.length} tokens and of ${theirs.length}, wanted texts of the same number of tokens`,
      );
    }
    const names = matchingNames("distances", states, this.names);
    return Object.fromEntries(
      names.map((name) => [
        name,
        mine.map((record, i) => {
          const [own, its] = [this.matrixOf(record, name), this.matrixOf(theirs[i]!, name)];
          return differenceOf(own.data, its.data).relative;
        }),
      ]),
    );
  }

  [jupyterDisplay](): MimeBundle {
    const short = (x: number | undefined): string => (x === undefined ? "" : x.toFixed(2));
    const rows = [
      ["token", "text", "from", "surprise (nats)", "update, mean of heads"],
      ...this.records.slice(-12).map(({ token, text, source, surprise, states }) => {
        const updates = [...states.values()].flat().map(({ update }) => update);
        const mean = updates.reduce((sum, x) => sum + x, 0) / updates.length;
        return [String(token), JSON.stringify(text), source, short(surprise), short(mean)];
      }),
    ];
    const title = `${this.records.length} tokens; the last:`;
    return tableForms(rows, title);
  }

  private withMatrices(caller: string): EvolutionRecord[] {
    const records = this.records.filter(({ matrices }) => matrices);
    if (records.length > 0) return records;
    throw new ConfigurationError(`${caller}: no matrices were recorded: pass matricesEvery: 1 to ms.evolution`);
  }

  private matrixOf({ matrices }: EvolutionRecord, name: string): ActivationValues {
    const found = matrices!.get(name);
    if (found) return found;
    throw new ConfigurationError(`there is no state "${name}" here, wanted one of ${this.names.join(", ")}`);
  }
}

function labelOf({ text, token }: EvolutionRecord): string {
  return text === "" ? String(token) : text;
}
