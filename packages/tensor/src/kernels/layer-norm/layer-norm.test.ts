import { expect, it } from "vitest";
import { layerNorm, zeros } from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { layerNormKernel } from "./layer-norm.js";

const fixture = await loadFixture(new URL("../../../fixtures/kernels.safetensors", import.meta.url));

describeEachDevice("layerNorm", () => {
  it("equals PyTorch, second derivatives included", async () => {
    await expectFixtureCase(fixture, "layerNorm/plain", ([x]) => layerNorm(x));
    await expectFixtureCase(fixture, "layerNorm/affine", ([x, weight, bias]) =>
      layerNorm(x, { weight, bias }),
    );
    await expectFixtureCase(fixture, "layerNorm/epsilon", ([x, weight]) =>
      layerNorm(x, { weight, epsilon: 0.5 }),
    );
    await expectFixtureCase(fixture, "layerNorm/twoAxes", ([x, weight, bias]) =>
      layerNorm(x, { weight, bias, numAxes: 2 }),
    );
  });

  it("leaks nothing and refuses what it cannot compute", async () => {
    const x = zeros([2, 3]);
    const weight = zeros([3]);
    const integers = zeros([3], "int32");
    await expectNoLeak(() => layerNorm(x, { weight, bias: weight }).dispose());
    expect(() => layerNorm(x, { weight: x })).toThrow(
      /layerNorm: expected weight of shape \[3\], got \[2, 3\]/,
    );
    expect(() => layerNorm(x, { bias: integers })).toThrow(/expected float32 for bias, got int32/);
    expect(() => layerNorm(x, { numAxes: 3 })).toThrow(/numAxes in \[1, 2\]/);
    expect(() => layerNorm(x, { epsilon: -1 })).toThrow(/epsilon of at least 0/);
    for (const t of [x, weight, integers]) t.dispose();
  });
});

const affine = (dim: number) => ({
  weight: randomHostTensor([dim], { stream: "weight" }),
  bias: randomHostTensor([dim], { stream: "bias" }),
});

describeKernel(layerNormKernel, {
  "no rows": { inputs: { x: randomHostTensor([0, 4]), ...affine(4) }, attrs: { epsilon: 1e-5 } },
  "rows of one": {
    // a GPU rounds once where it multiplies and subtracts at once, so what cancels leaves a last bit
    tolerance: { absolute: 1e-6 },
    inputs: { x: randomHostTensor([3, 1]), ...affine(1) },
    attrs: { epsilon: 0.5 },
  },
  "odd rows, one with NaN": {
    inputs: { x: randomHostTensor([5, 67], { contains: [Number.NaN] }), ...affine(67) },
    attrs: { epsilon: 1e-5 },
  },
  "more rows than a workgroup": { inputs: { x: randomHostTensor([131, 7]) }, attrs: { epsilon: 1e-5 } },
  "long rows far from 0": {
    // mean and deviation of 1000 ± 1: float32 keeps four digits of the difference
    tolerance: { relative: 1e-3, absoluteScale: 1e-4 },
    inputs: {
      x: {
        ...randomHostTensor([2, 1031]),
        values: Float32Array.from(randomHostTensor([2, 1031]).values, (v) => v + 1000),
      },
      ...affine(1031),
    },
    attrs: { epsilon: 1e-5 },
  },
});
