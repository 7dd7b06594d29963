import { expect, it } from "vitest";
import * as ai from "../index.js";
import { describeEachDevice, type HostTensor } from "../testing/index.js";

/**
 * What tfjs 4.22 gets wrong in the ops of this library's arithmetic, reductions, products and moves, one test a fault:
 * the smallest input that shows it, and the right answer.
 */

type Function1 = (x: ai.Tensor) => ai.Tensor;

const floats = (shape: number[], values: number[]): HostTensor => ({ shape, dtype: "float32", values });

/** `f''(x)` of an elementwise function, by a gradient of a gradient. */
function secondDerivative(f: Function1, x: ai.Tensor): ai.Tensor {
  return ai.grad((t) => ai.sum(ai.grad((u) => ai.sum(f(u)), [t])[0]), [x])[0];
}

const squareOf =
  (f: Function1): Function1 =>
  (x) =>
    ai.square(f(x));

describeEachDevice("second derivatives through ops that keep their output (tfjs#3252)", () => {
  const at = 0.5;
  const e = Math.exp(at);
  const s = 1 / (1 + Math.exp(-at));
  const t = Math.tanh(at);
  const cases: [string, Function1, number][] = [
    ["sigmoid²", squareOf(ai.sigmoid), 2 * s * s * (1 - s) * (2 - 3 * s)],
    ["exp²", squareOf(ai.exp), 4 * e * e],
    ["x·tanh x", (x) => ai.mul(x, ai.tanh(x)), 2 * (1 - t * t) * (1 - at * t)],
    ["x·elu(−x)", (x) => ai.mul(x, ai.elu(ai.neg(x))), (at - 2) / e],
    ["(x²)³ by pow", (x) => ai.pow(ai.square(x), 3), 30 * at ** 4],
    ["x·max(x², 0.1)", (x) => ai.mul(x, ai.maximum(ai.square(x), 0.1)), 6 * at],
    ["sqrt", ai.sqrt, -0.25 * at ** -1.5],
    ["reciprocal", ai.reciprocal, 2 / at ** 3],
  ];
  for (const [name, f, expected] of cases)
    it(name, async () => {
      const x = ai.tensor([at]);
      const result = secondDerivative(f, x);
      await expect(result).toBeCloseToTensor(floats([1], [expected]));
      ai.dispose([x, result]);
    });

  it("softmax, logSoftmax, max and min", async () => {
    const x = ai.tensor([0.3, -0.2, 1]);
    const soft = (values: number[]): number[] => {
      const powers = values.map(Math.exp);
      const total = powers.reduce((a, b) => a + b);
      return powers.map((power) => power / total);
    };
    const hessianRows = (f: Function1): ai.Tensor => secondDerivative(f, x);
    // Σⱼ ∂²/∂xᵢ∂xⱼ of log(Σ exp x): 0, a shift changes the softmax nothing
    const shift = hessianRows((u) => ai.neg(ai.sum(ai.mul(ai.logSoftmax(u), 0.5))));
    await expect(ai.tidy(() => ai.add(shift, 1))).toBeCloseToTensor(floats([3], [1, 1, 1]));
    const p = soft([0.3, -0.2, 1]);
    const weights = [1, 2, 3];
    const mean = p.reduce((total, value, i) => total + value * weights[i], 0);
    const second = ai.grad(
      (u) =>
        ai.sum(
          ai.mul(
            ai.grad((v) => ai.sum(ai.mul(ai.softmax(v), ai.tensor(weights))), [u])[0],
            ai.tensor(weights),
          ),
        ),
      [x],
    )[0];
    // d/dx of Σ w p (w − m): pₖ ((wₖ − m)² − Σ p (w − m)²) + …, written out
    const variance = p.reduce((total, value, i) => total + value * (weights[i] - mean) ** 2, 0);
    await expect(second).toBeCloseToTensor(
      floats(
        [3],
        p.map((value, i) => value * ((weights[i] - mean) ** 2 - variance)),
      ),
    );
    const largest = hessianRows((u) => ai.square(ai.max(u)));
    await expect(largest).toBeCloseToTensor(floats([3], [0, 0, 2]));
    const smallest = hessianRows((u) => ai.square(ai.min(u)));
    await expect(smallest).toBeCloseToTensor(floats([3], [0, 2, 0]));
  });
});

