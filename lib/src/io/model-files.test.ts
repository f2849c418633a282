import assert from "node:assert/strict";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

import * as tf from "@tensorflow/tfjs-core";

import { jupyterDisplay } from "../display.js";
import { defineSse } from "../sse/define-sse.js";
import { sseVariants } from "../sse/registry.js";
import type { SseDefinition } from "../sse/variant.js";
import type { ModelOptions } from "../model/configuration.js";
import { fromRwkv7 } from "../model/from-rwkv7.js";
import type { Model } from "../model/model.js";
import { assertClose, useBackend } from "../testing.js";
import { inspectFile } from "./inspect-file.js";
import { loadModel, readModel } from "./load-model.js";
import type { FileProgress } from "./progress.js";
import { saveModel, type SaveModelOptions } from "./save-model.js";
import { writeSafetensors, type TensorToWrite } from "./safetensors/write.js";
import { loadState } from "./state-file.js";
import type { TensorFile } from "./tensor-file.js";
import { bitsOf, logitsOf, open, randomModel, refused, withFolder, written } from "./testing.js";

const torch = (name: string): string => fileURLToPath(new URL(`../../fixtures/torch/${name}`, import.meta.url));

function same(loaded: Model, saved: Model): void {
  assert.deepEqual(loaded.configuration, saved.configuration);
  assert.deepEqual(bitsOf(loaded), bitsOf(saved));
  assert.deepEqual(logitsOf(loaded), logitsOf(saved));
}

const formats: [name: string, options: SaveModelOptions][] = [
  ["model.safetensors", {}],
  ["model.pth", {}],
  ["folder", {}],
  ["sharded", { maxShardBytes: 3000 }],
];

for (const [name, options] of formats) {
  test(`${name}: every variant and shape of model comes back, bit by bit`, async () => {
    await useBackend("wasm");
    const variants = [...sseVariants().map(({ name: sse }) => ({ sse })), { heads: 3, sse: "none" }, { layers: 1 }];
    const learned = ["none", "meta", "sse"].map((sse) => ({ sse, learnedState: true }));
    const mixture = { groups: 4, topK: 2 };
    const inAny = [...variants, { heads: 4, rho: 0.5 }, { mixture, mul: true }, ...learned];
    const changed: Partial<ModelOptions>[] = [
      { aScale: 2, sse: "none" },
      { activation: "geluL2", aScale: 1.5, mixture: { groups: 3 } },
    ];
    for (const shape of [...inAny, ...changed]) {
      if (name.endsWith(".pth") && changed.includes(shape)) continue;
      await withFolder(async (folder) => {
        const model = randomModel(shape);
        const path = join(folder, name);
        await saveModel(model, path, options);
        const loaded = await loadModel(path);
        same(loaded, model);
        assert.ok(!(await readdir(folder)).some((left) => left.endsWith(".tmp")));
        loaded.dispose();
        model.dispose();
      });
    }
  });
}

test("what is saved is the model at the call, though training goes on, or it is disposed of, before all is written", async () => {
  for (const backend of ["cpu", "wasm"] as const) {
    await useBackend(backend);
    await withFolder(async (folder) => {
      const before = tf.memory().numTensors;
      const model = randomModel();
      const saved = bitsOf(model);
      for (const [name, options] of formats) {
        const path = join(folder, name);
        const saving = saveModel(model, path, options);
        for (const variable of model.parameters.values()) tf.tidy(() => variable.assign(tf.add(variable, 1)));
        await saving;
        const loaded = await loadModel(path);
        assert.deepEqual(bitsOf(loaded), saved, `${backend}, ${name}`);
        for (const [name, variable] of model.parameters) variable.assign(loaded.parameters.get(name)!);
        loaded.dispose();
      }
      const last = saveModel(model, join(folder, "last.pth"));
      model.dispose();
      await last;
      assert.equal(tf.memory().numTensors, before);
    });
  }
});

