import { expect, it } from "vitest";
import { add, crossEntropy, grad, read, sum, tensor, zeros } from "../../index.js";
import {
  describeEachDevice,
  describeKernel,
  expectFixtureCase,
  expectNoLeak,
  type HostTensor,
  loadFixture,
  randomHostTensor,
} from "../../testing/index.js";
import { crossEntropyRowsGradientKernel, crossEntropyRowsKernel } from "./cross-entropy-rows.js";

const fixture = await loadFixture(new URL("../../../fixtures/kernels.safetensors", import.meta.url));

describeEachDevice("crossEntropy", (device) => {
  it("equals PyTorch for class numbers, second derivatives included", async () => {
    for (const reduction of ["mean", "sum", "none"] as const) {
      await expectFixtureCase(fixture, `crossEntropy/${reduction}`, ([logits, targets]) =>
        crossEntropy(logits, targets, { reduction }),
      );
      await expectFixtureCase(fixture, `crossEntropy/${reduction}All`, ([logits, targets, weight]) =>
        crossEntropy(logits, targets, { reduction, labelSmoothing: 0.2, ignoreIndex: 2, weight }),
      );
    }
    await expectFixtureCase(fixture, "crossEntropy/weight", ([logits, targets, weight]) =>
      crossEntropy(logits, targets, { weight }),
    );
    await expectFixtureCase(fixture, "crossEntropy/smoothing", ([logits, targets]) =>
      crossEntropy(logits, targets, { labelSmoothing: 0.1 }),
    );
  });

  it("equals PyTorch for probabilities, gradient of the targets included", async () => {
    await expectFixtureCase(fixture, "crossEntropy/soft", ([logits, targets]) =>
      crossEntropy(logits, targets),
    );
    await expectFixtureCase(fixture, "crossEntropy/softAll", ([logits, targets, weight]) =>
      crossEntropy(logits, targets, { weight, labelSmoothing: 0.3 }),
    );
  });

  it("takes more axes, no rows, and rows of NaN that do not count", async () => {
    const logits = tensor([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [Number.NaN, 0],
        [-50, 50],
      ],
    ]);
    const targets = tensor(Int32Array.of(1, 0, -100, 0), [2, 2]);
    const losses = crossEntropy(logits, targets, { reduction: "none" });
    await expect(losses).toBeCloseToTensor({
      shape: [2, 2],
      dtype: "float32",
      values: [Math.log1p(Math.exp(-1)), 1 + Math.log1p(Math.exp(-1)), 0, 100],
    });
    const nothing = zeros([0, 3]);
    const noTargets = zeros([0], "int32");
    const mean = crossEntropy(nothing, noTargets);
    const total = crossEntropy(nothing, noTargets, { reduction: "sum" });
    expect(await read(mean)).toEqual(Float32Array.of(Number.NaN));
    expect(await read(total)).toEqual(Float32Array.of(0));
    for (const t of [logits, targets, losses, nothing, noTargets, mean, total]) t.dispose();
  });

  it("refuses a target out of range", async () => {
    const logits = zeros([3, 4]);
    const wrong = tensor(Int32Array.of(0, 4, 1));
    const negative = tensor(Int32Array.of(0, -1, 1));
    expect(() => crossEntropy(logits, wrong)).toThrow(
      /targets in \[0, 4\) or the ignoreIndex -100, got 4 in row 1/,
    );
    expect(() => crossEntropy(logits, negative)).toThrow(/got -1 in row 1/);
    if (device === "webgpu") {
      // the host cannot see targets that the GPU computed: the next read rejects
      const computed = add(wrong, 0);
      const loss = crossEntropy(logits, computed);
      await expect(read(loss)).rejects.toThrow(/expected indices in \[0, 4\), got 4/);
      computed.dispose();
      loss.dispose();
    }
    const ignored = crossEntropy(logits, negative, { ignoreIndex: -1 });
    await expect(ignored).toBeCloseToTensor({ shape: [], dtype: "float32", values: [Math.log(4)] });
    for (const t of [logits, wrong, negative, ignored]) t.dispose();
  });

  it("leaks nothing and refuses what does not fit", async () => {
    const logits = zeros([3, 4]);
    const targets = tensor(Int32Array.of(0, 3, 1));
    const weight = zeros([3]);
    await expectNoLeak(() => {
      for (const gradient of grad((x) => sum(crossEntropy(x, targets, { reduction: "none" })), [logits]))
        gradient.dispose();
    });
    expect(() => crossEntropy(logits, weight)).toThrow(/float32 targets of shape \[3, 4\]/);
    expect(() => crossEntropy(targets, targets)).toThrow(/float32 logits, got int32/);
    expect(() => crossEntropy(logits, targets, { weight })).toThrow(/weight of shape \[4\]/);
    expect(() => crossEntropy(logits, targets, { labelSmoothing: 2 })).toThrow(/labelSmoothing in \[0, 1\]/);
    expect(() => crossEntropy(logits, targets, { reduction: "avg" as never })).toThrow(/reduction "mean"/);
    expect(() => crossEntropy(logits, logits, { ignoreIndex: 1 })).toThrow(/no ignoreIndex/);
    for (const t of [logits, targets, weight]) t.dispose();
  });
});

const targets = (...values: number[]): HostTensor => ({
  shape: [values.length],
  dtype: "int32",
  values: Int32Array.from(values),
});

// the second output serves the kernel's own gradient and has none: the fixtures above check gradients
describeKernel(crossEntropyRowsKernel, {
  "no rows": {
    inputs: { logits: randomHostTensor([0, 3]), targets: targets() },
    attrs: { ignoreIndex: -100 },
    gradient: false,
  },
  "one class": {
    inputs: { logits: randomHostTensor([2, 1]), targets: targets(0, 0) },
    attrs: { ignoreIndex: -100 },
    gradient: false,
  },
  "odd sizes, NaN and large logits": {
    inputs: {
      logits: randomHostTensor([5, 67], { scale: 40, contains: [Number.NaN] }),
      targets: targets(3, 66, 0, -1, 1),
    },
    attrs: { ignoreIndex: -1 },
    gradient: false,
  },
});

describeKernel(crossEntropyRowsGradientKernel, {
  "odd sizes, one row ignored": {
    inputs: {
      dy: randomHostTensor([3], { stream: "dy" }),
      logits: { shape: [3, 67], dtype: "float32", values: new Float32Array(201) },
      targets: targets(3, 66, -1),
      logSums: { shape: [3], dtype: "float32", values: new Float32Array(3).fill(Math.log(67)) },
    },
    attrs: { ignoreIndex: -1 },
    gradient: false,
  },
});