describeEachDevice("gradients that tfjs has wrong or lacks", () => {
  async function expectGradient(
    f: (...inputs: ai.Tensor[]) => ai.Tensor,
    inputs: ai.Tensor[],
    expected: HostTensor[],
  ) {
    const gradients = ai.grad(f, inputs);
    for (const [index, gradient] of gradients.entries())
      await expect(gradient).toBeCloseToTensor(expected[index]);
    ai.dispose([inputs, gradients]);
  }

  it("norm and abs at 0, and ties of max and min", async () => {
    await expectGradient((x) => ai.norm(x), [ai.zeros([2])], [floats([2], [0, 0])]);
    await expectGradient((x) => ai.sum(ai.abs(x)), [ai.zeros([2])], [floats([2], [0, 0])]);
    await expectGradient((x) => ai.max(x), [ai.tensor([1, 3, 3])], [floats([3], [0, 0.5, 0.5])]);
    await expectGradient((x) => ai.min(x), [ai.tensor([1, 1, 3])], [floats([3], [0.5, 0.5, 0])]);
  });

  it("cumsum along an axis that is not the last", async () => {
    await expectGradient(
      (x) =>
        ai.sum(
          ai.mul(
            ai.cumsum(x, { axis: 0 }),
            ai.tensor([
              [1, 2],
              [3, 4],
              [5, 6],
            ]),
          ),
        ),
      [ai.zeros([3, 2])],
      [floats([3, 2], [9, 12, 8, 10, 5, 6])],
    );
  });

  it("maximum, minimum and squaredDifference with broadcasting", async () => {
    const column = () => ai.tensor([[0], [2], [4]]);
    const row = () => ai.tensor([1, 2, 3, 4, 5]);
    await expectGradient(
      (a, b) => ai.sum(ai.maximum(a, b)),
      [column(), row()],
      [floats([3, 1], [0, 1.5, 3.5]), floats([5], [1, 1.5, 2, 2.5, 3])],
    );
    await expectGradient(
      (a, b) => ai.sum(ai.minimum(a, b)),
      [column(), row()],
      [floats([3, 1], [5, 3.5, 1.5]), floats([5], [2, 1.5, 1, 0.5, 0])],
    );
    await expectGradient(
      (a, b) => ai.sum(ai.squaredDifference(a, b)),
      [column(), row()],
      [floats([3, 1], [-30, -10, 10]), floats([5], [-6, 0, 6, 12, 18])],
    );
    await expectGradient((a) => ai.sum(ai.maximum(a, 2)), [ai.tensor([1, 3])], [floats([2], [0, 1])]);
  });

  it("matMul with a broadcast batch, and einsum", async () => {
    await expectGradient(
      (a, b) => ai.sum(ai.matMul(a, b)),
      [ai.ones([2, 3, 4]), ai.ones([4, 5])],
      [floats([2, 3, 4], new Array(24).fill(5)), floats([4, 5], new Array(20).fill(6))],
    );
    await expectGradient(
      (a, b) => ai.sum(ai.einsum("bij,jk->bik", a, b)),
      [ai.ones([2, 3, 4]), ai.ones([4, 5])],
      [floats([2, 3, 4], new Array(24).fill(5)), floats([4, 5], new Array(20).fill(6))],
    );
  });

  it("a comparison inside a gradient function", async () => {
    const leaky = ai.customGradient(
      (x) => ai.relu(x),
      (dy, [x]) => [ai.where(ai.greater(x, 0), dy, ai.mul(dy, ai.cast(ai.less(x, -1), "float32")))],
    );
    const x = ai.tensor([-2, -0.5, 3]);
    // differentiated twice: the comparison itself is on the outer tape
    const [second] = ai.grad((t) => ai.sum(ai.mul(t, ai.grad((u) => ai.sum(leaky(u)), [t])[0])), [x]);
    await expect(second).toBeCloseToTensor(floats([3], [1, 0, 1]));
    ai.dispose([x, second]);
  });

  it("cumprod, prod with zeros, tile of rank 5, and flip", async () => {
    await expectGradient(
      (x) => ai.sum(ai.cumprod(x, { axis: 0 })),
      [ai.tensor([2, 0, 3, 0, 4])],
      [floats([5], [1, 8, 0, 0, 0])],
    );
    await expectGradient((x) => ai.prod(x), [ai.tensor([2, 0, 3])], [floats([3], [0, 6, 0])]);
    await expectGradient(
      (x) => ai.sum(ai.tile(x, [2, 1, 3, 1, 2])),
      [ai.ones([1, 2, 1, 1, 2])],
      [floats([1, 2, 1, 1, 2], [12, 12, 12, 12])],
    );
    await expectGradient(
      (x) => ai.sum(ai.mul(ai.flip(x), ai.tensor([1, 2, 3]))),
      [ai.ones([3])],
      [floats([3], [3, 2, 1])],
    );
  });
});

