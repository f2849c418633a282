// @ts-check
// What the quality benchmark trains: plain data, so that a run's configuration is its name in the file of results.

/**
 * @typedef {object} Experiment
 * @property {string} id
 * @property {string} title
 * @property {string} question what it is to find out
 * @property {Source} source
 * @property {number} batchSize
 * @property {import("metastate").CompareTraining} train
 * @property {number} every measured every so many steps
 * @property {"loss" | "accuracy"} measure
 * @property {number} [threshold] the accuracy whose first step is told
 * @property {Record<string, object>} models options of `ms.createBaseline`, without vocabSize; the first is tested against
 * @property {Growth} [growth] instead of one training: two, the model growing between them
 * @property {string} expected the figures that the formulation was settled by, for the reader
 * @property {Seen[]} [claims] what of it can be held against the figures here
 */

/**
 * @typedef {{text: "mobyDick" | "stateOfTheUnion", length: number, tokens: number} |
 *   {task: "associativeRecall" | "permutations", options: object, batches: number}} Source
 */

/**
 * @typedef {object} Growth
 * @property {object} sizes what grows, as `ms.grow` takes it
 * @property {number} at the step after which it grows
 */

/**
 * A claim: of two models, the sign that the difference of the first minus the second should have, or 0 for none.
 *
 * @typedef {{model: string, against: string, sign: -1 | 0 | 1, says: string}} Seen
 */

const text = { width: 64, layers: 2, headSize: 32 };
const small = { width: 32, layers: 2, headSize: 16 };

/** The four kinds at the width of the first, inner sizes chosen so that all have as many parameters. */
const kinds = (/** @type {object} */ sizes, /** @type {number} */ parameterCount) => ({
  "RWKV-7": { kind: "rwkv7", ...sizes, parameterCount },
  "Meta-State, sse": { kind: "meta-state", sse: "sse", ...sizes, parameterCount },
  "Meta-State, meta": { kind: "meta-state", sse: "meta", ...sizes, parameterCount },
  Transformer: { kind: "transformer", ...sizes, parameterCount },
  TokenFormer: { kind: "tokenformer", ...sizes, parameterCount },
});

/** State tracking with the default transition, and with the wider one. */
const trackers = (/** @type {number} */ parameterCount) => {
  const { Transformer, TokenFormer, ...recurrent } = kinds(small, parameterCount);
  const { "RWKV-7": rwkv7, "Meta-State, sse": sse } = recurrent;
  return {
    "RWKV-7": rwkv7,
    "Meta-State, sse": sse,
    "RWKV-7, aScale 2": { ...rwkv7, aScale: 2 },
    "Meta-State, sse, aScale 2": { ...sse, aScale: 2 },
    Transformer,
    TokenFormer,
  };
};

/**
 * How state is tracked, and what of it is claimed.
 *
 * @satisfies {Partial<Experiment>}
 */
const tracking = /** @type {const} */ ({
  batchSize: 32,
  train: { steps: 400, learningRate: 5e-3 },
  every: 25,
  measure: "accuracy",
  threshold: 0.9,
  claims: [
    { model: "Meta-State, sse", against: "RWKV-7", sign: 0, says: "no effect of `sse`" },
    { model: "RWKV-7, aScale 2", against: "RWKV-7", sign: 1, says: "`aScale: 2` helps RWKV-7" },
    { model: "Meta-State, sse, aScale 2", against: "Meta-State, sse", sign: 1, says: "`aScale: 2` helps `sse`" },
  ],
});

