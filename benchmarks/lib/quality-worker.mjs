// @ts-check
// A process of the quality benchmark: trains what it is sent, one after the other, and sends back what came of it.

import * as ms from "metastate";

/** @typedef {import("./quality-plan.mjs").Experiment} Experiment */

try {
  const { nativeEngine, nativeKernels } = await import("@metastate/kernels-cuda");
  ms.registerEngine(nativeEngine);
  ms.registerKernels(nativeKernels);
} catch {
  // Without the native engine it takes longer.
}
const { name, device, kernels } = await ms.startEngine({ log: () => {} });
const engine = [`${name} (${device})`, ...kernels.map(({ provider, detail }) => `${provider} (${detail})`)].join(
  " with ",
);

process.on("message", async (/** @type {{experiment: Experiment, model: string, seed: number}} */ job) => {
  try {
    const run = job.experiment.growth ? await growth(job) : await training(job);
    process.send?.({ run, engine });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
// What nobody waits for need not be trained.
process.on("disconnect", () => process.exit());
process.send?.({ ready: true });

/** @param {Experiment} experiment */
function data({ source }) {
  if ("task" in source) return { task: ms.tasks[source.task](/** @type {any} */ (source.options)) };
  const { train, validation } = ms.data.split(ms.byteTokenizer().encode(ms.data[source.text]()));
  return { text: { train, validation, length: source.length } };
}

/**
 * @param {{experiment: Experiment, model: string, seed: number}} job
 * @returns {Promise<ms.ComparedRun>}
 */
async function training({ experiment, model, seed }) {
  const { source, batchSize, train, every, measure, threshold, models } = experiment;
  const comparing = ms.compare({
    models: { [model]: /** @type {any} */ ({ ...models[model], ...("text" in source && { vocabSize: 256 }) }) },
    ...data(experiment),
    seeds: [seed],
    batchSize,
    train,
    evaluate: { every, ...("text" in source ? { tokens: source.tokens } : { batches: source.batches }) },
    measure,
    ...(threshold !== undefined && { threshold }),
  });
  return (await comparing.result()).runs[0];
}

/**
 * Two trainings on the batches of one: the first at a constant rate, the second falling. The model may grow in between, or
 * begin there.
 *
 * @param {{experiment: Experiment, model: string, seed: number}} job
 * @returns {Promise<ms.ComparedRun>}
 */
async function growth({ experiment, model: name, seed }) {
  const { source, batchSize, train, growth, models } = experiment;
  const { grows, from, ...sizes } = /** @type {any} */ (models[name]);
  const text = data(experiment).text;
  if (!text || !growth || "task" in source) throw new Error("growth is measured on a text");
  const started = performance.now();
  let model = ms.createModel({ ...sizes, vocabSize: 256 }, { seed });
  const curve = [];
  let tokens = 0;
  const phases = [
    { begin: 1, end: growth.at, schedule: /** @type {const} */ ("constant") },
    { begin: growth.at + 1, end: train.steps, schedule: /** @type {const} */ ("cosine") },
  ].filter(({ begin }) => begin >= from);
  for (const [i, { begin, end, schedule }] of phases.entries()) {
    if (grows && i === 1) {
      const small = model;
      model = ms.grow(small, growth.sizes, { seed });
      small.dispose();
    }
    const batches = ms.data.batches(text.train, { batchSize, length: text.length, seed, start: begin - 1 });
    for await (const { step, loss } of ms.train(model, batches, { ...train, steps: end - begin + 1, schedule })) {
      tokens += batchSize * text.length;
      if (step % 10 === 0) curve.push({ step: begin - 1 + step, loss: Number(loss.toPrecision(5)) });
    }
  }
  const { loss, accuracy } = await ms.evaluate(model, text.validation, {
    length: text.length,
    batchSize,
    tokens: source.tokens,
  });
  const { parameterCount } = model;
  model.dispose();
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  return { model: name, seed, parameterCount, tokens, loss, accuracy, reachedAt: null, curve, seconds };
}