describeEachDevice("values that a tfjs backend has wrong", () => {
  async function expectValue(result: ai.Tensor, expected: HostTensor) {
    await expect(result).toBeCloseToTensor(expected);
    result.dispose();
  }

  it("running sums from the end, of two lengths (webgpu)", async () => {
    for (const length of [4, 5, 4]) {
      const x = ai.ones([length]);
      const expected = Array.from({ length }, (_, i) => length - i);
      await expectValue(ai.cumsum(x, { axis: 0, reverse: true }), floats([length], expected));
      x.dispose();
    }
  });

  it("integers beyond 2²⁴ (webgpu)", async () => {
    const x = ai.tensor([16777217, 16777219], undefined, "int32");
    const ints = (values: number[]): HostTensor => ({ shape: [values.length], dtype: "int32", values });
    await expectValue(ai.add(x, 0), ints([16777217, 16777219]));
    await expectValue(ai.mul(x, 3), ints([50331651, 50331657]));
    await expectValue(ai.sum(x, { axes: 0, keepDims: true }), ints([33554436]));
    await expectValue(ai.max(x, { axes: 0, keepDims: true }), ints([16777219]));
    await expectValue(ai.equal(x, 16777217), { shape: [2], dtype: "bool", values: [1, 0] });
    await expectValue(ai.tile(x, [2]), ints([16777217, 16777219, 16777217, 16777219]));
    await expectValue(ai.flip(x), ints([16777219, 16777217]));
    await expectValue(ai.where(ai.equal(x, 16777217), x, 1), ints([16777217, 1]));
    await expectValue(ai.cumsum(x, { axis: 0 }), ints([16777217, 33554436]));
    x.dispose();
  });

  it("products and reductions of nothing", async () => {
    const a = ai.zeros([1, 0]);
    const b = ai.zeros([0, 1]);
    await expectValue(ai.matMul(a, b), floats([1, 1], [0]));
    await expectValue(ai.sum(a, { axes: 1 }), floats([1], [0]));
    expect(() => ai.max(a, { axes: 1 })).toThrow(/max: expected at least one element/);
    ai.dispose([a, b]);
  });

  it("shapes of argMax and of a product that keeps its axes (webgpu)", async () => {
    const x = ai.tensor([1, 3, 2]);
    await expectValue(ai.argMax(x), { shape: [], dtype: "int32", values: [1] });
    await expectValue(ai.argMax(x, { axis: 0 }), { shape: [], dtype: "int32", values: [1] });
    const square = ai.ones([2, 2]);
    await expectValue(ai.prod(square, { axes: 1, keepDims: true }), floats([2, 1], [1, 1]));
    ai.dispose([x, square]);
  });

  it("small arguments of expm1 and log1p (webgpu)", async () => {
    const x = ai.tensor([1e-6, -1e-6]);
    await expectValue(ai.expm1(x), floats([2], [1.0000005e-6, -9.999995e-7]));
    await expectValue(ai.log1p(x), floats([2], [9.999995e-7, -1.0000005e-6]));
    x.dispose();
  });

  it("NaN (webgpu, and in clip, maximum and relu6 wasm)", async () => {
    const x = ai.tensor([Number.NaN]);
    for (const op of [ai.exp, ai.relu, ai.relu6, ai.sigmoid, ai.elu, ai.selu, ai.softplus, ai.log, ai.tanh])
      await expectValue((op as Function1)(x), floats([1], [Number.NaN]));
    await expectValue(ai.clip(x, { min: 0, max: 1 }), floats([1], [Number.NaN]));
    await expectValue(ai.maximum(x, 1), floats([1], [Number.NaN]));
    await expectValue(ai.max(x), floats([], [Number.NaN]));
    const zero = ai.scalar(0);
    await expectValue(ai.log(zero), floats([], [Number.NEGATIVE_INFINITY]));
    ai.dispose([x, zero]);
  });

  it("floats as bool, and whole quotients (wasm)", async () => {
    const x = ai.tensor([-2, 0.3, 0]);
    await expectValue(ai.cast(x, "bool"), { shape: [3], dtype: "bool", values: [1, 1, 0] });
    const ints = ai.tensor([7, -7], undefined, "int32");
    await expectValue(ai.floorDivide(ints, 2), { shape: [2], dtype: "int32", values: [3, -4] });
    ai.dispose([x, ints]);
  });

  it("rank 7: right, or an error", async () => {
    const x = ai.ones([1, 2, 1, 2, 1, 1, 2]);
    const y = ai.full([2, 1, 1, 2], 2);
    const expected = floats([1, 2, 1, 2, 1, 1, 2], new Array(8).fill(3));
    const results: (ai.Tensor | undefined)[] = [];
    for (const compute of [() => ai.add(x, x), () => ai.add(x, ai.reshape(y, [2, 1, 2, 1, 1, 1]))]) {
      let result: ai.Tensor | undefined;
      try {
        result = compute();
      } catch (error) {
        expect(ai.isAiError(error), String(error)).toBe(true);
      }
      results.push(result);
    }
    if (results[0] !== undefined)
      await expect(results[0]).toBeCloseToTensor({ ...expected, values: new Array(8).fill(2) });
    if (results[1] !== undefined) await expect(results[1]).toBeCloseToTensor(expected);
    ai.dispose([x, y]);
  });
});
