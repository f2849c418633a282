/** Every native op of the library against its float64 reference over random shapes, in one table. */
import assert from "node:assert/strict";
import test from "node:test";
import { native, needsNative, testedInstructionSets } from "../testing/native.js";
import { baselineCases } from "../testing/baseline-cases.js";
import { opShapes, opTolerance, preparedOp } from "../testing/op-accuracy.js";
import { opCases } from "../testing/op-cases.js";
import { randomNumbers } from "../testing/wkv7-reference.js";
import { poisoned } from "../testing/wkv7-runs.js";

test("every op and every gradient agrees with float64, with every instruction set", needsNative, (t) => {
  const binding = native();
  const { simd } = binding.info();
  const lines: string[] = [];
  try {
    for (const c of [...opCases, ...baselineCases]) {
      const worst = new Map<string, number>();
      opShapes.forEach((shape, seed) => {
        if (c.fits?.(shape) === false) return;
        const run = preparedOp(c, shape, seed + 1);
        const allowed = opTolerance(shape);
        for (const path of testedInstructionSets()) {
          binding.configure({ simd: path });
          for (const [name, error] of run(binding)) {
            assert.ok(
              error <= allowed,
              `${c.name} ${name} ${JSON.stringify(shape)} ${path}: ${error}, allowed ${allowed}`,
            );
            worst.set(name, Math.max(worst.get(name) ?? 0, error / allowed));
          }
        }
      });
      const told = [...worst].map(([name, share]) => `${name} ${share.toFixed(2)}`).join("  ");
      lines.push(`${c.name.padEnd(16)} ${told}`);
    }
  } finally {
    binding.configure({ simd });
  }
  t.diagnostic(`largest relative errors, as shares of what is allowed:\n${lines.join("\n")}`);
});

test("sums over many rows are the same bits on one thread and on five", needsNative, () => {
  const binding = native();
  const { threads } = binding.info();
  const shape = { batch: 8, time: 256, width: 96, heads: 3, out: 40 };
  const random = randomNumbers(3);
  const x = Float32Array.from({ length: 8 * 256 * 96 }, () => random() - 0.5);
  const vector = x.subarray(0, 96);
  const run = (count: number): Float32Array[] => {
    binding.configure({ threads: count });
    const outputs = [poisoned(x.length), poisoned(96), poisoned(96)];
    binding.groupNormGrad(8 * 256, shape.width, shape.heads, 1e-3, x, vector, x, outputs[0]!, outputs[1]!, outputs[2]!);
    return outputs;
  };
  try {
    assert.deepEqual(run(1), run(5));
  } finally {
    binding.configure({ threads });
  }
});
