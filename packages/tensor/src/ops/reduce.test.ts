import { expect, it } from "vitest";
import * as ai from "../index.js";
import { describeFixtureCases } from "../testing/describe-fixture-cases.js";
import { describeEachDevice, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-reduce.safetensors", import.meta.url));

type Reduction = (x: ai.Tensor, options: ai.ReduceOptions) => ai.Tensor;

const REDUCTIONS: Readonly<Record<string, Reduction>> = {
  sum: ai.sum,
  mean: ai.mean,
  max: ai.max,
  min: ai.min,
  prod: ai.prod,
  any: ai.any,
  all: ai.all,
  variance: ai.variance,
  varianceBiased: (x, options) => ai.variance(x, { ...options, correction: 0 }),
  standardDeviation: ai.standardDeviation,
  logSumExp: ai.logSumExp,
  norm: ai.norm,
  norm1: (x, options) => ai.norm(x, { ...options, order: 1 }),
  norm3: (x, options) => ai.norm(x, { ...options, order: 3 }),
  normHalf: (x, options) => ai.norm(x, { ...options, order: 0.5 }),
  normMax: (x, options) => ai.norm(x, { ...options, order: Number.POSITIVE_INFINITY }),
  normMin: (x, options) => ai.norm(x, { ...options, order: Number.NEGATIVE_INFINITY }),
  normCount: (x, options) => ai.norm(x, { ...options, order: 0 }),
  normInverse: (x, options) => ai.norm(x, { ...options, order: -1 }),
};

const AXES: Readonly<Record<string, ai.ReduceOptions>> = {
  all: {},
  last: { axes: -1 },
  first: { axes: 0 },
  two: { axes: [2, 0], keepDims: true },
};

const ARG_AXES: Readonly<Record<string, ai.ArgOptions>> = {
  all: {},
  last: { axis: -1 },
  first: { axis: 0 },
  vector: { axis: 0 },
  kept: { axis: 1, keepDims: true },
};

const running =
  (op: (x: ai.Tensor, options: ai.CumulativeOptions) => ai.Tensor) =>
  ([x]: ai.Tensor[], kind: string): ai.Tensor =>
    op(x, {
      axis: kind.startsWith("axis") ? Number(kind.slice(4)) : 1,
      exclusive: /^(exclusive|both)/.test(kind),
      reverse: /^(reverse|both)/.test(kind),
    });

const alongAxis =
  (op: (x: ai.Tensor, options: ai.SoftmaxOptions) => ai.Tensor) =>
  ([x]: ai.Tensor[], kind: string): ai.Tensor =>
    op(x, { axis: kind.startsWith("axis") ? Number(kind.slice(4)) : -1 });

describeFixtureCases(
  "reductions against PyTorch",
  fixture,
  {
    ...Object.fromEntries(
      Object.entries(REDUCTIONS).map(([name, op]) => [
        name,
        ([x]: ai.Tensor[], kind: string) => op(x, AXES[kind] ?? { axes: 1 }),
      ]),
    ),
    argMax: ([x], kind) => ai.argMax(x, ARG_AXES[kind] ?? { axis: 1 }),
    argMin: ([x], kind) => ai.argMin(x, ARG_AXES[kind] ?? { axis: 1 }),
    softmax: alongAxis(ai.softmax),
    logSoftmax: alongAxis(ai.logSoftmax),
    cumsum: running(ai.cumsum),
    cumprod: running(ai.cumprod),
  },
  (_, caseName) => {
    // the second derivative of a p-norm is a difference of powers that nearly cancel
    if (/^norm(3|Half|Inverse)/.test(caseName)) return { relative: 5e-5 };
    // and that of logSoftmax a sum of terms larger than itself
    return caseName.startsWith("logSoftmax") ? { absoluteScale: 1e-5 } : {};
  },
);

describeEachDevice("reductions", () => {
  it("reduces any axes of rank 6 as a naive loop does", async () => {
    const shape = [2, 3, 1, 2, 2, 3];
    const flat = ai.arange(0, 72, 1, "float32");
    const x = ai.reshape(flat, shape);
    for (const axes of [[0], [5], [1, 4], [0, 2, 5], [0, 1, 2, 3, 4, 5], []]) {
      const result = ai.sum(x, { axes });
      await expect(result).toBeCloseToTensor(naiveSum(shape, axes));
      result.dispose();
    }
    ai.dispose([flat, x]);
  });

  it("gives what reducing nothing gives, with gradients of zero", async () => {
    const x = ai.zeros([0, 3]);
    const expected: [Reduction, number][] = [
      [ai.sum, 0],
      [ai.prod, 1],
      [ai.mean, Number.NaN],
      [ai.logSumExp, Number.NEGATIVE_INFINITY],
    ];
    for (const [op, value] of expected) {
      const kept = op(x, { axes: 0, keepDims: true });
      await expect(kept).toBeCloseToTensor({
        shape: [1, 3],
        dtype: "float32",
        values: [value, value, value],
      });
      const { value: total, grads } = ai.valueAndGrad((t) => op(t, {}), [x]);
      expect(grads[0].shape).toEqual([0, 3]);
      ai.dispose([kept, total, grads]);
    }
    const nothing = ai.max(x, { axes: 1 });
    expect(nothing.shape).toEqual([0]);
    const soft = ai.softmax(x, { axis: 0 });
    expect(soft.shape).toEqual([0, 3]);
    ai.dispose([x, nothing, soft]);
  });

  it("throws where there is nothing to choose from", () => {
    const x = ai.zeros([2, 0]);
    for (const [name, op] of Object.entries({
      max: ai.max,
      min: ai.min,
      argMax: ai.argMax,
      argMin: ai.argMin,
    }))
      expect(() => op(x, {}), name).toThrow(
        new RegExp(`${name}: expected at least one element to choose from, got \\[2, 0\\]`),
      );
    expect(() => ai.max(x, { axes: 1 })).toThrow(/max: expected at least one element/);
    expect(() => ai.argMax(x, { axis: 1 })).toThrow(/argMax: expected at least one element/);
    expect(() => ai.norm(x, { order: Number.POSITIVE_INFINITY })).toThrow(
      /norm: expected at least one element/,
    );
    x.dispose();
  });

  it("refuses bad axes and options", () => {
    const x = ai.zeros([2, 3]);
    expect(() => ai.sum(x, { axes: 2 })).toThrow(/sum: expected an axis in \[-2, 2\), got 2/);
    expect(() => ai.mean(x, { axes: [0, -2] })).toThrow(/mean: expected distinct axes/);
    expect(() => ai.argMin(x, { axis: -3 })).toThrow(/argMin: expected an axis/);
    expect(() => ai.softmax(x, { axis: 2 })).toThrow(/softmax: expected an axis/);
    expect(() => ai.cumsum(x, { axis: 2 })).toThrow(/cumsum: expected an axis/);
    expect(() => ai.norm(x, { order: Number.NaN })).toThrow(/norm: expected an order/);
    expect(() => ai.variance(x, { correction: Number.NaN })).toThrow(
      /variance: expected a finite correction/,
    );
    expect(() => ai.sum([1] as unknown as ai.Tensor)).toThrow(/sum: expected a tensor/);
    x.dispose();
  });

  it("leaves a scalar alone, as a new tensor", async () => {
    const x = ai.scalar(3);
    const results = [
      ai.sum(x),
      ai.max(x),
      ai.mean(x, { keepDims: true }),
      ai.prod(x),
      ai.norm(x),
      ai.logSumExp(x),
    ];
    for (const result of results)
      await expect(result).toBeCloseToTensor({ shape: [], dtype: "float32", values: [3] });
    const index = ai.argMax(x);
    await expect(index).toBeCloseToTensor({ shape: [], dtype: "int32", values: [0] });
    results[0].dispose();
    expect(x.isDisposed).toBe(false);
    ai.dispose([x, index, ...results]);
  });
});

/** Sums of 0, 1, 2 … in a shape, index by index. */
function naiveSum(shape: readonly number[], axes: readonly number[]) {
  const kept = shape.filter((_, axis) => !axes.includes(axis));
  const values = new Array<number>(kept.reduce((size, length) => size * length, 1)).fill(0);
  let next = 0;
  const visit = (axis: number, target: number): void => {
    if (axis === shape.length) {
      values[target] += next++;
      return;
    }
    for (let i = 0; i < shape[axis]; i++)
      visit(axis + 1, axes.includes(axis) ? target : target * shape[axis] + i);
  };
  visit(0, 0);
  return { shape: kept, dtype: "float32", values };
}
