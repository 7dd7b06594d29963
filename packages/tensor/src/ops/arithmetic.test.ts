import { expect, it } from "vitest";
import * as ai from "../index.js";
import { describeFixtureCases } from "../testing/describe-fixture-cases.js";
import { describeEachDevice, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-arithmetic.safetensors", import.meta.url));

type Binary = (a: ai.TensorLike, b: ai.TensorLike) => ai.Tensor;

const BINARY: Readonly<Record<string, Binary>> = {
  add: ai.add,
  sub: ai.sub,
  mul: ai.mul,
  div: ai.div,
  floorDivide: ai.floorDivide,
  remainder: ai.remainder,
  pow: ai.pow,
  maximum: ai.maximum,
  minimum: ai.minimum,
  squaredDifference: ai.squaredDifference,
  atan2: ai.atan2,
  equal: ai.equal,
  notEqual: ai.notEqual,
  less: ai.less,
  lessEqual: ai.lessEqual,
  greater: ai.greater,
  greaterEqual: ai.greaterEqual,
  logicalAnd: ai.logicalAnd,
  logicalOr: ai.logicalOr,
  logicalXor: ai.logicalXor,
};

describeFixtureCases("arithmetic and comparisons against PyTorch", fixture, {
  ...Object.fromEntries(
    Object.entries(BINARY).map(([name, op]) => [name, ([a, b]: ai.Tensor[]) => op(a, b)]),
  ),
  logicalNot: ([x]) => ai.logicalNot(x),
  where: ([condition, a, b]) => ai.where(condition, a, b),
});

describeEachDevice("arithmetic and comparisons", () => {
  it("gives a number the dtype of its partner where it fits", async () => {
    const ints = ai.tensor([1, 2], undefined, "int32");
    const floats = ai.tensor([1, 2]);
    const results = [
      [ai.add(ints, 3), "int32", [4, 5]],
      [ai.add(3, ints), "int32", [4, 5]],
      [ai.mul(ints, 0.5), "float32", [0.5, 1]],
      [ai.sub(10, floats), "float32", [9, 8]],
      [ai.less(ints, 1e10), "bool", [1, 1]],
      [ai.div(ints, 2), "float32", [0.5, 1]],
      [ai.where(ai.equal(ints, 2), 7, ints), "int32", [1, 7]],
    ] as const;
    for (const [result, dtype, values] of results)
      await expect(result).toBeCloseToTensor({ shape: [2], dtype, values });
    const both = ai.add(1, 2);
    await expect(both).toBeCloseToTensor({ shape: [], dtype: "float32", values: [3] });
  });

  it("divides integers by 0 to 0", async () => {
    const ints = ai.tensor([5, -5, 0], undefined, "int32");
    for (const result of [ai.floorDivide(ints, 0), ai.remainder(ints, 0)])
      await expect(result).toBeCloseToTensor({ shape: [3], dtype: "int32", values: [0, 0, 0] });
  });

  it("broadcasts as a naive loop does, up to rank 6 and with sizes of 0", async () => {
    const shapes: [number[], number[]][] = [
      [
        [2, 1, 3, 1, 2, 1],
        [3, 1, 2, 1, 2],
      ],
      [
        [1, 4, 1, 3],
        [2, 1, 5, 1],
      ],
      [[3], [2, 3]],
      [
        [2, 3],
        [2, 1],
      ],
      [
        [0, 3],
        [1, 3],
      ],
      [[2, 1], [0]],
      [[], [2, 2]],
      [[1, 1, 1], [2]],
    ];
    for (const [left, right] of shapes) {
      const a = ai.arange(
        0,
        left.reduce((size, length) => size * length, 1),
        1,
        "float32",
      );
      const b = ai.arange(
        0,
        right.reduce((size, length) => size * length, 1),
        1,
        "float32",
      );
      const shapedA = ai.reshape(a, left);
      const shapedB = ai.reshape(b, right);
      const difference = ai.sub(shapedA, shapedB);
      await expect(difference).toBeCloseToTensor(naiveDifference(left, right));
      ai.dispose([a, b, shapedA, shapedB, difference]);
    }
  });

  it("names the op and the shapes when they do not broadcast", () => {
    const a = ai.zeros([2, 3]);
    const b = ai.zeros([2, 4]);
    for (const [name, op] of Object.entries(BINARY))
      expect(() => op(a, b), name).toThrow(
        new RegExp(`${name}: expected shapes that broadcast, got \\[2, 3\\] and \\[2, 4\\]`),
      );
    expect(() => ai.where(a, a, b)).toThrow(/where: expected shapes that broadcast/);
    expect(() => ai.add(a, "1" as unknown as number)).toThrow(
      /add: expected a tensor or a number, got string/,
    );
    // as those of @ai/layers, whose shape and dtype are a tensor's
    const parameter = { value: a, requiresGrad: true, shape: [2, 3], dtype: "float32" };
    for (const op of [ai.add, ai.exp, ai.matMul, ai.sum] as ((x: ai.Tensor, y: never) => ai.Tensor)[])
      expect(() => op(parameter as never, {} as never)).toThrow(/got a parameter; pass parameter.value$/);
    expect(() => ai.add(a, parameter as never)).toThrow(/got a parameter; pass parameter.value$/);
    const truth = ai.tensor([true]);
    expect(() => ai.sub(truth, truth)).toThrow(/sub: expected numbers, got two bool tensors/);
    ai.dispose([a, b, truth]);
  });

  it("is a constant to gradients where it compares or rounds down", async () => {
    const x = ai.tensor([-1.5, 2]);
    const [gradient] = ai.grad(
      (t) =>
        ai.sum(
          ai.add(
            ai.where(ai.greater(t, 0), ai.mul(t, 3), t),
            ai.add(ai.cast(ai.greater(t, 0), "float32"), ai.floorDivide(t, 2)),
          ),
        ),
      [x],
    );
    await expect(gradient).toBeCloseToTensor({ shape: [2], dtype: "float32", values: [1, 3] });
    ai.dispose([x, gradient]);
  });
});

/** `a − b` of 0, 1, 2 … in both shapes, computed index by index. */
function naiveDifference(left: number[], right: number[]) {
  const rank = Math.max(left.length, right.length);
  const pad = (shape: number[]): number[] => [...new Array<number>(rank - shape.length).fill(1), ...shape];
  const a = pad(left);
  const b = pad(right);
  const shape = a.map((length, axis) => (length === 1 ? b[axis] : length));
  const values: number[] = [];
  const visit = (axis: number, offsetA: number, offsetB: number): void => {
    if (axis === rank) {
      values.push(offsetA - offsetB);
      return;
    }
    for (let i = 0; i < shape[axis]; i++)
      visit(
        axis + 1,
        offsetA * a[axis] + (a[axis] === 1 ? 0 : i),
        offsetB * b[axis] + (b[axis] === 1 ? 0 : i),
      );
  };
  visit(0, 0, 0);
  return { shape, dtype: "float32", values };
}
