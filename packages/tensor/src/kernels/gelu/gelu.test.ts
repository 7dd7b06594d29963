import { expect, it } from "vitest";
import { gelu, read, tensor, zeros } from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { geluKernel } from "./gelu.js";

const fixture = await loadFixture(new URL("../../../fixtures/kernels.safetensors", import.meta.url));

describeEachDevice("gelu", () => {
  it("equals PyTorch", async () => {
    await expectFixtureCase(fixture, "gelu/none", ([x]) => gelu(x));
    await expectFixtureCase(fixture, "gelu/tanh", ([x]) => gelu(x, { approximate: "tanh" }));
  });

  it("keeps NaN and infinities as PyTorch does", async () => {
    for (const approximate of ["none", "tanh"] as const) {
      const x = tensor([Number.NaN, Number.POSITIVE_INFINITY, 1e30, -1e30]);
      const y = gelu(x, { approximate });
      expect([...(await read(y))].map((value) => value + 0)).toEqual([
        Number.NaN,
        Number.POSITIVE_INFINITY,
        Math.fround(1e30),
        0,
      ]);
      x.dispose();
      y.dispose();
    }
  });

  it("leaks nothing and refuses what it cannot compute", async () => {
    const x = zeros([2, 3]);
    await expectNoLeak(() => gelu(x).dispose());
    const integers = zeros([2], "int32");
    expect(() => gelu(integers)).toThrow(/gelu: expected float32, got int32/);
    expect(() => gelu(x, { approximate: "erf" as never })).toThrow(/expected approximate "none" or "tanh"/);
    x.dispose();
    integers.dispose();
  });
});

describeKernel(geluKernel, {
  "of nothing": { inputs: { x: randomHostTensor([0, 3]) }, attrs: { approximate: "none" } },
  "of a scalar": { inputs: { x: randomHostTensor([]) }, attrs: { approximate: "tanh" } },
  "of 5 × 67 with NaN": {
    inputs: { x: randomHostTensor([5, 67], { scale: 3, contains: [Number.NaN, 0, -0] }) },
    attrs: { approximate: "none" },
  },
  "of 1031, tanh": {
    inputs: { x: randomHostTensor([1031], { scale: 3, contains: [Number.NaN] }) },
    attrs: { approximate: "tanh" },
  },
});