test("NaN, infinities, -0 and subnormals come back from every format", async () => {
  await useBackend("cpu");
  const model = randomModel();
  const bits = Uint32Array.of(0x7fc00000, 0x7f800000, 0xff800000, 0x80000000, 1, 0x807fffff, 0x7f7fffff, 0x33000001);
  model.parameters.get("blocks.0.ln1.weight")!.assign(tf.tensor1d(new Float32Array(bits.buffer)));
  // A matrix that the layout of Hugging Face transposes.
  const matrix = new Float32Array(16).map((_, i) => new Float32Array(bits.buffer)[i % 8]!);
  model.parameters.get("blocks.1.att.w1")!.assign(tf.tensor2d(matrix, [8, 2]));
  for (const [name, options] of formats) {
    await withFolder(async (folder) => {
      await saveModel(model, join(folder, name), options);
      const loaded = await loadModel(join(folder, name));
      assert.deepEqual(bitsOf(loaded), bitsOf(model), name);
    });
  }
});

test("saved in half the bytes: float16 and bfloat16 are what comes back", async () => {
  await useBackend("cpu");
  const model = randomModel();
  await withFolder(async (folder) => {
    for (const dtype of ["float16", "bfloat16"] as const) {
      for (const [name, options] of formats) {
        const path = join(folder, dtype + name);
        await saveModel(model, path, { ...options, dtype });
        const once = await loadModel(path);
        const [step] = dtype === "float16" ? [2 ** -11] : [2 ** -8];
        for (const [parameter, variable] of model.parameters) {
          const values = once.parameters.get(parameter)!.dataSync();
          variable.dataSync().forEach((x, i) => assert.ok(Math.abs(x - values[i]!) <= step * Math.abs(x) + 2 ** -25));
        }
        await saveModel(once, path, { ...options, dtype });
        same(await loadModel(path), once);
      }
    }
  });
});

test("RWKV-7 as PyTorch saved it: sizes from the shapes, logits of the published equations", async () => {
  await useBackend("wasm");
  const { tokens, logits } = JSON.parse(await readFile(torch("rwkv7.json"), "utf8")) as {
    tokens: number[];
    logits: number[][];
  };
  const model = await loadModel(torch("rwkv7.pth"));
  assert.deepEqual(
    { ...model.configuration },
    {
      ...{ vocabSize: 11, width: 32, layers: 2, headSize: 16, heads: 2, parameterTokens: 48, sse: "none", rho: 1 },
      ...{ mixture: null, mul: false, aScale: 1, activation: "squaredRelu" },
      lowRank: { decay: 3, rate: 4, value: 2, gate: 5 },
      learnedState: false,
    },
  );
  // Measured 5e−7: float32 rounding of some twenty sums in a row.
  assertClose(model.forward([tokens]).logits.dataSync(), logits.flat(), 5e-6, "logits");
});

test("an RWKV-7 with any SSE has the same logits and WKV states, bit by bit", async () => {
  for (const backend of ["cpu", "wasm"] as const) {
    await useBackend(backend);
    const plain = randomModel({ sse: "none", heads: 3 });
    const input = [[1, 5, 2, 2, 6, 0]];
    const expected = plain.forward(input);
    await withFolder(async (folder) => {
      const path = join(folder, "plain.pth");
      await saveModel(plain, path);
      for (const { name: sse } of sseVariants()) {
        const converted = [
          fromRwkv7(plain, { sse }),
          await loadModel(path, { sse }),
          await loadModel(path, { sse, rho: 0.4 }),
          ...(sse === "none" ? [] : [fromRwkv7(plain, { sse, mixture: { groups: 3, topK: 1 }, mul: true })]),
        ];
        for (const model of converted) {
          assert.equal(model.configuration.sse, sse);
          const { logits, state } = model.forward(input);
          assert.deepEqual(logits.dataSync(), expected.logits.dataSync(), `${sse} on ${backend}`);
          state.layers.forEach(({ wkv }, i) =>
            assert.deepEqual(wkv.dataSync(), expected.state.layers[i]!.wkv.dataSync(), `${sse}, layer ${i}`),
          );
          model.dispose();
        }
      }
    });
    assert.deepEqual(plain.forward(input).logits.dataSync(), expected.logits.dataSync(), "the original is as it was");
    assert.throws(() => fromRwkv7(fromRwkv7(plain)), /fromRwkv7: the model has sse "sse" already/);
    assert.throws(
      () => fromRwkv7(plain, { aScale: 2 }),
      /aScale 2 instead of the model's 1 would change the transition/,
    );
    assert.throws(() => fromRwkv7(plain, { activation: "geluL2" }), /activation "geluL2" instead of .* would change/);
    const scaled = randomModel({ sse: "none", aScale: 2 });
    const { logits } = fromRwkv7(scaled, { aScale: 2 }).forward(input);
    assert.deepEqual(
      logits.dataSync(),
      scaled.forward(input).logits.dataSync(),
      "a model that has the factor keeps it",
    );
  }
});