/** @type {readonly Experiment[]} */
export const experiments = [
  {
    id: "recall",
    title: "Associative recall: 8 pairs of 24 keys and 24 values",
    question: "Which value came with this key? The portion of right answers after training, and when 90 % was reached.",
    source: { task: "associativeRecall", options: { pairs: 8, keys: 24, values: 24 }, batches: 8 },
    batchSize: 32,
    train: { steps: 400, learningRate: 8e-3 },
    every: 25,
    measure: "accuracy",
    threshold: 0.9,
    models: kinds(small, 37_700),
    expected:
      "With C 64 (here C 32): `meta` and `sse` reach 90 % at step 100 in every seed, RWKV-7 at 350 or not within 500.",
    claims: [
      { model: "Meta-State, sse", against: "RWKV-7", sign: 1, says: "`sse` above RWKV-7" },
      { model: "Meta-State, meta", against: "RWKV-7", sign: 1, says: "`meta` above RWKV-7" },
    ],
  },
  {
    id: "permutations-3",
    title: "State tracking: permutations of 3 things (S3), 16 moves",
    question: "Which permutation have the moves so far made? The portion of positions that are right.",
    source: { task: "permutations", options: { degree: 3, length: 16 }, batches: 8 },
    ...tracking,
    models: trackers(33_500),
    expected: "No effect of Meta-State; `aScale: 2` helps both models.",
  },
  {
    id: "permutations-5",
    title: "State tracking: permutations of 5 things (S5), 16 exchanges of neighbours",
    question:
      "The same with 120 permutations, whose group is not solvable: harder for any model of fixed depth. A move is an exchange of two " +
      "neighbours; of all 120 moves none of the models learns anything in so many steps.",
    source: { task: "permutations", options: { degree: 5, length: 16, moves: "swaps" }, batches: 8 },
    ...tracking,
    models: trackers(42_300),
    expected: "No figure for S5; of S3: no effect of Meta-State, `aScale: 2` helps both models.",
  },
  {
    id: "growth",
    title: "Growth: 128 parameter tokens become 512 in the middle of 600 steps, Moby-Dick",
    question:
      "Is what a small model has learned worth keeping when it becomes larger? The rate is constant in the first half and falls in the " +
      "second, where the optimiser begins anew for all.",
    source: { text: "mobyDick", length: 128, tokens: 65_536 },
    batchSize: 4,
    train: { steps: 600, learningRate: 5e-3 },
    every: 600,
    measure: "loss",
    models: {
      grown: { ...text, parameterTokens: 128, grows: true, from: 1 },
      "small, not grown": { ...text, parameterTokens: 128, from: 1 },
      "large, on the second half alone": { ...text, parameterTokens: 512, from: 301 },
      "large, on all steps": { ...text, parameterTokens: 512, from: 1 },
    },
    growth: { sizes: { parameterTokens: 512 }, at: 300 },
    expected:
      "At C 96, L 3, 192 → 768 tokens: 1.631, 1.623 grown against 1.649, 1.640 for the small model continued, 1.747 for the " +
      "large one from scratch on the last 300 steps, and 1.609, 1.606 for the large one on all 600.",
    claims: [
      { model: "small, not grown", against: "grown", sign: 1, says: "grown below the small model continued" },
      {
        model: "large, on the second half alone",
        against: "grown",
        sign: 1,
        says: "grown below the large model from scratch on the steps that are left",
      },
      { model: "large, on all steps", against: "grown", sign: -1, says: "the large model on all steps below grown" },
    ],
  },
  ...["mobyDick", "stateOfTheUnion"].map((name) => ({
    id: name === "mobyDick" ? "moby-dick" : "state-of-the-union",
    title: name === "mobyDick" ? "Moby-Dick, by bytes" : "State of the Union addresses, by bytes",
    question: "The loss on the last tenth of the text, which no model has seen.",
    source: { text: /** @type {"mobyDick" | "stateOfTheUnion"} */ (name), length: 128, tokens: 65_536 },
    batchSize: 4,
    train: { steps: 600, learningRate: 5e-3 },
    every: 300,
    measure: /** @type {const} */ ("loss"),
    models: kinds(text, 158_400),
    expected:
      name === "mobyDick"
        ? "At C 96, L 3, T 256: Transformer 1.726 ± .015, RWKV-7 1.653 ± .010, `meta` 1.631 ± .001, `sse` 1.633 ± .003."
        : "Of the union of both texts, 1,200 steps: RWKV-7 1.559, 1.556; `meta` 1.527, 1.545.",
    claims: [
      { model: "Meta-State, sse", against: "RWKV-7", sign: /** @type {const} */ (-1), says: "`sse` below RWKV-7" },
      { model: "Meta-State, meta", against: "RWKV-7", sign: /** @type {const} */ (-1), says: "`meta` below RWKV-7" },
      { model: "Transformer", against: "RWKV-7", sign: /** @type {const} */ (1), says: "the Transformer above RWKV-7" },
    ],
  })),
];

/** The same in a minute or two: it shows that everything runs, and nothing else. */
export const quick = experiments.map((experiment) => ({
  ...experiment,
  train: { ...experiment.train, steps: 8 },
  every: 8,
  ...(experiment.growth && { growth: { ...experiment.growth, at: 4 } }),
  source: "text" in experiment.source ? { ...experiment.source, tokens: 1024 } : { ...experiment.source, batches: 1 },
}));

/**
 * One training.
 *
 * @typedef {object} Job
 * @property {string} key the run's configuration as JSON: what its result is kept under
 * @property {Experiment} experiment
 * @property {string} model
 * @property {number} seed
 */

/**
 * All trainings: every experiment with the first seed, then with the second, so that what there is can be compared at any
 * time.
 *
 * @param {readonly Experiment[]} list
 * @param {readonly number[]} seeds
 * @returns {Job[]}
 */
export function jobs(list, seeds) {
  return seeds.flatMap((seed) =>
    list.flatMap((experiment) =>
      Object.keys(experiment.models).map((model) => ({
        key: runKey(experiment, model, seed),
        experiment,
        model,
        seed,
      })),
    ),
  );
}

/**
 * All that a run depends on but the code: neither the titles nor what the model is called.
 *
 * @param {Experiment} experiment
 * @param {string} model
 * @param {number} seed
 */
export function runKey({ source, batchSize, train, every, threshold, growth, models }, model, seed) {
  return JSON.stringify({ source, batchSize, train, every, threshold, growth, model: models[model], seed });
}
