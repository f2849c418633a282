// @ts-check
// One part of benchmarks/gpu.mjs, in a process of its own: our figures. Its argument is JSON, its answers lines of JSON.
// Times are the GPU's own between two events, or of the clock where the host takes part.

const asked = JSON.parse(process.argv[2] ?? "{}");
const ms = await import("metastate");
const tf = await import("@tensorflow/tfjs-core");
const kernels = await import("@metastate/kernels-cuda");

/** @param {object} what */
const say = (what) => console.log(JSON.stringify(what));

const addon = kernels.loadCudaAddon({ emulated: asked.emulated });
if (!("binding" in addon)) {
  console.error(`the GPU cannot be measured: ${addon.reason}\n${addon.remedy}`);
  process.exit(2);
}
const { binding, device } = addon;
ms.registerEngine(asked.emulated ? kernels.cudaEmulatedEngine : kernels.cudaEngine);
const engine = await ms.startEngine({ backend: asked.emulated ? "cuda-emulated" : "cuda", log: () => {} });
say({ about: { device, versions: engine.versions() } });
const rounds = asked.emulated ? 1 : asked.quick ? 5 : 20;
const callsOfRound = asked.emulated ? 1 : 10;

/**
 * Milliseconds of one call on the GPU: the least of several samples, after a warm-up.
 *
 * @param {() => unknown} run
 */
async function onGpu(run) {
  const once = () => tf.tidy(() => void run());
  once();
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const stop = binding.startTimer();
    for (let call = 0; call < callsOfRound; call++) once();
    least = Math.min(least, (await stop()) / callsOfRound);
  }
  return least;
}

/** Milliseconds of one call by the clock, the GPU's work included. @param {() => Promise<unknown> | unknown} run */
async function byClock(run, calls = callsOfRound) {
  await run();
  binding.synchronize();
  let least = Infinity;
  for (let round = 0; round < Math.min(rounds, 5); round++) {
    const begin = performance.now();
    for (let call = 0; call < calls; call++) await run();
    binding.synchronize();
    least = Math.min(least, (performance.now() - begin) / calls);
  }
  return least;
}

const source = new ms.Random(1);

/**
 * A tensor of numbers between two, which takes some ten nanoseconds for each. By tfjs's normal ones the matrices of `products`
 * would take twenty seconds of its ninety.
 *
 * @param {number[]} shape
 * @param {number} low
 * @param {number} high
 */
function random(shape, low, high) {
  const values = new Float32Array(tf.util.sizeFromShape(shape));
  for (let i = 0; i < values.length; i++) values[i] = source.uniform(low, high);
  return tf.tensor(values, shape);
}

async function products() {
  for (const precision of engine.precisions) {
    engine.setPrecision(precision);
    for (const side of asked.sides) {
      const [a, b] = [1, 2].map(() => random([side, side], -1, 1));
      const milliseconds = await onGpu(() => tf.matMul(/** @type {any} */ (a), /** @type {any} */ (b)));
      say({
        what: "matrix product",
        case: `${precision} ${side}`,
        milliseconds,
        gflops: (2 * side ** 3) / 1e6 / milliseconds,
      });
      tf.dispose([a, b]);
    }
  }
}

async function memory() {
  const x = tf.ones([asked.bytes / 4]);
  const milliseconds = await onGpu(() => tf.relu(x));
  const gigabytesPerSecond = (2 * asked.bytes) / 1e6 / milliseconds;
  say({ what: "relu, read and written", case: `${asked.bytes} bytes`, milliseconds, gigabytesPerSecond });
  x.dispose();
}

