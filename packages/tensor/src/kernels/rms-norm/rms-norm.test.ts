import { expect, it } from "vitest";
import { rmsNorm, zeros } from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { rmsNormKernel } from "./rms-norm.js";

const fixture = await loadFixture(new URL("../../../fixtures/kernels.safetensors", import.meta.url));

describeEachDevice("rmsNorm", () => {
  it("equals PyTorch, second derivatives included", async () => {
    await expectFixtureCase(fixture, "rmsNorm/plain", ([x]) => rmsNorm(x));
    await expectFixtureCase(fixture, "rmsNorm/affine", ([x, weight]) =>
      rmsNorm(x, { weight, epsilon: 1e-6 }),
    );
  });

  it("leaks nothing and refuses what it cannot compute", async () => {
    const x = zeros([2, 3]);
    const weight = zeros([3]);
    const scalar = zeros([]);
    await expectNoLeak(() => rmsNorm(x, { weight }).dispose());
    expect(() => rmsNorm(x, { weight: x })).toThrow(/rmsNorm: expected weight of shape \[3\], got \[2, 3\]/);
    expect(() => rmsNorm(scalar)).toThrow(/at least one axis/);
    expect(() => rmsNorm(x, { epsilon: Number.NaN })).toThrow(/finite epsilon/);
    for (const t of [x, weight, scalar]) t.dispose();
  });
});

const weight = (dim: number) => randomHostTensor([dim], { stream: "weight" });

describeKernel(rmsNormKernel, {
  "no rows": { inputs: { x: randomHostTensor([0, 4]), weight: weight(4) }, attrs: { epsilon: 1e-5 } },
  "rows of one": { inputs: { x: randomHostTensor([3, 1]), weight: weight(1) }, attrs: { epsilon: 0.5 } },
  "odd rows, one with NaN": {
    inputs: { x: randomHostTensor([5, 67], { contains: [Number.NaN] }), weight: weight(67) },
    attrs: { epsilon: 1e-5 },
  },
  "more rows than a workgroup": { inputs: { x: randomHostTensor([131, 7]) }, attrs: { epsilon: 1e-6 } },
  "long rows": { inputs: { x: randomHostTensor([2, 1031]), weight: weight(1031) }, attrs: { epsilon: 1e-6 } },
});
