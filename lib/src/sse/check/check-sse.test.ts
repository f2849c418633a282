import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../../display.js";
import { grow } from "../../growth/grow.js";
import type { Filler } from "../../model/initial-values.js";
import { createModel } from "../../model/model.js";
import { stopGradient } from "../../ops/stop-gradient.js";
import { useBackend } from "../../testing.js";
import type { SseContext } from "../context.js";
import { defineSse } from "../define-sse.js";
import { sseVariants } from "../registry.js";
import type { SseDefinition } from "../variant.js";
import { checkSse, type CheckSseOptions } from "./check-sse.js";
import { SseCheckError, type SseReport } from "./report.js";

for (const { name } of sseVariants()) {
  test(`${name} passes all checks in models of several options, and leaves no tensor behind`, async () => {
    const options: CheckSseOptions[] = [{}, { seed: 2, rho: 0.5, aScale: 2, activation: "geluL2" }];
    if (name !== "none") options.push({ seed: 3, mul: true, mixture: { groups: 3, topK: 1 } });
    for (const [i, option] of options.entries()) {
      await useBackend(i === 0 ? "cpu" : "wasm");
      const before = tf.memory().numTensors;
      const report = await checkSse(name, option);
      report.assert();
      assert.ok(report.passed);
      assert.equal(tf.memory().numTensors, before, JSON.stringify(option));
    }
  });
}

type Apply = SseDefinition["apply"];

const seen = ({ parameters, queries, readState, normalise }: SseContext): Tensor =>
  normalise(readState(queries), parameters.gain);

/** Checks a definition with the one parameter `gain`. */
async function report(apply: Apply, definition: Partial<SseDefinition> = {}): Promise<SseReport> {
  await useBackend("wasm");
  const parameters = { gain: { shape: "headChannels", initial: 0.5 } } as const;
  defineSse<string>({ name: "broken", parameters, apply, ...definition });
  return checkSse("broken");
}

function line(of: SseReport, name: string): { result: string; measured: string; meaning: string } {
  const found = of.checks.find((check) => check.name === name);
  assert.ok(found, name);
  return found;
}

/** Fails unless the check failed, and says this. */
function caught(of: SseReport, name: string, measured: RegExp, advice: RegExp): void {
  assert.equal(of.passed, false);
  const { result, measured: found, meaning } = line(of, name);
  assert.equal(result, "failed", `${name}: ${found}`);
  assert.match(found, measured);
  assert.match(meaning, advice);
}

/** Moves everything one token to the front: the last token stays. */
function fromNext(x: Tensor): Tensor {
  const time = x.shape[1]!;
  if (time === 1) return x;
  const rest = x.shape.map(() => -1);
  const start = x.shape.map((_, axis) => (axis === 1 ? 1 : 0));
  const last = x.shape.map((_, axis) => (axis === 1 ? time - 1 : 0));
  return tf.concat([tf.slice(x, start, rest), tf.slice(x, last, rest)], 1);
}

test("a variant that looks into the future is caught", async () => {
  const found = await report((context) => context.combine(fromNext(seen(context))));
  caught(found, "causality", /token \d changes logits before it by/, /looks into the future: axis 1 is time/);
  caught(found, "parallel = recurrent", /difference/, /a text at once and token by token differ/i);
  assert.equal(line(found, "shapes").result, "passed");
});

test("memory of earlier tokens that is not a state is caught", async () => {
  const found = await report((context) => context.combine(tf.cumsum(seen(context), 1)));
  caught(
    found,
    "parallel = recurrent",
    /difference/,
    /must come through readState, runMetaState or a state that the definition declares/,
  );
  assert.equal(line(found, "causality").result, "passed");
});

test("a wrong shape, and sizes that fit one model only, are caught, and the rest is not asked", async () => {
  const wrong = await report(({ queries }) => queries);
  caught(
    wrong,
    "shapes",
    /with 2 rows of 6 tokens: .*z is \[2, 6, 2, 8\], wanted \[B, T, C\]/,
    /z must be \[B, T, C\]/,
  );
  assert.equal(line(wrong, "gradient").result, "skipped");
  const fixed = await report(({ shifted, ...context }) =>
    tf.add(shifted, tf.reshape(seen({ shifted, ...context }), shifted.shape)),
  );
  caught(
    fixed,
    "shapes",
    /with more heads than channel slices: /,
    /Take sizes from the context .*, not as fixed numbers/,
  );
  const ofBools = await report((context) => context.combine(tf.greater(seen(context), 0)));
  caught(ofBools, "shapes", /the argument of .* is \[.*\] bool/, /by tf.cast\(x, "float32"\)$/);
  const thrown = await report(() => {
    throw new Error("not written yet");
  });
  caught(thrown, "shapes", /not written yet/, /./);
});