async function smallOps() {
  const one = tf.ones([1]);
  const calls = asked.emulated ? 1 : 2000;
  const launched = await byClock(() => tf.tidy(() => void tf.relu(one)), calls);
  say({ what: "one small op", case: "launched", milliseconds: launched });
  const read = await byClock(async () => {
    const y = tf.relu(one);
    await y.data();
    y.dispose();
  });
  say({ what: "one small op", case: "with its value", milliseconds: read });
  // A token of a model asks for some hundred tensors: what our list of freed blocks takes for one, and what it spares.
  const given = await byClock(() => binding.free(binding.allocate(4096)), calls);
  say({ what: "memory of one small op", case: "given out and taken back", milliseconds: given });
  // Beyond 4 MiB the driver is asked each time, for what its pool has.
  const byDriver = await byClock(() => binding.free(binding.allocate(5 * 2 ** 20)), calls);
  say({ what: "memory of one small op", case: "by the driver's pool", milliseconds: byDriver });
}

async function wkv7() {
  for (const shape of asked.shapes) {
    const [batch, time, heads, size] = shape;
    const reach = 1 / Math.sqrt(size);
    const inputs = Object.fromEntries(["r", "k", "v", "a", "b"].map((name) => [name, random(shape, -reach, reach)]));
    inputs["w"] = random(shape, 0.6, 0.999);
    inputs["state"] = tf.zeros([batch, heads, size, size]);
    const tokens = batch * time;
    const of = shape.join("×");
    const run = (/** @type {string} */ name, /** @type {object} */ given, interval = 16) =>
      /** @type {any} */ (tf.engine()).runKernel(name, given, { checkpointInterval: interval });
    const tell = (/** @type {string} */ what, /** @type {number} */ milliseconds, /** @type {object} */ more = {}) =>
      say({ what, case: of, milliseconds, tokensPerSecond: (1000 * tokens) / milliseconds, ...more });
    tell("Wkv7 forward", await onGpu(() => run("Wkv7", inputs, 0)));
    const [y, finalState, checkpoints] = run("Wkv7", inputs);
    const given = { ...inputs, checkpoints, dy: y, dFinalState: finalState };
    tell("Wkv7 backward", await onGpu(() => run("Wkv7Grad", given)));
    await wkv7Forms(shape, { ...given, finalState }, tell);
    tf.dispose([y, finalState, checkpoints, inputs]);
  }
}

/**
 * Both forms by themselves: which is quicker for which shape is what `wkv7Form` has to know.
 *
 * @param {[number, number, number, number]} shape
 * @param {Record<string, any>} tensors
 * @param {(what: string, milliseconds: number) => void} tell
 */
async function wkv7Forms(shape, tensors, tell) {
  const backend = /** @type {any} */ (tf.backend());
  const at = (/** @type {string} */ name) => backend.floats(tensors[name]);
  const transition = ["r", "w", "k", "v", "a", "b"].map(at);
  const made = ["y", "finalState", "checkpoints", "r", "w", "k", "v", "a", "b", "state"].map((name) =>
    binding.allocate(4 * (name === "y" ? tensors["dy"] : tensors[name]).size),
  );
  const call = /** @type {Record<string, (...given: unknown[]) => void>} */ (/** @type {unknown} */ (binding));
  try {
    for (const form of ["recurrent", "chunked"]) {
      const forward = () => call["wkv7"]?.(...shape, 16, ...transition, at("state"), ...made.slice(0, 3), form);
      const backward = () =>
        call["wkv7Grad"]?.(
          ...shape,
          16,
          ...transition,
          ...["checkpoints", "dy", "dFinalState"].map(at),
          ...made.slice(3),
          form,
        );
      tell(`Wkv7 forward, ${form}`, await onGpu(forward));
      tell(`Wkv7 backward, ${form}`, await onGpu(backward));
    }
  } finally {
    for (const address of made) binding.free(address);
  }
}

/**
 * Milliseconds of a step of writing, from its tokens to their logits on the host; in one step, the launches of our kernels, how
 * often the driver was asked for memory, and the bytes that tfjs's kernels take and give.
 *
 * @param {import("metastate").Model} of
 * @param {number} texts side by side
 */
