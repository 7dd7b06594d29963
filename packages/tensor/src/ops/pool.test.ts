import { expect, it } from "vitest";
import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool1dWithIndices,
  adaptiveMaxPool2d,
  adaptiveMaxPool2dWithIndices,
  adaptiveMaxPool3d,
  adaptiveMaxPool3dWithIndices,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  dispose,
  grad,
  type MaxPoolResult,
  maxPool1d,
  maxPool1dWithIndices,
  maxPool2d,
  maxPool2dWithIndices,
  maxPool3d,
  maxPool3dWithIndices,
  maxUnpool1d,
  maxUnpool2d,
  maxUnpool3d,
  sum,
  type Tensor,
  tensor,
  zeros,
} from "../index.js";
import { describeEachDevice, expectFixtureCase, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-pool.safetensors", import.meta.url));

const both = ({ values, indices }: MaxPoolResult): Tensor[] => [values, indices];

const CASES: Record<string, (x: Tensor) => Tensor | Tensor[]> = {
  "maxPool1d/plain": (x) => maxPool1d(x, { kernelSize: 3, stride: 2, padding: 1 }),
  "maxPool2d/plain": (x) => maxPool2d(x, { kernelSize: 2 }),
  "maxPool2d/padded": (x) => maxPool2d(x, { kernelSize: [3, 2], stride: [2, 1], padding: 1 }),
  "maxPool2d/dilated": (x) => maxPool2d(x, { kernelSize: 2, stride: 1, padding: 1, dilation: [2, 3] }),
  "maxPool2d/ceil": (x) => maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1, ceilMode: true }),
  "maxPool2d/ceilDropped": (x) => maxPool2d(x, { kernelSize: 2, stride: 3, padding: 1, ceilMode: true }),
  "maxPool2d/ties": (x) => maxPool2d(x, { kernelSize: 3, stride: 1, padding: 1 }),
  "maxPool2d/alexNet": (x) => maxPool2d(x, { kernelSize: 3, stride: 2 }),
  "maxPool2d/special": (x) => maxPool2d(x, { kernelSize: 2, stride: 1 }),
  "maxPool3d/plain": (x) => maxPool3d(x, { kernelSize: 2 }),
  "maxPool3d/options": (x) =>
    maxPool3d(x, {
      kernelSize: [3, 2, 3],
      stride: [1, 2, 2],
      padding: [1, 0, 1],
      dilation: [1, 2, 1],
      ceilMode: true,
    }),
  "maxPool3d/ties": (x) => maxPool3d(x, { kernelSize: 2, stride: 1 }),
  "avgPool1d/plain": (x) => avgPool1d(x, { kernelSize: 3, stride: 2, padding: 1 }),
  "avgPool2d/plain": (x) => avgPool2d(x, { kernelSize: 2 }),
  "avgPool2d/padInclude": (x) => avgPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }),
  "avgPool2d/padExclude": (x) =>
    avgPool2d(x, { kernelSize: 3, stride: 2, padding: 1, countIncludePad: false }),
  "avgPool2d/ceilInclude": (x) =>
    avgPool2d(x, { kernelSize: [3, 2], stride: [2, 3], padding: 1, ceilMode: true }),
  "avgPool2d/ceilExclude": (x) =>
    avgPool2d(x, { kernelSize: [3, 2], stride: [2, 3], padding: 1, ceilMode: true, countIncludePad: false }),
  "avgPool3d/ceilInclude": (x) =>
    avgPool3d(x, { kernelSize: [3, 2, 2], stride: 2, padding: [1, 0, 1], ceilMode: true }),
  "avgPool3d/ceilExclude": (x) =>
    avgPool3d(x, {
      kernelSize: [3, 2, 2],
      stride: 2,
      padding: [1, 0, 1],
      ceilMode: true,
      countIncludePad: false,
    }),
  "avgPool2d/one": (x) => avgPool2d(x, { kernelSize: 2, stride: 1, padding: 1, countIncludePad: false }),
  "adaptiveAvgPool2d/one": (x) => adaptiveAvgPool2d(x, { outputSize: 1 }),
  "adaptiveAvgPool2d/divides": (x) => adaptiveAvgPool2d(x, { outputSize: [2, 3] }),
  "adaptiveAvgPool2d/overlaps": (x) => adaptiveAvgPool2d(x, { outputSize: [3, 4] }),
  "adaptiveAvgPool2d/enlarges": (x) => adaptiveAvgPool2d(x, { outputSize: [7, 2] }),
  "avgPool2d/divisor": (x) => avgPool2d(x, { kernelSize: 3, stride: 2, padding: 1, divisorOverride: 5 }),
  "avgPool2d/divisorCeil": (x) =>
    avgPool2d(x, {
      kernelSize: [3, 2],
      stride: [2, 3],
      padding: 1,
      ceilMode: true,
      countIncludePad: false,
      divisorOverride: -4,
    }),
  "avgPool3d/divisor": (x) => avgPool3d(x, { kernelSize: 2, stride: 1, ceilMode: true, divisorOverride: 3 }),
  "adaptiveAvgPool1d/overlaps": (x) => adaptiveAvgPool1d(x, { outputSize: 3 }),
  "adaptiveAvgPool3d/overlaps": (x) => adaptiveAvgPool3d(x, { outputSize: [2, null, 3] }),
  "adaptiveMaxPool1d/overlaps": (x) => adaptiveMaxPool1d(x, { outputSize: 3 }),
  "adaptiveMaxPool2d/overlaps": (x) => adaptiveMaxPool2d(x, { outputSize: [3, 4] }),
  "adaptiveMaxPool2d/ties": (x) => adaptiveMaxPool2d(x, { outputSize: [3, 7] }),
  "adaptiveMaxPool3d/overlaps": (x) => adaptiveMaxPool3d(x, { outputSize: [2, 4, 3] }),
  "maxPool1dWithIndices/plain": (x) =>
    both(maxPool1dWithIndices(x, { kernelSize: 3, stride: 2, padding: 1 })),
  "maxPool2dWithIndices/options": (x) =>
    both(
      maxPool2dWithIndices(x, {
        kernelSize: [3, 2],
        stride: [2, 1],
        padding: 1,
        dilation: [1, 2],
        ceilMode: true,
      }),
    ),
  "maxPool3dWithIndices/options": (x) =>
    both(maxPool3dWithIndices(x, { kernelSize: [3, 2, 3], stride: [1, 2, 2], padding: [1, 0, 1] })),
  "maxPool3dWithIndices/ties": (x) => both(maxPool3dWithIndices(x, { kernelSize: 2 })),
  "adaptiveMaxPool1dWithIndices/overlaps": (x) => both(adaptiveMaxPool1dWithIndices(x, { outputSize: 3 })),
  "adaptiveMaxPool2dWithIndices/overlaps": (x) =>
    both(adaptiveMaxPool2dWithIndices(x, { outputSize: [3, 4] })),
  "adaptiveMaxPool3dWithIndices/overlaps": (x) =>
    both(adaptiveMaxPool3dWithIndices(x, { outputSize: [2, 4, 3] })),
  "maxUnpool1d/plain": (x) => {
    const options = { kernelSize: 3, stride: 3, padding: 1 };
    const { values, indices } = maxPool1dWithIndices(x, options);
    return maxUnpool1d(values, indices, options);
  },
  "maxUnpool2d/size": (x) => {
    const { values, indices } = maxPool2dWithIndices(x, { kernelSize: 2 });
    return maxUnpool2d(values, indices, { kernelSize: 2, outputSize: [5, 7] });
  },
  "maxUnpool2d/overlaps": (x) => {
    const options = { kernelSize: 3, stride: 2 };
    const { values, indices } = maxPool2dWithIndices(x, options);
    return maxUnpool2d(values, indices, options);
  },
  "maxUnpool3d/plain": (x) => {
    const { values, indices } = maxPool3dWithIndices(x, { kernelSize: 2 });
    return maxUnpool3d(values, indices, { kernelSize: 2 });
  },
  "adaptiveAvgPool2d/keeps": (x) => adaptiveAvgPool2d(x, { outputSize: [null, 2] }),
};