test("what RWKV-LM would read as another model is not written into its format", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    const path = join(folder, "model.pth");
    for (const [options, named] of [
      [{ aScale: 2, sse: "none" }, "no aScale 2"],
      [{ activation: "geluL2" }, 'no activation "geluL2"'],
    ] as const) {
      await assert.rejects(saveModel(randomModel(options), path), {
        name: "ConfigurationError",
        message: new RegExp(`${named}, and would silently compute something else: save as .safetensors`),
      });
    }
    assert.deepEqual(await readdir(folder), []);
    // The folder of Hugging Face has a type of its own then, which flash-linear-attention refuses.
    await saveModel(randomModel({ aScale: 2, sse: "none" }), join(folder, "hf"), { maxShardBytes: 3000 });
    const config = JSON.parse(await readFile(join(folder, "hf/config.json"), "utf8")) as Record<string, unknown>;
    assert.equal(config.model_type, "metastate");
    const { model } = await inspectFile(join(folder, "hf"));
    assert.equal("configuration" in model && model.configuration.aScale, 2);
  });
});

test("a model whose variant is not defined, or is defined otherwise, says so", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    const path = join(folder, "own.safetensors");
    const apply: SseDefinition["apply"] = ({ queries, readState, normalise, combine, parameters }) =>
      combine(normalise(readState(queries), parameters.gain));
    const define = (name: string, parameters: SseDefinition["parameters"]): unknown =>
      defineSse({ name, parameters: parameters!, apply });
    define("own", { gain: { shape: "headChannels", initial: 0.5 } });
    const model = randomModel({ sse: "own", heads: 4, rho: 0.5 });
    await saveModel(model, path);
    same(await loadModel(path), model);
    define("own", { gain: { shape: "heads" } });
    await refused(
      loadModel(path),
      /is \[8\] as "blocks.0.meta.gain", wanted \[2\]. The SSE variant "own" is defined with/,
    );
    define("own", { other: { shape: "headChannels" } });
    await refused(
      loadModel(path),
      /"blocks.0.meta.other" is missing. .*define it as it was, then load the model again/,
    );
    assert.deepEqual(logitsOf(model).length, 42, "the model made before keeps its variant");

    const warnings: unknown[] = [];
    const { warn } = console;
    console.warn = (text: unknown) => void warnings.push(text);
    try {
      define("own", { gain: { shape: "headChannels", initial: 0.5 } });
      await loadModel(path);
      assert.deepEqual(warnings, []);
      const parameters = { gain: { shape: "headChannels" } } as const;
      defineSse({ name: "own", parameters, apply: ({ shifted }) => shifted });
      assert.deepEqual(bitsOf(await loadModel(path)), bitsOf(model));
    } finally {
      console.warn = warn;
    }
    assert.match(
      warnings.join(),
      /^The SSE variant "own" is defined otherwise than when .* shows its code as it was\.$/,
    );
    const { variant } = await inspectFile(path);
    assert.deepEqual(variant, { metaState: false, apply: apply.toString() });

    const text = (await readFile(path)).toString("latin1").replaceAll('\\"own\\"', '\\"new\\"');
    await writeFile(path, Buffer.from(text, "latin1"));
    await refused(
      loadModel(path),
      /the SSE variant "new", which is not defined here. Define it first, ms.defineSse\(\{name: "new", …\}\) with the parameters gain.* shows its code as it was saved/,
    );
    assert.match((await inspectFile(path)).toString(), /apply .*normalise\(readState\(queries\)/);
    const plain = join(folder, "plain.safetensors");
    await saveModel(randomModel({ sse: "none" }), plain);
    await assert.rejects(loadModel(plain, { sse: "own" }), /does not say that it adds nothing/);
  });
});

