import { expect, it } from "vitest";
import * as ops from "../../../index.js";
import { type Tensor, tensor } from "../../../index.js";
import { describeEachDevice } from "../../../testing/index.js";

describeEachDevice("elementwise functions", () => {
  it("is as accurate as float32 can be asked to be", async () => {
    const points = [1e-6, -1e-6, 0.01, -0.01, 0.3, -0.4, 0.9, -0.9, 1.7, -3.1, 5, 20, -30];
    const check = async (
      compute: (x: Tensor) => Tensor,
      exact: (x: number) => number,
      inside = (_: number) => true,
    ): Promise<void> => {
      const used = points.filter(inside);
      const x = tensor(used);
      const result = compute(x);
      await expect(result).toBeCloseToTensor(
        { shape: [used.length], dtype: "float32", values: used.map((value) => exact(Math.fround(value))) },
        { relative: 2e-6, absoluteScale: 0 },
      );
      ops.dispose([x, result]);
    };
    await check(ops.exp, Math.exp);
    await check(ops.expm1, Math.expm1);
    await check(ops.log1p, Math.log1p, (x) => x > -1);
    await check(ops.log, Math.log, (x) => x > 0);
    await check(ops.tanh, Math.tanh);
    await check(ops.sinh, Math.sinh);
    await check(ops.cosh, Math.cosh);
    await check(ops.asinh, Math.asinh);
    await check(ops.acosh, Math.acosh, (x) => x >= 1);
    await check(ops.atanh, Math.atanh, (x) => Math.abs(x) < 1);
    await check(ops.sin, Math.sin);
    await check(ops.cos, Math.cos);
    await check(ops.tan, Math.tan);
    const far = [
      8193,
      -12345.678,
      1e6,
      -1e7,
      33554432,
      7e8,
      1e10,
      -1e20,
      1e30,
      3.4e38,
      6381956970095103 * 2 ** 24,
    ];
    for (const [op, exact] of [
      [ops.sin, Math.sin],
      [ops.cos, Math.cos],
    ] as const) {
      const x = tensor(far);
      const result = op(x);
      const values = far.map((value) => exact(Math.fround(value)));
      await expect(result).toBeCloseToTensor(
        { shape: [far.length], dtype: "float32", values },
        { relative: 2e-6, absoluteScale: 0 },
      );
      ops.dispose([x, result]);
    }
    await check(ops.asin, Math.asin, (x) => Math.abs(x) <= 1);
    await check(ops.acos, Math.acos, (x) => Math.abs(x) <= 1);
    await check(ops.atan, Math.atan);
    await check(ops.sigmoid, (x) => 1 / (1 + Math.exp(-x)));
    await check(
      (x) => ops.pow(x, 2.5),
      (x) => x ** 2.5,
      (x) => x > 0,
    );
    await check(
      (x) => ops.pow(x, -3),
      (x) => x ** -3,
    );
    await check(
      (x) => ops.atan2(x, -0.7),
      (x) => Math.atan2(x, Math.fround(-0.7)),
    );
    await check(
      (x) => ops.remainder(x, 0.3),
      (x) => {
        const m = Math.fround(0.3);
        return Math.fround(((x % m) + m) % m);
      },
      (x) => Math.abs(x) > 1e-3,
    );
    // erf from PyTorch in float64 of the float32 inputs
    const x = tensor([1e-6, 0.01, 0.3, -0.9, 1.7, -3.1]);
    const erf = ops.erf(x);
    await expect(erf).toBeCloseToTensor(
      {
        shape: [6],
        dtype: "float32",
        values: [
          1.1283791530985e-6, 0.011283415303381, 0.328626771677, -0.796908212423, 0.983790458591,
          -0.99998835134,
        ],
      },
      { relative: 2e-6, absoluteScale: 0 },
    );
    ops.dispose([x, erf]);
  });
});