describeEachDevice("pooling", () => {
  for (const [name, compute] of Object.entries(CASES))
    it(`${name} equals PyTorch, second derivatives included`, () =>
      expectFixtureCase(fixture, name, ([x]) => compute(x)));

  it("takes an empty batch", () => {
    const x = zeros([0, 4, 4, 2]);
    const results = [
      maxPool2d(x, { kernelSize: 2 }),
      avgPool2d(x, { kernelSize: 2 }),
      ...grad((value) => sum(maxPool2d(value, { kernelSize: 2 })), [x]),
    ];
    expect(results.map(({ shape }) => shape)).toEqual([
      [0, 2, 2, 2],
      [0, 2, 2, 2],
      [0, 4, 4, 2],
    ]);
    dispose([x, results]);
  });

  it("keeps other cells apart from a NaN when averaging", async () => {
    const x = tensor([Number.NaN, 1, 2, 3, 4], [1, 5, 1, 1]);
    const y = adaptiveAvgPool2d(x, { outputSize: [3, 1] });
    await expect(y).toBeCloseToTensor({
      shape: [1, 3, 1, 1],
      dtype: "float32",
      values: [Number.NaN, 2, 3.5],
    });
    dispose([x, y]);
  });

  it("leaks nothing", async () => {
    for (const name of [
      "maxPool1d/plain",
      "maxPool2d/padded",
      "maxPool3d/options",
      "avgPool3d/ceilExclude",
      "adaptiveAvgPool2d/overlaps",
      "adaptiveMaxPool3d/overlaps",
      "maxUnpool2d/overlaps",
      "avgPool2d/divisorCeil",
    ]) {
      const x = fixture.tensor(`${name}/input0`);
      await expectNoLeak(() => dispose(grad((value) => sum([CASES[name](value)].flat()[0]), [x])));
      x.dispose();
    }
  });

  it("refuses what does not fit", () => {
    const x = zeros([1, 4, 4, 2]);
    expect(() => maxPool2d(zeros([4, 4]), { kernelSize: 2 })).toThrow(/maxPool2d: expected x of rank 4/);
    expect(() => maxPool2d(zeros([1, 4, 4, 2], "int32"), { kernelSize: 2 })).toThrow(/expected float32/);
    expect(() => maxPool2d(x, { kernelSize: 5 })).toThrow(/window that fits/);
    expect(() => maxPool2d(x, { kernelSize: 2, padding: 2 })).toThrow(/padding of at most half the window/);
    expect(() => avgPool2d(x, { kernelSize: 0 })).toThrow(/kernelSize as an integer of at least 1/);
    expect(() => avgPool2d(x, { kernelSize: [2, 2, 2] })).toThrow(/or 2 of them/);
    expect(() => adaptiveAvgPool2d(x, { outputSize: 0 })).toThrow(/outputSize as an integer of at least 1/);
    expect(() => adaptiveAvgPool2d(zeros([1, 0, 4, 2]), { outputSize: 1 })).toThrow(/with cells/);
    expect(() => adaptiveMaxPool3d(x, { outputSize: 1 })).toThrow(
      /expected x \[batch, depth, height, width, channels\]/,
    );
    expect(() => avgPool2d(x, { kernelSize: 2, divisorOverride: 0 })).toThrow(
      /divisorOverride as a number other/,
    );
    const indices = zeros([1, 4, 4, 2], "int32", 64);
    expect(() => maxUnpool2d(x, x, { kernelSize: 2 })).toThrow(/indices int32/);
    expect(() => maxUnpool2d(x, indices, { kernelSize: 2, outputSize: [8, 6] })).toThrow(
      /within a stride of/,
    );
    dispose(indices);
    dispose(x);
  });
});