test("the path's end says what is written: .pt as .pth, and no folder by the name of another program's file", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    const model = randomModel({ sse: "none" });
    await saveModel(model, join(folder, "a.pt"));
    assert.equal((await inspectFile(join(folder, "a.pt"))).container, "pth");
    await saveModel(model, join(folder, "rwkv-0.1B"));
    assert.ok((await stat(join(folder, "rwkv-0.1B"))).isDirectory());
    await assert.rejects(saveModel(model, join(folder, "a.bin")), {
      name: "ConfigurationError",
      message: /a\.bin ends with "\.bin", wanted \.safetensors, \.pth or \.pt for a file, or the name of a folder/,
    });
    await saveModel(model, join(folder, "a.bin"), { format: "huggingface" });
    model.dispose();
  });
});

test("conversion and loading leave no tensor behind", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    const before = tf.memory().numTensors;
    const model = randomModel({ sse: "none" });
    await saveModel(model, join(folder, "a.pth"));
    const converted = fromRwkv7(model);
    const loaded = await loadModel(join(folder, "a.pth"));
    const state = loaded.initialState(2);
    await state.save(join(folder, "state.safetensors"));
    const back = await loadState(join(folder, "state.safetensors"));
    assert.equal(tf.memory().numTensors, before + model.parameters.size * 2 + converted.parameters.size + 12);
    for (const made of [model, converted, loaded, state, back]) made.dispose();
    assert.equal(tf.memory().numTensors, before);
    // A signal that is aborted when five parameters have been read.
    let reads = 5;
    const throwIfAborted = () => assert.ok(reads-- > 0, "enough");
    const aborted = loadModel(join(folder, "a.pth"), { signal: { throwIfAborted } as AbortSignal });
    await assert.rejects(aborted, { message: "enough" });
    assert.equal(tf.memory().numTensors, before);
  });
});

test("a Meta-State model keeps its variant; another one is refused", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    const path = join(folder, "meta.safetensors");
    await saveModel(randomModel({ sse: "meta", heads: 4, rho: 0.5 }), path);
    assert.equal((await loadModel(path)).configuration.rho, 0.5);
    await assert.rejects(loadModel(path, { sse: "sse" }), {
      name: "ConfigurationError",
      message: /holds a model with sse "meta", which is not "sse": leave the option sse out/,
    });
    await assert.rejects(loadModel(path, { rho: 1 }), /holds a model with rho 0.5, not 1/);
    await assert.rejects(loadModel(torch("rwkv7.pth"), { sse: "ses" }), /sse is "ses", wanted one of/);
    await assert.rejects(loadModel(torch("rwkv7.pth"), { sse: "sse", rho: 2 }), /rho is 2/);
  });
});

test("a model without our configuration: the variant is told by its gains where it can be", async () => {
  await useBackend("cpu");
  const model = randomModel({ sse: "sse", heads: 4, rho: 0.5 });
  same(await readModel({ file: await fileOf(tensorsOf(model)) }), model);
  const meta = randomModel({ sse: "meta" });
  const file = await fileOf(tensorsOf(meta));
  await refused(
    readModel({ file }),
    /gains alpha_g, but not the name.*loadModel\(path, \{sse: …\}\) with "meta" or "readout"/,
  );
  same(await readModel({ file }, { sse: "meta" }), meta);
});

/** What a file of the model holds, by name. */
function tensorsOf({ parameters }: Model): Map<string, TensorToWrite> {
  return new Map(
    Array.from(parameters, ([name, variable]) => {
      const values = () => Promise.resolve(variable.dataSync() as Float32Array<ArrayBuffer>);
      return [name, { name, dtype: "F32", shape: variable.shape, values }];
    }),
  );
}

