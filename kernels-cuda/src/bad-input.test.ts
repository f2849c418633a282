/** What is given wrongly to an engine is told in a sentence with the remedy, and nothing crashes: the next op works. */
import "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import test from "node:test";
import { load } from "./addon/load.js";
import { useNativeEngine } from "./engine-candidate.js";
import { nativeKernels } from "./provider.js";
import { needsNative } from "./testing/native.js";
import { needsTensorflow } from "./testing/tensorflow.js";

const engines: readonly { name: string; needs: { skip: string | false } }[] = [
  { name: "native", needs: needsNative },
  { name: "tensorflow", needs: { skip: needsTensorflow.skip || needsNative.skip } },
];

function groupNorm(x: tf.Tensor, width: number): tf.Tensor {
  const inputs = { x, weight: tf.ones([width]), bias: tf.zeros([width]) };
  return tf.engine().runKernel<tf.Tensor[]>("GroupNorm", inputs, { groups: 1, epsilon: 1e-5 })[0]!;
}

for (const { name, needs } of engines) {
  const use = async (): Promise<void> => {
    if (name === "native") useNativeEngine();
    await tf.setBackend(name);
    await nativeKernels.register(name);
  };

  /** The op works, before and after what was wrong. */
  const works = (): void => {
    const values = tf.tidy(() => groupNorm(tf.tensor2d([[1, 3]]), 2).dataSync());
    assert.ok(Math.abs(values[0]! + 1) < 1e-4 && Math.abs(values[1]! - 1) < 1e-4, String(values));
  };

  test(`on ${name}: a tensor of the wrong dtype is named, with "cast it"`, needs, async () => {
    await use();
    works();
    assert.throws(() => tf.tidy(() => groupNorm(tf.ones([2, 4], "int32"), 4)), {
      name: "TypeError",
      message: /a native kernel takes float32 tensors.*, not int32 \[2, 4\]: cast it/,
    });
    works();
  });

  test(`on ${name}: a tensor of the wrong shape is told with what is wanted`, needs, async () => {
    await use();
    const inputs = () => ({ x: tf.ones([2, 4]), weight: tf.ones([4]), bias: tf.zeros([3]) });
    assert.throws(
      () => tf.tidy(() => tf.engine().runKernel("GroupNorm", inputs(), { groups: 1, epsilon: 1e-5 })),
      /bias has 3 values; the shape given wants 4/,
    );
    works();
  });

  test(`on ${name}: what an op had made before it refused its input ends with it`, needs, async () => {
    await use();
    const weight = tf.ones([3, 2]);
    const token = tf.tensor1d([7], "int32");
    const kernels: [kernel: string, inputs: tf.NamedTensorMap, attributes: object, message: RegExp][] = [
      [
        "GroupNorm",
        { x: tf.ones([2, 4]), weight: tf.ones([4]), bias: tf.zeros([3]) },
        { groups: 1 },
        /bias has 3 values/,
      ],
    ];
    if (name === "native") {
      kernels.push(["Embedding", { weight, tokens: token }, {}, /tokens must be from 0 to 2, not 7/]);
      kernels.push(["GatherV2", { x: weight, indices: token }, { axis: 0 }, /the index value 7 is not in/]);
    }
    for (const [kernel, inputs, attributes, message] of kernels) {
      const refused = (): void => {
        assert.throws(
          () => tf.tidy(() => tf.engine().runKernel(kernel, inputs, { epsilon: 1e-5, ...attributes })),
          message,
        );
      };
      refused(); // brings over what the kernel reads
      const before = tf.engine().backend.numDataIds();
      refused();
      assert.equal(tf.engine().backend.numDataIds(), before, kernel);
    }
    works();
  });

  test(`on ${name}: a disposed tensor is an error`, needs, async () => {
    await use();
    const x = tf.ones([2, 4]);
    x.dispose();
    assert.throws(() => tf.tidy(() => groupNorm(x, 4)), /a tensor was used after its end: it is disposed/);
    assert.throws(() => x.dataSync(), /disposed/);
    works();
  });

  test(`on ${name}: a tensor that was made on another backend is brought over`, needs, async () => {
    await tf.setBackend("wasm");
    const x = tf.tensor2d([[1, 3]]);
    await use();
    const y = groupNorm(x, 2);
    assert.ok(Math.abs(y.dataSync()[1]! - 1) < 1e-4);
    // And back.
    await tf.setBackend("wasm");
    assert.ok(Math.abs(tf.tidy(() => tf.add(y, 1).dataSync()[1]!) - 2) < 1e-4);
    tf.dispose([x, y]);
  });
}

test(
  "on native: rows of different lengths, and a tensor that is too large, are told of where they are made",
  needsNative,
  async () => {
    useNativeEngine();
    await tf.setBackend("native");
    const ragged: [tf.TensorLike, RegExp][] = [
      [[[1, 2], [3]], /a tensor of shape \[2, 2\] has 4 values, and 3 were given: all rows .* must be of one length/],
      [[[1], [2, 3]], /a tensor of shape \[2, 1\] has 2 values, and 3 were given/],
    ];
    for (const [values, message] of ragged) assert.throws(() => tf.tensor(values), { name: "RangeError", message });
    assert.throws(
      () => tf.fill([50_000, 50_000], 1),
      /a tensor of 2,500,000,000 values is too large: 2,147,483,647 are the/,
    );
    const { real, complex, whole } = {
      real: tf.tensor([["a"], ["b"]]),
      complex: tf.complex([[1, 2]], [[3, 4]]),
      whole: tf.tensor([
        [1, 2],
        [3, 4],
      ]),
    };
    assert.deepEqual([...whole.dataSync()], [1, 2, 3, 4]);
    assert.deepEqual([...complex.dataSync()], [1, 3, 2, 4]);
    assert.deepEqual([...real.dataSync<"string">()], ["a", "b"]);
    tf.dispose([real, complex, whole]);
  },
);

test(
  "a library that is no addon of this Node is refused with the command that builds one",
  { skip: notLinux() },
  (t) => {
    const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
    const library = sharedObjects.find((path) => /^libm[.-]/.test(basename(path)));
    if (!library) return t.skip("no library to take for an addon");
    const folder = mkdtempSync(join(tmpdir(), "metastate-no-addon-"));
    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, "Release"));
    copyFileSync(library, join(folder, "Release", "metastate_native.node"));
    const result = load({}, folder);
    assert.ok("reason" in result);
    assert.match(result.reason, /^the native addon was built for another Node \(/);
    assert.equal(result.remedy, "run npm run build:native on this machine");
  },
);

function notLinux(): string | false {
  return process.platform === "linux" ? false : "the libraries of this system are found otherwise";
}
