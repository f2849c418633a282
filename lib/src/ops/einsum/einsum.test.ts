import assert from "node:assert/strict";
import test from "node:test";

import * as tf from "@tensorflow/tfjs-core";
import type { Tensor } from "@tensorflow/tfjs-core";

import { Random } from "../../random.js";
import { assertClose, checkGradient, randomTensor, useBackend } from "../../testing.js";
import "../tfjs-gradients/tfjs-gradients.js";
import { registerEinsum } from "./einsum.js";

const sizes: Readonly<Record<string, number>> = { a: 2, b: 3, i: 4, j: 2, k: 5 };

/** By its definition, over all values of all axes. */
function expected(equation: string, operands: readonly Tensor[]): number[] {
  const [left = "", result = ""] = equation.split("->");
  const terms = left.split(",");
  const axes = [...new Set([...result, ...terms.join("")])];
  const at = (term: string, place: Readonly<Record<string, number>>): number =>
    [...term].reduce((index, axis) => index * sizes[axis]! + place[axis]!, 0);
  const values = operands.map((operand) => operand.dataSync());
  const sums = new Array<number>([...result].reduce((size, axis) => size * sizes[axis]!, 1)).fill(0);
  const visit = (rest: readonly string[], place: Readonly<Record<string, number>>): void => {
    const [axis, ...others] = rest;
    if (axis === undefined) {
      sums[at(result, place)]! += terms.reduce((factor, term, i) => factor * values[i]![at(term, place)]!, 1);
      return;
    }
    for (let value = 0; value < sizes[axis]!; value++) visit(others, { ...place, [axis]: value });
  };
  visit(axes, {});
  return sums;
}

const equations = [
  ...[
    "ij->ji",
    "ij->",
    "ijk->ki",
    "ij->ij",
    "i->",
    "ij,jk->ik",
    "ij,kj->ki",
    "ij,ij->",
    "ij,ij->ij",
    "i,j->ij",
    "i,j->ji",
  ],
  // Both operands have a summed axis of their own: tfjs's kernel is wrong, or fails.
  ...["ia,ib->i", "ia,bi->i", "ai,bj->ij", "aij,bjk->ik", "ai,b->i", "a,b->"],
  ...["ij,jk,ka->ia", "ai,ib,i->ab", "a,b,i,j->jba", "ia,ab,ia->b", "ab,ij,k->"],
  ...["aik,akj->aij", "akbi,jbk->abij", "ak,bk->ba", "ia,i->a", "i,ia->", "kab,kba->ab"],
];

for (const backend of ["cpu", "wasm"] as const) {
  test(`Einstein's sums are as they are defined, and so are their gradients, on ${backend}`, async () => {
    await useBackend(backend);
    // In the place of which another engine may run.
    registerEinsum(tf.getBackend());
    for (const equation of equations) {
      const terms = equation.split("->")[0]!.split(",");
      const operands = terms.map((term, i) =>
        randomTensor(
          new Random(i + 1),
          [...term].map((axis) => sizes[axis]!),
        ),
      );
      const before = tf.memory().numTensors;
      const sum = tf.einsum(equation, ...operands);
      assert.deepEqual(
        sum.shape,
        [...equation.split("->")[1]!].map((axis) => sizes[axis]!),
      );
      assertClose([...sum.dataSync()], expected(equation, operands), 1e-5, equation);
      tf.tidy(() => checkGradient((...given) => tf.einsum(equation, ...given), operands));
      sum.dispose();
      assert.equal(tf.memory().numTensors, before, equation);
      const integers = operands.map((operand) => tf.cast(tf.mul(operand, 5), "int32"));
      const exact = tf.einsum(equation, ...integers);
      assert.equal(exact.dtype, "int32");
      assert.deepEqual([...exact.dataSync()], expected(equation, integers), equation);
      tf.dispose([exact, ...integers, ...operands]);
    }
    const [x, y] = [tf.ones([2, 3]), tf.ones([4])];
    assert.throws(() => tf.einsum("ij->jj", x), /has an axis twice/);
    assert.throws(() => tf.einsum("ij,j->i", x, y), /Expected dimension 3/);
    assert.throws(() => tf.einsum("ij,j->k", x, y), /k/);
    tf.dispose([x, y]);
  });
}
