import { expect, it } from "vitest";
import * as ai from "../index.js";
import { describeEachDevice } from "../testing/index.js";

/** Sizes above a workgroup, a tile and 65,535 groups, none of them round: against plain loops in double precision. */

/** Numbers in [−1, 1) without a pattern. */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

describeEachDevice("large and odd sizes", () => {
  it("adds a row to 70,001 rows", async () => {
    const rows = 70_001;
    const a = noise(rows * 3, 1);
    const b = noise(3, 2);
    const [x, y] = [ai.tensor(a, [rows, 3]), ai.tensor(b)];
    const result = ai.add(x, y);
    await expect(result).toBeCloseToTensor({
      shape: [rows, 3],
      dtype: "float32",
      values: a.map((value, i) => value + b[i % 3]),
    });
    ai.dispose([x, y, result]);
  });

  it("reduces 4,099 columns and 4,099 rows", async () => {
    const [rows, columns] = [3, 4099];
    const a = noise(rows * columns, 3);
    const x = ai.tensor(a, [rows, columns]);
    const moved = ai.transpose(x);
    const each = (f: (row: Float32Array) => number): number[] =>
      Array.from({ length: rows }, (_, row) => f(a.subarray(row * columns, (row + 1) * columns)));
    const expected: [(t: ai.Tensor, axis: number) => ai.Tensor, number[], string][] = [
      [
        (t, axis) => ai.sum(t, { axes: axis }),
        each((row) => row.reduce((total, value) => total + value, 0)),
        "float32",
      ],
      [(t, axis) => ai.max(t, { axes: axis }), each((row) => Math.max(...row)), "float32"],
      [(t, axis) => ai.min(t, { axes: axis }), each((row) => Math.min(...row)), "float32"],
      [(t, axis) => ai.argMax(t, { axis }), each((row) => row.indexOf(Math.max(...row))), "int32"],
      [
        (t, axis) => ai.logSumExp(t, { axes: axis }),
        each((row) => Math.log(row.reduce((total, value) => total + Math.exp(value), 0))),
        "float32",
      ],
      [
        (t, axis) => ai.norm(t, { axes: axis }),
        each((row) => Math.sqrt(row.reduce((total, value) => total + value * value, 0))),
        "float32",
      ],
    ];
    for (const [op, values, dtype] of expected)
      for (const [input, axis] of [
        [x, 1],
        [moved, 0],
      ] as const) {
        const result = op(input, axis);
        // sums of 4,099 float32 numbers in the device's own order
        await expect(result).toBeCloseToTensor({ shape: [rows], dtype, values }, { absoluteScale: 1e-5 });
        result.dispose();
      }
    const total = ai.sum(x);
    const sum = a.reduce((all, value) => all + value, 0);
    await expect(total).toBeCloseToTensor(
      { shape: [], dtype: "float32", values: [sum] },
      { absoluteScale: 1e-4 },
    );
    ai.dispose([x, moved, total]);
  });

  it("takes the softmax of 1,037 classes and running sums of 1,037 steps", async () => {
    const [rows, columns] = [2, 1037];
    const a = noise(rows * columns, 4);
    const x = ai.tensor(a, [rows, columns]);
    const soft = new Float64Array(a.length);
    const running = new Float64Array(a.length);
    for (let row = 0; row < rows; row++) {
      let total = 0;
      for (let i = 0; i < columns; i++) total += Math.exp(a[row * columns + i]);
      let sum = 0;
      for (let i = 0; i < columns; i++) {
        const at = row * columns + i;
        soft[at] = Math.exp(a[at]) / total;
        sum += a[at];
        running[at] = sum;
      }
    }
    const shape = [rows, columns];
    const probabilities = ai.softmax(x);
    await expect(probabilities).toBeCloseToTensor({ shape, dtype: "float32", values: [...soft] });
    const logs = ai.logSoftmax(x);
    await expect(logs).toBeCloseToTensor({ shape, dtype: "float32", values: [...soft].map(Math.log) });
    const sums = ai.cumsum(x, { axis: 1 });
    // a thousand additions in float32
    await expect(sums).toBeCloseToTensor(
      { shape, dtype: "float32", values: [...running] },
      { absoluteScale: 1e-5 },
    );
    ai.dispose([x, probabilities, logs, sums]);
  });

  it("multiplies [67, 131] by [131, 73], and a batch of odd matrices", async () => {
    const [rows, inner, columns] = [67, 131, 73];
    const a = noise(rows * inner, 5);
    const b = noise(inner * columns, 6);
    const values = new Array<number>(rows * columns).fill(0);
    for (let i = 0; i < rows; i++)
      for (let k = 0; k < inner; k++)
        for (let j = 0; j < columns; j++) values[i * columns + j] += a[i * inner + k] * b[k * columns + j];
    const x = ai.tensor(a, [rows, inner]);
    const y = ai.tensor(b, [inner, columns]);
    const weight = ai.transpose(y);
    const bias = ai.full([columns], 2);
    const expected = { shape: [rows, columns], dtype: "float32", values };
    const product = ai.matMul(x, y);
    // 131 products in the device's own order
    const tolerance = { absoluteScale: 3e-6 };
    await expect(product).toBeCloseToTensor(expected, tolerance);
    const other = ai.matMul(x, weight, { transposeB: true });
    await expect(other).toBeCloseToTensor(expected, tolerance);
    const layer = ai.linear(x, weight, bias);
    await expect(layer).toBeCloseToTensor(
      { ...expected, values: values.map((value) => value + 2) },
      tolerance,
    );
    ai.dispose([x, y, weight, bias, product, other, layer]);
  });

  it("transposes, joins, splits, tiles and flips odd blocks", async () => {
    const [rows, columns] = [131, 67];
    const a = noise(rows * columns, 7);
    const x = ai.tensor(a, [rows, columns]);
    const at = (i: number, j: number): number => a[i * columns + j];
    const check = async (result: ai.Tensor, shape: number[], value: (i: number, j: number) => number) => {
      const values = Array.from({ length: shape[0] * shape[1] }, (_, n) =>
        value(Math.floor(n / shape[1]), n % shape[1]),
      );
      await expect(result).toBeCloseToTensor(
        { shape, dtype: "float32", values },
        { relative: 0, absoluteScale: 0 },
      );
      result.dispose();
    };
    await check(ai.transpose(x), [columns, rows], (i, j) => at(j, i));
    await check(ai.concat([x, x], { axis: 1 }), [rows, 2 * columns], (i, j) => at(i, j % columns));
    await check(ai.tile(x, [1, 3]), [rows, 3 * columns], (i, j) => at(i, j % columns));
    await check(ai.flip(x), [rows, columns], (i, j) => at(rows - 1 - i, columns - 1 - j));
    const [left, right] = ai.split(x, [30, 37], { axis: 1 });
    await check(left, [rows, 30], (i, j) => at(i, j));
    await check(right, [rows, 37], (i, j) => at(i, j + 30));
    x.dispose();
  });
});
