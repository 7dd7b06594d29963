import { expect, it } from "vitest";
import * as ai from "../index.js";
import { describeFixtureCases } from "../testing/describe-fixture-cases.js";
import { describeEachDevice, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-matmul.safetensors", import.meta.url));

describeFixtureCases("matrix products against PyTorch", fixture, {
  matMul: ([a, b], kind) => ai.matMul(a, b, { transposeA: kind[0] === "t", transposeB: kind[1] === "t" }),
  linear: ([x, weight, bias]) => ai.linear(x, weight, bias),
  outer: ([a, b]) => ai.outer(a, b),
  einsum: (inputs, equation) => ai.einsum(equation, ...inputs),
});

describeEachDevice("matrix products", () => {
  it("refuses sizes that do not fit, and says which", () => {
    const a = ai.zeros([2, 3]);
    const b = ai.zeros([2, 4]);
    const one = ai.scalar(1);
    const batchA = ai.zeros([2, 2, 3]);
    const batchB = ai.zeros([3, 3, 2]);
    expect(() => ai.matMul(a, b)).toThrow("matMul: expected equal inner sizes, got [2, 3] and [2, 4]");
    expect(() => ai.matMul(a, b, { transposeB: true })).toThrow("got [2, 3] and [2, 4] transposed");
    expect(() => ai.matMul(one, a)).toThrow(/matMul: expected matrices or vectors/);
    expect(() => ai.matMul(batchA, batchB)).toThrow(/matMul: expected shapes that broadcast/);
    expect(() => ai.linear(a, b)).toThrow("linear: expected x with 4 features in its last axis, got [2, 3]");
    expect(() => ai.linear(a, a, a)).toThrow("linear: expected a bias [2], got [2, 3]");
    expect(() => ai.linear(a, one)).toThrow(
      /linear: expected a weight \[outFeatures, inFeatures\], got \[\]/,
    );
    const ints = ai.zeros([2, 3], "int32");
    expect(() => ai.linear(ints, a)).toThrow(/linear: expected float32 tensors, got int32/);
    expect(() => ai.outer(a, b)).toThrow(/outer: expected two vectors/);
    ai.dispose([a, b, one, batchA, batchB, ints]);
  });

  it("refuses malformed equations", () => {
    const a = ai.zeros([2, 3]);
    const bad: [string, ai.Tensor[], RegExp][] = [
      ["ij,jk->ik", [a], /2 operands for 1 tensors/],
      ["ij->ik", [a], /"k" of the result is in no operand/],
      ["ij->ii", [a], /a letter twice in the result/],
      ["i1->i", [a], /signs other than letters/],
      ["ij->i->j", [a], /more than one arrow/],
      ["i......->i", [a], /more than one ellipsis/],
      ["i->i", [a], /einsum: expected 1 axes for "i", got \[2, 3\]/],
      ["ijk...->i", [a], /einsum: expected 3 axes or more/],
      ["ij,ji->i", [a, a], /einsum: expected equal sizes for "[ij]"/],
      ["ii->i", [a], /einsum: expected (a square|equal sizes)/],
      ["->", [], /1 operands for 0 tensors/],
    ];
    for (const [equation, tensors, message] of bad)
      expect(() => ai.einsum(equation, ...tensors), equation).toThrow(message);
    a.dispose();
  });
});