async function fileOf(tensors: ReadonlyMap<string, TensorToWrite>, said?: object): Promise<TensorFile> {
  const metadata: Record<string, string> = said === undefined ? {} : { metastate: JSON.stringify(said) };
  return open(await written((sink) => writeSafetensors(sink, [...tensors.values()], metadata)));
}

test("of a file that is damaged, or of another kind, the error names the tensor and what is wrong with it", async () => {
  await useBackend("cpu");
  const model = randomModel({ mixture: { groups: 4 } });
  const whole = tensorsOf(model);
  const router = "blocks.0.meta.router.weight";
  const number: TensorToWrite = { name: "", dtype: "I32", shape: [1], values: () => Promise.resolve(Int32Array.of(1)) };
  const cases: [changed: Record<string, Partial<TensorToWrite> | undefined>, message: RegExp, said?: object][] = [
    [{ "blocks.0.att.w1": undefined }, /tensor "blocks.0.att.w1" is missing/],
    [{ "blocks.0.att.w1": number }, /tensor "blocks.0.att.w1" is \[1\], wanted a matrix/],
    [{ "blocks.0.att.own": number }, /tensor "blocks.0.att.own" is no parameter of RWKV-7 or of a Meta-State model/],
    [
      { "emb.weight": { dtype: "I32", values: () => Promise.resolve(new Int32Array(56)) } },
      /tensor "emb.weight" holds I32, not floating-point numbers. Save it as float32/,
    ],
    [
      { [router]: undefined },
      /tensor "blocks.0.meta.router.weight" is missing/,
      { configuration: { mixture: { groups: 4 } } },
    ],
    [{}, /router.weight" has 4 groups, but the file says 3/, { configuration: { mixture: { groups: 3 } } }],
    [{}, /says its layers is 7, but its tensors have 2. .*copy both again/, { configuration: { layers: 7 } }],
    [{}, /was written by a newer version of metastate. Install that version/, { version: 2 }],
  ];
  for (const [changed, message, said] of cases) {
    const tensors = new Map(whole);
    for (const [name, change] of Object.entries(changed)) {
      if (change) tensors.set(name, { ...(whole.get(name) ?? number), ...change, name });
      else tensors.delete(name);
    }
    await refused(readModel({ file: await fileOf(tensors, said) }), message);
  }
});

test("float64 is rounded to nearest", async () => {
  await useBackend("cpu");
  const model = randomModel();
  const inDoubles = new Map(
    Array.from(tensorsOf(model), ([name, tensor]): [string, TensorToWrite] => {
      const values = async () => Float64Array.from((await tensor.values()) as Float32Array, (x) => x * (1 + 2 ** -30));
      return [name, { ...tensor, dtype: "F64", values }];
    }),
  );
  same(await readModel({ file: await fileOf(inDoubles) }), model);
});

test("a folder of Hugging Face: plain RWKV-7 for flash-linear-attention, Meta-State under a type of its own", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    const plain = randomModel({ sse: "none" });
    await saveModel(plain, folder);
    const config = async () =>
      JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as Record<string, unknown>;
    assert.equal((await config()).model_type, "rwkv7");
    assert.deepEqual((await config()).architectures, ["RWKV7ForCausalLM"]);
    assert.equal((await config()).intermediate_size, 12);
    const { tensors } = await inspectFile(folder);
    const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
    // Shapes as fla/layers/rwkv7.py makes them: C 8, A 8, H 2, N 4, ranks 2, 3, 2, 3.
    const expected: Record<string, number[]> = {
      "model.embeddings.weight": [7, 8],
      "model.layers.0.attn.x_r": [1, 1, 8],
      "model.layers.0.attn.k_k": [8],
      "model.layers.0.attn.r_k": [2, 4],
      "model.layers.0.attn.w_lora.lora.0.weight": [2, 8],
      "model.layers.0.attn.w_lora.lora.2.weight": [8, 2],
      "model.layers.0.attn.w_lora.lora.2.bias": [8],
      "model.layers.1.attn.v_lora.lora.0.weight": [2, 8],
      "model.layers.0.attn.g_lora.lora.0.weight": [3, 8],
      "model.layers.0.ffn.x_k": [8],
      "model.layers.0.ffn.key.weight": [12, 8],
      "lm_head.weight": [7, 8],
    };
    for (const [name, shape] of Object.entries(expected)) assert.deepEqual(shapes.get(name), shape, name);
    assert.ok(!shapes.has("model.layers.0.attn.v_lora.lora.0.weight"));
    assert.ok(!shapes.has("model.layers.0.attn.g_lora.lora.2.bias"));

    const meta = randomModel({ sse: "sse" });
    await saveModel(meta, folder);
    assert.equal((await config()).model_type, "metastate");
    same(await loadModel(folder), meta);
  });
});

