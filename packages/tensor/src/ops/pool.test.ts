import { expect, it } from "vitest";
import {
  adaptiveAvgPool2d,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  dispose,
  grad,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  sum,
  type Tensor,
  tensor,
  zeros,
} from "../index.js";
import { describeEachDevice, expectFixtureCase, expectNoLeak, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-pool.safetensors", import.meta.url));

const CASES: Record<string, (x: Tensor) => Tensor> = {
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
    ]) {
      const x = fixture.tensor(`${name}/input0`);
      await expectNoLeak(() => dispose(grad((value) => sum(CASES[name](value)), [x])));
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
    dispose(x);
  });
});