test("NaN is caught, with the activation that has it first", async () => {
  // A read divided by its length, where nothing is asked for and the length is zero.
  const found = await report(
    ({ queries, readState, parameters, normalise, combine, tap, runMetaState, toHeads, x }) => {
      const { state } = runMetaState(toHeads(x));
      const u = readState(tf.relu(tf.sub(queries, 10)));
      const direction = tap("direction", tf.div(u, tf.sqrt(tf.sum(tf.square(u), -1, true))));
      return { z: combine(normalise(direction, parameters.gain)), state };
    },
    { metaState: true },
  );
  caught(found, "numbers are finite", /NaN or infinity first in blocks.0.meta.direction, 6 tokens/, /with an epsilon/);
});

test("NaN in a new model, or in its first gradient, is caught", async () => {
  const fromZero = { parameters: { gain: { shape: "headChannels", initial: 0 } } } as const;
  const divided = await report(
    ({ combine, readState, queries, normalise, parameters }) =>
      combine(tf.div(normalise(readState(queries)), tf.reshape(parameters.gain!, [-1, 8]))),
    fromZero,
  );
  caught(divided, "numbers are finite", /in .*, 6 tokens, with the parameters of a new model/, /for what initial says/);
  const rooted = await report(
    ({ combine, readState, queries, normalise, parameters }) =>
      combine(normalise(readState(queries), tf.sqrt(tf.abs(parameters.gain!)))),
    fromZero,
  );
  caught(rooted, "numbers are finite", /gradient of blocks.0.meta.gain, with the parameters/, /no slope at zero/);
});

test("a leak is caught", async () => {
  const kept: Tensor[] = [];
  const found = await report((context) => {
    const read = seen(context);
    kept.push(tf.keep(tf.clone(read)));
    return context.combine(read);
  });
  caught(found, "memory", /^2 tensors a call stay in memory/, /must not tf.keep tensors or make tf.variables/);
  tf.dispose(kept);
});

