import { expect, it } from "vitest";
import * as ai from "../index.js";
import { describeFixtureCases } from "../testing/describe-fixture-cases.js";
import { describeEachDevice, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-unary.safetensors", import.meta.url));

type Op = (x: ai.Tensor) => ai.Tensor;

const OPS: Readonly<Record<string, Op>> = {
  neg: ai.neg,
  abs: ai.abs,
  sign: ai.sign,
  floor: ai.floor,
  ceil: ai.ceil,
  round: ai.round,
  exp: ai.exp,
  expm1: ai.expm1,
  log: ai.log,
  log1p: ai.log1p,
  sqrt: ai.sqrt,
  rsqrt: ai.rsqrt,
  square: ai.square,
  reciprocal: ai.reciprocal,
  sin: ai.sin,
  cos: ai.cos,
  tan: ai.tan,
  asin: ai.asin,
  acos: ai.acos,
  atan: ai.atan,
  sinh: ai.sinh,
  cosh: ai.cosh,
  tanh: ai.tanh,
  asinh: ai.asinh,
  acosh: ai.acosh,
  atanh: ai.atanh,
  erf: ai.erf,
  sigmoid: ai.sigmoid,
  logSigmoid: ai.logSigmoid,
  softplus: (x) => ai.softplus(x),
  softplusSharp: (x) => ai.softplus(x, { beta: 2.5, threshold: 4 }),
  relu: ai.relu,
  relu6: ai.relu6,
  elu: (x) => ai.elu(x),
  eluSteep: (x) => ai.elu(x, { alpha: 1.7 }),
  leakyRelu: (x) => ai.leakyRelu(x),
  leakyReluSteep: (x) => ai.leakyRelu(x, { negativeSlope: 0.3 }),
  selu: ai.selu,
  silu: ai.silu,
  mish: ai.mish,
  hardSwish: ai.hardSwish,
  hardSigmoid: ai.hardSigmoid,
  clip: (x) => ai.clip(x, { min: -1, max: 2 }),
  clipBelow: (x) => ai.clip(x, { min: 0.5 }),
  clipCrossed: (x) => ai.clip(x, { min: 2, max: 1 }),
  isNaN: ai.isNaN,
  isInf: ai.isInf,
  isFinite: ai.isFinite,
};

describeFixtureCases(
  "unary ops against PyTorch",
  fixture,
  Object.fromEntries(Object.entries(OPS).map(([name, op]) => [name, ([x]: ai.Tensor[]) => op(x)])),
  (device, caseName) => {
    // WGSL promises few digits: sin, cos and tan 2⁻¹¹ absolute, and inverse functions by way of them
    const loose = /^(a?sinh?|a?cosh?|a?tanh?)\//.test(caseName);
    return device === "webgpu" && loose ? { relative: 1e-3, absoluteScale: 1e-3 } : {};
  },
);

describeEachDevice("unary ops", () => {
  it("takes bool as 0 and 1", async () => {
    const x = ai.tensor([true, false]);
    const results = [ai.neg(x), ai.exp(x), ai.relu(x), ai.floor(x)];
    await expect(results[0]).toBeCloseToTensor({ shape: [2], dtype: "int32", values: [-1, 0] });
    await expect(results[1]).toBeCloseToTensor({ shape: [2], dtype: "float32", values: [Math.E, 1] });
    await expect(results[2]).toBeCloseToTensor({ shape: [2], dtype: "int32", values: [1, 0] });
    await expect(results[3]).toBeCloseToTensor({ shape: [2], dtype: "int32", values: [1, 0] });
    ai.dispose([x, ...results]);
  });

  it("takes tensors without elements and scalars", async () => {
    const empty = ai.zeros([2, 0]);
    const one = ai.scalar(1);
    for (const op of Object.values(OPS)) {
      const result = op(empty);
      expect(result.shape).toEqual([2, 0]);
      const number = op(one);
      expect(number.shape).toEqual([]);
      ai.dispose([result, number]);
    }
    ai.dispose([empty, one]);
  });

  it("refuses what is not a tensor of numbers, and bad options", () => {
    const x = ai.tensor([1]);
    expect(() => ai.exp(3 as unknown as ai.Tensor)).toThrow(/exp: expected a tensor, got number/);
    expect(() => ai.neg(undefined as unknown as ai.Tensor)).toThrow(/neg: expected a tensor, got undefined/);
    expect(() => ai.clip(x, {})).toThrow(/clip: expected a min or a max/);
    expect(() => ai.clip(x, { min: Number.NaN, max: 1 })).toThrow(/clip: expected/);
    expect(() => ai.softplus(x, { beta: 0 })).toThrow(/softplus: expected a finite beta/);
    x.dispose();
  });
});