test("a folder changes between one file and shards, keeps other files, and leaves none of its own behind", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    await writeFile(join(folder, "tokenizer.json"), "{}");
    for (const [seed, maxShardBytes] of [5e9, 3000, 2000, 3000, 5e9].entries()) {
      const model = randomModel({}, seed + 1);
      await saveModel(model, folder, { maxShardBytes });
      same(await loadModel(folder), model);
      const names = await readdir(folder);
      assert.ok(names.includes("tokenizer.json"));
      assert.equal(names.includes("model.safetensors"), maxShardBytes === 5e9);
      assert.equal(names.includes("model.safetensors.index.json"), maxShardBytes !== 5e9);
      const shards = names.filter((name) => name.includes("-of-"));
      if (maxShardBytes === 5e9) assert.deepEqual(shards, []);
      else assert.equal(shards.length, Number(/of-(\d+)/.exec(shards[0]!)![1]));
    }
  });
});

test("early files of flash-linear-attention: six mixes in one tensor, a tied head", async () => {
  await useBackend("cpu");
  const { written, open } = await import("./testing.js");
  const { writeSafetensors } = await import("./safetensors/write.js");
  const { readModel } = await import("./load-model.js");
  const model = randomModel({ sse: "none" });
  await withFolder(async (folder) => {
    await saveModel(model, folder);
    const { openModelFile } = await import("./open-model-file.js");
    const { file } = await openModelFile(folder);
    const mixes = ["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"];
    const names = [...file.tensors.keys()].filter((name) => !/attn\.x_.$|lm_head/.test(name));
    const rest = names.map((name) => ({
      ...file.tensors.get(name)!,
      values: () => file.read(name),
    }));
    const joined = [0, 1].map((layer) => ({
      name: `model.layers.${layer}.attn.x_x`,
      dtype: "F32" as const,
      shape: [6, 8],
      values: async () => {
        const parts = await Promise.all(mixes.map((mix) => file.read(`model.layers.${layer}.attn.${mix}`)));
        return Float32Array.from(parts.flatMap((part) => [...part] as number[]));
      },
    }));
    const early = await open(await written((sink) => writeSafetensors(sink, [...rest, ...joined])));
    await refused(readModel({ file: early }), /tensor "head.weight" is missing/);
    const loaded = await readModel({ file: early, config: { tied: true, metastate: undefined } });
    const head = model.parameters.get("head.weight")!;
    head.assign(tf.clone(model.parameters.get("emb.weight")!));
    assert.deepEqual(bitsOf(loaded), bitsOf(model));
    await file.close();
  });
});

test("inspectFile shows names, formats, shapes, metadata and the model, of any file of tensors", async () => {
  await useBackend("cpu");
  const found = await inspectFile(torch("rwkv7.pth"));
  assert.equal(found.container, "pth");
  assert.equal(found.tensors.length, 72);
  const text = found[jupyterDisplay]()["text/plain"] as string;
  assert.match(text, /model +RWKV-7, 2 layers, width 32, 2 heads of 16, 48 parameter tokens, vocabulary 11/);
  assert.match(text, /blocks\.1\.att\.r_k +BF16 +\[2, 16\]/);
  assert.match(found[jupyterDisplay]()["text/html"] as string, /<td[^>]*>emb\.weight<\/td>/);
  assert.match(
    String(await inspectFile(torch("views.pth"))),
    /holds no RWKV-7 or Meta-State model[^]*transposed +F32 +\[5, 3, 4\]/,
  );
});