test("an op without a gradient, with a gradient that is none, and a number read out of a tensor are caught", async () => {
  const without = await report((context) => {
    const read = seen(context);
    return context.combine(tf.mul(read, tf.topk(read, 1).values));
  });
  caught(without, "gradient", /gradient function not found for TopK/, /use ops that have a gradient \(topk, argMax/);
  const gated = await report((context) => context.combine(tf.cast(tf.greater(seen(context), 0.1), "float32")));
  caught(gated, "gradient", /off by|does not go where its gradient points/, /a comparison/);
  caught(gated, "gradients reach every parameter", /none for|0 of/, /never learns/);
  const rounded = await report((context) => context.combine(tf.add(seen(context), tf.floor(tf.mul(seen(context), 3)))));
  caught(rounded, "gradient", /off by|does not go where its gradient points/, /round, floor, sign, step/);
  const constant = await report(({ combine, readState, queries, normalise, parameters }) => {
    const [gain] = parameters.gain!.dataSync();
    return combine(tf.mul(normalise(readState(queries)), gain!));
  });
  caught(constant, "gradient", /of gain: off by 100.0 %/, /read out of a tensor and is a constant to tfjs/);
  caught(
    constant,
    "gradients reach every parameter",
    /none for blocks.0.meta.gain, blocks.1.meta.gain/,
    /never learns/,
  );
});

test("a gradient of one's own that is wrong by a tenth is caught", async () => {
  const double = tf.customGrad((x) => ({
    value: tf.mul(x as Tensor, 2),
    gradFunc: (dy) => tf.mul(dy, 2.2),
  }));
  const found = await report((context) => context.combine(double(seen(context))));
  caught(found, "gradient", /off by \d+\.\d %, and of \d more/, /a tf.customGrad that is not right/);
});

test("corners are no failure: relu passes, written as a choice too, whatever the seed", async () => {
  await report((context) => {
    const read = seen(context);
    return context.combine(tf.where(tf.greater(read, 0), read, tf.mul(read, 0.1)));
  });
  for (let seed = 1; seed <= 4; seed++) (await checkSse("broken", { seed })).assert();
});

test("rows that reach one another, randomness, and a parameter without use are caught", async () => {
  const mixed = await report((context) => context.combine(tf.add(seen(context), tf.mean(seen(context), 0, true))));
  caught(mixed, "batch = single", /difference/, /axis 0 is the batch/);
  let call = 0;
  const random = await report((context) => context.combine(tf.mul(seen(context), 1 + 0.01 * ++call)));
  caught(random, "repeatable", /difference/, /take randomness out of apply/);
  // Nothing is said of the future, of rows or of gradients where the difference is that of any two calls.
  assert.deepEqual(
    random.failed.map(({ name }) => name),
    ["repeatable"],
  );
  assert.match(line(random, "causality").meaning, /calls must repeat first/);
  const disposing = await report((context) => {
    const z = context.combine(seen(context));
    context.shifted.dispose();
    return z;
  });
  caught(disposing, "gradient", /apply disposes of (shifted|x̂)/, /dispose of nothing in apply/);
  const unused = await report(({ combine, readState, queries, normalise }) => combine(normalise(readState(queries))));
  caught(unused, "gradients reach every parameter", /none for blocks.0.meta.gain/, /use it in apply/);
});

test("a variant that leaves layers out passes, and is told whose parameters never learn", async () => {
  const late = await report((context) => (context.layer === 0 ? context.shifted : context.combine(seen(context))));
  late.assert();
  const { measured, meaning } = line(late, "gradients reach every parameter");
  assert.match(measured, /^1 of 2, none for blocks\.0\.meta\.gain$/);
  assert.match(meaning, /in some layer; those without never learn/);
});

test("RWKV-7 at zero: held to where it is claimed, told where it is not", async () => {
  const constant: Apply = (context) => context.combine(tf.add(seen(context), 0.1));
  const claimed = await report(constant, { neutralAtZero: true });
  caught(claimed, "RWKV-7 at zero", /difference .* to RWKV-7/, /take neutralAtZero out/);
  const open = await report(constant);
  assert.equal(line(open, "RWKV-7 at zero").result, "skipped");
  assert.ok(open.passed);
  const could = await report((context) => context.combine(seen(context)));
  assert.match(line(could, "RWKV-7 at zero").meaning, /once the definition says neutralAtZero: true/);
});

test("the report shows itself, and asserts for scripts", async () => {
  const found = await report((context) => context.combine(fromNext(seen(context))));
  const bundle = found[jupyterDisplay]();
  assert.match(bundle["text/plain"] as string, /^SSE variant "broken": \d of 11 checks failed\ncheck +result/);
  assert.match(bundle["text/plain"] as string, /causality +✗ FAILED +token/);
  assert.match(bundle["text/html"] as string, /<table>.*✗ FAILED/s);
  assert.throws(
    () => found.assert(),
    (error: unknown) => {
      assert.ok(error instanceof SseCheckError);
      assert.equal(error.report, found);
      assert.match(error.message, /SSE variant "broken" failed \d of its checks\n.*causality: token/s);
      return true;
    },
  );
  await assert.rejects(checkSse("nobody"), /sse is "nobody", wanted one of .* or define it first/);
  await assert.rejects(checkSse("sse", { rho: 2 }), /rho is 2/);
});

test("what only later layers compute is checked too", async () => {
  const found = await report((context) =>
    context.combine(context.layer === 0 ? seen(context) : tf.add(seen(context), tf.floor(tf.mul(seen(context), 3)))),
  );
  caught(found, "gradient", /off by|does not go where its gradient points/, /round, floor, sign, step/);
});

test("rows that reach one another through a state alone are caught, and so is a state whose gradient is not its own", async () => {
  const states = { mean: "width" } as const;
  const mixed = await report(
    (context) => ({
      z: context.combine(tf.add(context.x, tf.expandDims(context.before.mean!, 1))),
      state: { mean: tf.add(context.before.mean!, tf.mean(tf.sum(context.x, 1), 0, true)) },
    }),
    { states },
  );
  caught(mixed, "batch = single", /difference/, /axis 0 is the batch/);
  const constant = await report(
    (context) => ({ z: context.combine(seen(context)), state: { mean: stopGradient(tf.sum(context.x, 1)) } }),
    { states },
  );
  caught(constant, "gradient", /of x: off by 100/, /a constant to tfjs/);
});

test("a parameter may be named as something that the context has", async () => {
  const parameters = { x: { shape: "headChannels", initial: 0.5 } } as const;
  const apply: Apply = ({ combine, normalise, readState, queries, parameters }) =>
    combine(normalise(readState(queries), parameters.x));
  (await report(apply, { parameters })).assert();
});

test("a loss of the variant's own is differentiated as what it gives", async () => {
  const found = await report((context) => {
    context.addLoss(stopGradient(tf.sum(tf.square(context.x))));
    return context.combine(seen(context));
  });
  caught(found, "gradient", /of x: off by 100/, /a constant to tfjs/);
});

test("parameters that do not meet heads or channels are told which shapes do", async () => {
  const found = await report((context) => context.combine(tf.mul(seen(context), context.parameters.gain!)));
  caught(
    found,
    "shapes",
    /with 2 rows of 6 tokens: .*broadcast/,
    /What meets the heads is .*, a parameter for it \["heads", "headSize"\]/,
  );
  const half = ({ headSize }: { headSize: number }): number => headSize / 2;
  const parameters = { gain: { shape: ["heads", 2, half], initial: 0.5 } } as const;
  const fitting = await report(
    (context) => {
      const read = context.normalise(context.readState(context.queries));
      const [b, t, h, n] = read.shape;
      const halves = tf.mul(tf.reshape(read, [b, t, h, 2, n / 2]), context.parameters.gain!);
      return context.combine(tf.reshape(halves, read.shape));
    },
    { parameters },
  );
  fitting.assert();
  const flat = { gain: { shape: ["heads", "headSize"], initial: 0.5 } } as const;
  (await report((context) => context.combine(seen(context)), { parameters: flat })).assert();
});

test("growth: a variant whose new heads change what old ones give is caught, where it claims that they add nothing", async () => {
  const small: Filler = (random, values) => values.forEach((_, i) => (values[i] = 0.3 * random.normal()));
  const keys = { shape: ["parameterTokens", "width"], initial: small, grown: "initial" } as const;
  const values = { shape: ["parameterTokens", "width"] } as const;
  const answer = (context: SseContext, asked: Tensor): Tensor => {
    const { keys, values } = context.parameters;
    const [b, t, c] = context.x.shape;
    const hidden = tf.relu(
      tf.matMul(tf.reshape(context.toChannels(asked), [b * t, c]), keys! as tf.Tensor2D, false, true),
    );
    return context.combine(tf.reshape(tf.matMul(hidden, values! as tf.Tensor2D), [b, t, c]));
  };
  const bare: Apply = (context) => answer(context, context.normalise(context.readState(context.queries)));
  const claimed = await report(bare, { parameters: { keys, values }, neutralAtZero: true });
  caught(claimed, "growth", /difference .* with one more head/, /multiply what each head adds by a parameter/);
  const open = await report(bare, { parameters: { keys, values } });
  assert.equal(line(open, "growth").result, "skipped");
  const gain = { shape: "headChannels", initial: 0.5 } as const;
  const gained: Apply = (context) => answer(context, seen(context));
  (await report(gained, { parameters: { gain, keys, values }, neutralAtZero: true })).assert();
  const model = createModel({ vocabSize: 11, width: 16, layers: 1, headSize: 8, parameterTokens: 24, sse: "broken" });
  const larger = grow(model, { parameterTokens: 32 });
  const added = (name: string): Float32Array =>
    larger.parameters
      .get(`blocks.0.meta.${name}`)!
      .dataSync<"float32">()
      .slice(24 * 16);
  assert.ok(added("keys").every((x) => x !== 0));
  assert.ok(added("values").every((x) => x === 0));
  const wrong = { keys: { ...keys, grown: "random" } };
  assert.throws(
    () => defineSse({ name: "x", parameters: wrong as never, apply: bare }),
    /"random", does not do, wanted "zero" or "initial"/,
  );
});
