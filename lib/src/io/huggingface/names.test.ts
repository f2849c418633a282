import assert from "node:assert/strict";
import test from "node:test";

import "@tensorflow/tfjs-backend-cpu";

import { completeConfiguration } from "../../model/configuration.js";
import { parameterSpecifications } from "../../model/parameters.js";
import { fromFla, toFla } from "./names.js";

test("every parameter has a name of flash-linear-attention, and it leads back", () => {
  const configuration = completeConfiguration({ vocabSize: 5, width: 8, layers: 12, headSize: 4 });
  const names = parameterSpecifications(configuration).map(({ name }) => name);
  const there = names.map(toFla);
  assert.equal(new Set(there.map(({ name }) => name)).size, names.length);
  there.forEach(({ name, transposed }, i) => assert.deepEqual(fromFla(name), { name: names[i], transposed }));
});

test("names as fla/layers/rwkv7.py has them", () => {
  const pairs: [string, string, boolean][] = [
    ["emb.weight", "model.embeddings.weight", false],
    ["blocks.0.ln0.bias", "model.layers.0.pre_norm.bias", false],
    ["blocks.11.att.w1", "model.layers.11.attn.w_lora.lora.0.weight", true],
    ["blocks.11.att.w2", "model.layers.11.attn.w_lora.lora.2.weight", true],
    ["blocks.11.att.v0", "model.layers.11.attn.v_lora.lora.2.bias", false],
    ["blocks.3.att.ln_x.weight", "model.layers.3.attn.g_norm.weight", false],
    ["blocks.3.att.receptance.weight", "model.layers.3.attn.r_proj.weight", false],
    ["blocks.3.ffn.key.weight", "model.layers.3.ffn.key.weight", false],
    ["blocks.3.meta.alpha_g", "model.layers.3.meta.alpha_g", false],
    ["head.weight", "lm_head.weight", false],
  ];
  for (const [ours, fla, transposed] of pairs) assert.deepEqual(toFla(ours), { name: fla, transposed });
  assert.equal(fromFla("model.layers.0.attn.rotary.weight"), undefined);
  assert.equal(fromFla("model.layers.-1.attn.k_k"), undefined);
});