test("progress is told, up to all bytes, by the parameter's name", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    const path = join(folder, "model.pth");
    const told: FileProgress[] = [];
    const model = randomModel();
    await saveModel(model, path, { onProgress: (progress) => told.push(progress) });
    await loadModel(path, { onProgress: (progress) => told.push(progress) });
    assert.deepEqual(
      told.map(({ parameter, bytes, totalBytes }) => [parameter, bytes === totalBytes]),
      [
        ["head.weight", true],
        ["head.weight", true],
      ],
    );
    assert.equal(told[1]!.totalBytes, 4 * model.parameterCount);
  });
});

test("a state comes back bit by bit, and goes on as if it had not been away", async () => {
  await useBackend("wasm");
  await withFolder(async (folder) => {
    const path = join(folder, "state.safetensors");
    for (const sse of ["sse", "none"]) {
      const model = randomModel({ sse });
      const { state } = model.forward([
        [1, 2, 3],
        [4, 5, 6],
      ]);
      await state.save(path);
      const back = await loadState(path);
      assert.deepEqual(
        back.tensors().map((tensor) => [tensor.shape, tensor.dataSync()]),
        state.tensors().map((tensor) => [tensor.shape, tensor.dataSync()]),
      );
      assert.deepEqual(back.positions, [3, 3]);
      const next = [[1], [2]];
      assert.deepEqual(model.forward(next, back).logits.dataSync(), model.forward(next, state).logits.dataSync());
    }
    await refused(loadState(torch("rwkv7.pth")), /tensor "layers.0.attShift" is missing: this is no state/);
    await saveModel(randomModel(), path);
    await refused(loadState(path), /is missing: this is no state/);
    await refused(loadModel(torch("views.pth")), /holds no RWKV-7 or Meta-State model: .* but weight, bias, whole/);
  });
});

test("what cannot be opened says why, and what to do", async () => {
  await useBackend("cpu");
  await withFolder(async (folder) => {
    await refused(loadModel(join(folder, "none.pth")), /none\.pth: cannot be opened\. ENOENT.*check the path/);
    await refused(loadModel(folder), /is a folder without a model/);
    const model = randomModel();
    await saveModel(model, join(folder, "a.pth"));
    same(await loadModel(folder), model);
    await saveModel(model, join(folder, "b.pth"));
    await refused(loadModel(folder), /is a folder with several files: a\.pth, b\.pth\. Give the path of one/);
    await refused(saveModel(model, join(folder, "no", "c.pth")), /c\.pth: cannot be written \(ENOENT/);
    await mkdir(join(folder, "d.pth"));
    await refused(saveModel(model, join(folder, "d.pth")), /d\.pth: cannot be written/);
    await assert.rejects(
      saveModel(model, folder, { format: "gguf" as never }),
      /format is "gguf", wanted safetensors, pth/,
    );
    await assert.rejects(saveModel(model, folder, { dtype: "int8" as never }), /dtype is "int8", wanted float32/);
    if (process.platform !== "win32") await refused(loadModel("/dev/null"), /is not a plain file/);
    await withFolder(async (llama) => {
      await saveModel(model, llama);
      await writeFile(join(llama, "config.json"), '{"model_type": "llama"}');
      await refused(loadModel(llama), /config\.json: describes a model of type "llama"/);
      await writeFile(join(llama, "config.json"), '{"model_type": "rwkv7", "norm_first": false}');
      await refused(loadModel(llama), /has norm_first false, wanted true/);
      await writeFile(join(llama, "config.json"), '{"model_type": "rwkv7", "a": 1, "a": 2}');
      await refused(loadModel(llama), /tensor "a" is there twice/);
    });
  });
});
