/** What must hold of any edits of any model: a text cut anywhere is edited as the whole, and a trace sees what is computed. */
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";
import fc from "fast-check";

import type { ModelState } from "../model/state.js";
import { Random } from "../random.js";
import { sseVariants } from "../sse/registry.js";
import { assertClose, useBackend } from "../testing.js";
import { runs } from "../testing-properties.js";
import type { Edit, EditAction } from "./edits.js";
import { intervene } from "./intervene.js";
import { randomModel, valuesOf } from "./testing.js";
import { trace } from "./trace.js";

const time = 7;
const position = fc.integer({ min: 0, max: time - 1 });

const edit: fc.Arbitrary<Edit> = fc
  .record({
    name: fc.constantFrom(
      "state.wkv",
      "before.wkv",
      "state.ffnShift",
      "before.attShift",
      "att.v",
      "att.kappa",
      "meta.z",
      "out",
    ),
    layer: fc.constantFrom("0", "1", "*"),
    positions: fc.oneof(
      fc.constant(undefined),
      position,
      fc.uniqueArray(position, { minLength: 1, maxLength: 3 }),
      fc.record({ from: position, to: position }),
    ),
    rows: fc.constantFrom(undefined, 0, 1),
    heads: fc.constantFrom(undefined, 0, 1),
    edit: fc.constantFrom<EditAction>("zero", { scale: -0.5 }, { set: 0.25 }, { add: 0.5 }, { swapRows: [0, 1] }),
  })
  .map(({ name, layer, positions, rows, heads, edit: action }) => ({
    at: `blocks.${layer}.${name}`,
    ...(positions !== undefined && { positions }),
    ...(rows !== undefined && { rows }),
    ...(heads !== undefined && /wkv|att\.[vk]/.test(name) && { heads }),
    edit: action,
  }));

test("whatever is edited where, a text cut anywhere gives what the whole gives, and a trace of it too", async () => {
  await useBackend("wasm");
  await fc.assert(
    fc.asyncProperty(
      fc.array(edit, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(...sseVariants().map(({ name }) => name)),
      fc.uniqueArray(fc.integer({ min: 1, max: time - 1 }), { maxLength: 3 }),
      fc.nat(),
      async (edits, sse, cutPlaces, seed) => {
        const model = randomModel({ sse });
        const edited = intervene(model, edits);
        const random = new Random(seed);
        const tokens = [0, 1].map(() => Array.from({ length: time }, () => random.integer(7)));
        const whole = tf.tidy(() => valuesOf(edited.forward(tokens)));
        const cuts = [0, ...cutPlaces.sort((a, b) => a - b), time];
        const pieces = tf.tidy(() => {
          let state: ModelState | undefined;
          const logits: Tensor[] = [];
          for (let i = 1; i < cuts.length; i++) {
            const piece = edited.forward(
              tokens.map((row) => row.slice(cuts[i - 1], cuts[i])),
              state,
            );
            logits.push(piece.logits);
            state = piece.state;
          }
          return valuesOf({ logits: tf.concat(logits, 1), state: state! });
        });
        // The same sums in other blocks of matrix products, amplified by the recurrence: below 3e−6 in 100 cases.
        pieces.forEach((values, i) => assertClose(values, whole[i]!, 1e-5, `output ${i}`));
        const traced = await trace(edited, tokens, { names: ["logits", "blocks.1.state.wkv"] });
        assertClose(traced.get("logits").data, whole[0]!, 1e-5, "traced logits");
        const last = traced.get("blocks.1.state.wkv").select({ position: time - 1 });
        assertClose(last.data, whole.at(sse === "sse" || sse === "meta" ? -2 : -1)!, 1e-5, "traced state");
        model.dispose();
      },
    ),
    runs(20),
  );
});
