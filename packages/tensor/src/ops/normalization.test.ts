import { expect, it } from "vitest";
import {
  batchNorm,
  batchNormTraining,
  dispose,
  grad,
  groupNorm,
  square,
  sum,
  type Tensor,
  tensor,
  zeros,
} from "../index.js";
import { describeEachDevice, expectFixtureCase, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-normalization.safetensors", import.meta.url));

const CASES: Record<string, (inputs: Tensor[]) => Tensor> = {
  "batchNorm/plain": ([x, mean, variance]) => batchNorm(x, { mean, variance }),
  "batchNorm/affine": ([x, mean, variance, weight, bias]) => batchNorm(x, { mean, variance, weight, bias }),
  "batchNormTraining/plain": ([x]) => batchNormTraining(x).output,
  "batchNormTraining/affine": ([x, weight, bias]) => batchNormTraining(x, { weight, bias }).output,
  "batchNormTraining/epsilon": ([x, weight, bias]) =>
    batchNormTraining(x, { weight, bias, epsilon: 0.5 }).output,
  "groupNorm/affine": ([x, weight, bias]) => groupNorm(x, { numGroups: 2, weight, bias }),
  "groupNorm/layer": ([x]) => groupNorm(x, { numGroups: 1 }),
  "groupNorm/instance": ([x, weight]) => groupNorm(x, { numGroups: 4, weight, epsilon: 0.1 }),
};

describeEachDevice("normalization", () => {
  for (const [name, compute] of Object.entries(CASES))
    it(`${name} equals PyTorch, second derivatives included`, () =>
      expectFixtureCase(fixture, name, compute));

  it("gives the statistics of a batch as constants", async () => {
    const x = fixture.tensor("batchNormTraining/statistics/input0");
    const { output, mean, variance } = batchNormTraining(x);
    await expect(mean).toBeCloseToTensor(fixture.host("batchNormTraining/statistics/mean"));
    await expect(variance).toBeCloseToTensor(fixture.host("batchNormTraining/statistics/variance"));
    const [gradient] = grad((value) => sum(batchNormTraining(value).variance), [x], { allowUnused: true });
    expect(gradient).toBeNull();
    dispose([x, output, mean, variance]);
  });

  it("keeps a NaN in its channel and takes an empty batch", async () => {
    const x = tensor([Number.NaN, 1, 2, 3], [2, 2]);
    const { output, mean, variance } = batchNormTraining(x, { epsilon: 0 });
    await expect(output).toBeCloseToTensor({
      shape: [2, 2],
      dtype: "float32",
      values: [Number.NaN, -1, Number.NaN, 1],
    });
    const empty = zeros([0, 3]);
    const ones = tensor([1, 1, 1]);
    const normalized = batchNorm(empty, { mean: ones, variance: ones });
    expect(normalized.shape).toEqual([0, 3]);
    const nothing = batchNormTraining(empty, { weight: ones });
    const [, dWeight] = grad(
      (value, weight) => sum(batchNormTraining(value, { weight }).output),
      [empty, ones],
    );
    expect(nothing.output.shape).toEqual([0, 3]);
    await expect(dWeight).toBeCloseToTensor({ shape: [3], dtype: "float32", values: [0, 0, 0] });
    dispose([x, output, mean, variance, empty, ones, normalized, nothing, dWeight]);
  });

  it("leaks nothing", async () => {
    for (const name of ["batchNorm/affine", "batchNormTraining/affine", "groupNorm/affine"]) {
      const inputs = [0, 1, 2, 3, 4].flatMap((n) =>
        fixture.has(`${name}/input${n}`) ? [fixture.tensor(`${name}/input${n}`)] : [],
      );
      await expectNoLeak(() => dispose(grad((...values) => sum(square(CASES[name](values))), inputs)));
      dispose(inputs);
    }
  });

  it("refuses what does not fit", () => {
    const x = zeros([2, 3, 4]);
    const four = zeros([4]);
    expect(() => batchNorm(x, { mean: zeros([3]), variance: four })).toThrow(
      /batchNorm: expected mean \[4\], got \[3\]/,
    );
    expect(() => batchNorm(x, { mean: four, variance: four, epsilon: -1 })).toThrow(/epsilon of at least 0/);
    expect(() => batchNormTraining(zeros([1, 4]))).toThrow(/more than one value a channel/);
    expect(() => batchNormTraining(four)).toThrow(/x \[batch, ..., channels\]/);
    expect(() => groupNorm(x, { numGroups: 3 })).toThrow(/channels that 3 groups divide/);
    expect(() => groupNorm(zeros([1, 4]), { numGroups: 4 })).toThrow(/more than one value a group/);
    expect(() => groupNorm(x, { numGroups: 0 })).toThrow(/numGroups of at least 1/);
    dispose([x, four]);
  });
});