async function decoding(of, texts) {
  const tokens = Array.from({ length: texts }, () => [1]);
  let { logits, state } = of.forward(tokens);
  const step = async () => {
    logits.dispose();
    const next = of.forward(tokens, state);
    state.dispose();
    ({ logits, state } = next);
    await logits.data();
  };
  for (let i = 0; i < 3; i++) await step();
  const counts = () => ({ launches: binding.launches(), memoryRequests: binding.memory().requests });
  const before = counts();
  await step();
  const after = counts();
  const { rows } = await ms.profile(step, { peak: false });
  const megabytes = rows.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6;
  const milliseconds = await byClock(step);
  logits.dispose();
  state.dispose();
  return {
    milliseconds,
    launches: after.launches - before.launches,
    memoryRequests: after.memoryRequests - before.memoryRequests,
    megabytes,
  };
}

/**
 * As on an engine that has no kernels of one token.
 *
 * @template T
 * @param {() => Promise<T>} run
 */
async function withoutTokenKernels(run) {
  const names = ["BlocksToken", "TimeMixingToken"];
  const own = names.map((name) => tf.getKernel(name, tf.getBackend()));
  for (const kernel of own) tf.unregisterKernel(kernel.kernelName, kernel.backendName);
  try {
    return await run();
  } finally {
    for (const kernel of own) tf.registerKernel(kernel);
  }
}

async function model() {
  const { batchSize, length } = asked;
  const ours = ms.createModel(asked.model, { seed: 1 });
  const { vocabSize, width, layers, headSize, heads, parameterTokens, sse, lowRank } = ours.configuration;
  say({ configuration: { vocabSize, width, layers, headSize, heads, parameterTokens, sse, lowRank } });
  let parameters = 0;
  for (const variable of ours.parameters.values()) parameters += variable.size;
  const text = Int32Array.from({ length: 65536 }, (_, i) => (i * 7919) % 251);
  const steps = ms.train(ours, ms.data.batches(text, { batchSize, length, seed: 1 }), {
    steps: Number.MAX_SAFE_INTEGER,
    warmup: 0,
    schedule: "constant",
    learningRate: 1e-5,
  });
  const of = `${parameters} parameters`;
  // Decoding before training: what training leaves behind cannot slow it down. Both ways in turn, so that a GPU which grows
  // warm is no difference between them.
  for (const texts of asked.emulated ? [1] : [1, 8]) {
    const figures = { "": Infinity, ", op by op": Infinity };
    const counts = { "": {}, ", op by op": {} };
    for (let turn = 0; turn < (asked.emulated ? 1 : 3); turn++) {
      for (const way of /** @type {(keyof typeof figures)[]} */ (Object.keys(figures))) {
        const measure = () => decoding(ours, texts);
        const { milliseconds, ...counted } = await (way ? withoutTokenKernels(measure) : measure());
        figures[way] = Math.min(figures[way], milliseconds);
        counts[way] = counted;
      }
    }
    for (const way of /** @type {(keyof typeof figures)[]} */ (Object.keys(figures))) {
      const milliseconds = figures[way];
      say({
        what: `decoding, one token${texts === 1 ? "" : ` of ${texts} texts`}${way}`,
        case: of,
        milliseconds,
        tokensPerSecond: (1000 * texts) / milliseconds,
        gigabytesPerSecond: (4 * parameters) / 1e6 / milliseconds,
        ...counts[way],
      });
    }
  }
  for (const precision of engine.precisions) {
    engine.setPrecision(precision);
    const step = await byClock(() => steps.next(), asked.emulated ? 1 : 3);
    const tokensPerSecond = (1000 * batchSize * length) / step;
    const what = `training step, ${precision}`;
    say({ what, case: of, batchSize, length, milliseconds: step, tokensPerSecond });
  }
  await steps.return();
  say({ what: "memory", case: of, ...binding.memory(), fallbacks: Object.fromEntries(kernels.hostFallbacks) });
}

const name = String(asked.part);
const parts = { products, memory, "small ops": smallOps, wkv7, model };
const run = parts[/** @type {keyof typeof parts} */ (name.startsWith("model") ? "model" : name)];
await run();
process.exit(0);
