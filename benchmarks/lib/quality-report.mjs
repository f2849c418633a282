// @ts-check
// docs/results.md, out of the runs that there are.

import { Comparison, pairedTest } from "metastate";

/** @typedef {import("./quality-plan.mjs").Experiment} Experiment */
/** @typedef {{key: string, run: import("metastate").ComparedRun, machine?: string, commit?: string, engine?: string, date: string}} Kept */

/** No difference is claimed above this probability of chance. */
const significance = 0.05;

/**
 * @param {object} results
 * @param {readonly Experiment[]} results.experiments
 * @param {readonly number[]} results.seeds
 * @param {ReadonlyMap<string, Kept>} results.runs by key
 * @param {(experiment: Experiment, model: string, seed: number) => string} results.keyOf
 * @returns {string} Markdown
 */
export function report({ experiments, seeds, runs, keyOf }) {
  const all = experiments.flatMap((experiment) =>
    seeds.flatMap((seed) => Object.keys(experiment.models).map((model) => runs.get(keyOf(experiment, model, seed)))),
  );
  const there = all.filter((kept) => kept !== undefined);
  const distinct = (/** @type {(string | undefined)[]} */ values) =>
    [...new Set(values.filter((value) => value !== undefined))].sort();
  const dates = distinct(there.map(({ date }) => date));
  const machines = distinct(there.map(({ machine }) => machine));
  const engines = distinct(there.map(({ engine }) => engine));
  const commits = distinct(there.map(({ commit }) => commit));
  const sections = experiments.map((experiment) => section(experiment, seeds, runs, keyOf));
  return [
    "# Results",
    "",
    "Meta-State, RWKV-7, a Transformer and TokenFormer trained alike, at equal parameters and on equal tokens. These are small",
    "models, trained for minutes: what a difference is here need not be one at scale.",
    "",
    "```",
    "npm run bench:quality               # all of it: about an hour on one core; goes on where it was stopped",
    "npm run bench:quality -- --report   # this page again, from benchmarks/results/quality.json",
    "```",
    "",
    `${there.length} of ${all.length} trainings have finished. Machine: ${[...machines, ...engines].join("; ") || "none yet"}.`,
    `Dates: ${dates.length > 1 ? `${dates[0]} to ${dates.at(-1)}` : (dates[0] ?? "none")}. Commits: ${commits.join(", ") || "none"}.`,
    "",
    "- A model's width, layers and head size are the same for all; the inner size of its channel mixing is what makes the number",
    "  of parameters equal. The Transformer is pre-norm with rotary positions and SwiGLU.",
    "- A seed draws first values and batches: all models of a seed learn from the same tokens, in the same order. Learning rate,",
    "  schedule (cosine after a warm-up) and AdamW are the same for all; none was tuned for any.",
    "- ± is the sample standard deviation over the seeds. Differences are seed by seed, with the p value of a paired t-test, two",
    `  sides; above ${significance} they are called noise. With three seeds the test is blunt: a difference has to be several times`,
    "  its spread, and one in twenty tests of nothing is below the line. Nothing is corrected for the number of tests.",
    "- *Expected* are the figures that the formulation of Meta-State was settled by: PyTorch, larger set-ups as noted, other seeds.",
    "",
    ...sections,
  ].join("\n");
}

/**
 * @param {Experiment} experiment
 * @param {readonly number[]} seeds
 * @param {ReadonlyMap<string, Kept>} runs
 * @param {(experiment: Experiment, model: string, seed: number) => string} keyOf
 */
function section(experiment, seeds, runs, keyOf) {
  const { title, question, expected, measure, train, threshold, source, batchSize } = experiment;
  const own = seeds.flatMap((seed) =>
    Object.keys(experiment.models).flatMap((model) => {
      const kept = runs.get(keyOf(experiment, model, seed));
      return kept ? [{ ...kept.run, model }] : [];
    }),
  );
  const shape = "text" in source ? `batches of ${batchSize} × ${source.length}` : `batches of ${batchSize}`;
  const lines = [
    `## ${title}`,
    "",
    `${question} ${train.steps} steps, ${shape}, learning rate ${train.learningRate}.`,
    "",
  ];
  if (own.length === 0) return [...lines, "No training has finished yet.", ""].join("\n");
  const comparison = new Comparison(own, {
    measure,
    steps: train.steps,
    ...(threshold !== undefined && { threshold }),
  });
  // Models are told apart by what they compute on other tokens here: the growth section says so itself.
  const notes = experiment.growth ? [] : comparison.notes;
  return [
    ...lines,
    table(comparison.cells()),
    "",
    ...notes.map((note) => `- ${note}`),
    ...(notes.length > 0 ? [""] : []),
    `*Expected:* ${expected}`,
    "",
    ...claims(experiment, own).map((line) => `- ${line}`),
    "",
  ].join("\n");
}

/**
 * A sentence on each expected difference: seen, not seen, or the other way round.
 *
 * @param {Experiment} experiment
 * @param {readonly import("metastate").ComparedRun[]} runs
 * @returns {string[]}
 */
export function claims({ claims = [], measure }, runs) {
  return claims.map(({ model, against, sign, says }) => {
    const of = (/** @type {string} */ name) =>
      new Map(runs.filter((run) => run.model === name).map((run) => [run.seed, run[measure]]));
    const others = of(against);
    const differences = [...of(model)].flatMap(([seed, value]) => {
      const other = others.get(seed);
      return value === null || other === null || other === undefined ? [] : [value - other];
    });
    if (differences.length === 0) return `Expected: ${says}. Not measured yet.`;
    const { mean, p, pairs } = pairedTest(differences);
    const size = measure === "loss" ? Math.abs(mean).toFixed(3) : `${(100 * Math.abs(mean)).toFixed(1)} points`;
    if (pairs < 2) return `Expected: ${says}. One seed so far, which differs by ${mean < 0 ? "-" : ""}${size}.`;
    const chance = `${size}, p ${p < 0.001 ? "< 0.001" : p.toPrecision(2)}, ${pairs} seeds`;
    const noise = !(p < significance);
    if (sign === 0)
      return `Expected: ${says}. ${noise ? `So it is here, within noise` : `Here there is one`} (${chance}).`;
    if (noise) return `Expected: ${says}. Here the difference is within noise (${mean < 0 ? "-" : ""}${chance}).`;
    return `Expected: ${says}. ${Math.sign(mean) === sign ? "So it is here" : "Here it is the other way round"} (${chance}).`;
  });
}

/** @param {readonly (readonly string[])[]} rows the first is the head */
function table([head, ...rows]) {
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
