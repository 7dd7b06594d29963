import { checkpoint, grad, InputError, manualSeed, mean, ones, read, sum, type Tensor } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { AlphaDropout, Dropout, Dropout2d, FeatureAlphaDropout } from "./index.js";

describeEachDevice("Dropout", () => {
  it("drops the given share, scales the rest and repeats under one seed", async () => {
    const layer = new Dropout(0.25);
    const x = ones([40, 50]);
    manualSeed(5);
    const first = layer.call(x);
    const second = layer.call(x);
    manualSeed(5);
    const again = layer.call(x);
    await expect(again).toBeCloseToTensor(first, { relative: 0 });
    await expect(expect(second).toBeCloseToTensor(first)).rejects.toThrow();
    const values = [...(await read(first))];
    expect(new Set(values)).toEqual(new Set([0, Math.fround(4 / 3)]));
    const dropped = values.filter((value) => value === 0).length / values.length;
    expect(Math.abs(dropped - 0.25)).toBeLessThan(0.04); // 4 standard deviations of 2000 draws
    for (const owner of [x, first, second, again]) owner.dispose();
  });

  it("gives its input back in evaluation and zeros for probability 1", async () => {
    const x = ones([2, 3]);
    const same = new Dropout(0.9).eval().call(x);
    const none = new Dropout(1).call(x);
    await expect(same).toBeCloseToTensor(x, { relative: 0 });
    await expect(none).toBeCloseToTensor({ shape: [2, 3], dtype: "float32", values: Array(6).fill(0) });
    for (const owner of [x, same, none]) owner.dispose();
  });

  it("of whole channels keeps or drops each of them at once", async () => {
    const x = ones([30, 2, 3, 20]);
    const y = new Dropout2d(0.25).call(x);
    const values = await read(y);
    const cellsOf = (channel: number): number[] => {
      const [sample, own] = [Math.floor(channel / 20), channel % 20];
      return Array.from({ length: 6 }, (_, cell) => values[(sample * 6 + cell) * 20 + own]);
    };
    const channels = Array.from({ length: 600 }, (_, channel) => new Set(cellsOf(channel)));
    expect(channels.every(({ size }) => size === 1)).toBe(true);
    const dropped = channels.filter((cells) => cells.has(0)).length / channels.length;
    expect(Math.abs(dropped - 0.25)).toBeLessThan(0.07); // 4 standard deviations of 600 draws
    for (const owner of [x, y]) owner.dispose();
  });

  it("of SELU gives PyTorch's two values for a number", async () => {
    const x = ones([2000]);
    const y = new AlphaDropout(0.3).call(x);
    const values = [...(await read(y))];
    // torch.nn.AlphaDropout(0.3) of 1: dropped and kept
    const [low, high] = [-1.0595482, 1.3150447];
    const kept = values.filter((value) => Math.abs(value - high) < 1e-6).length;
    expect(values.filter((value) => Math.abs(value - low) < 1e-6).length).toBe(values.length - kept);
    expect(Math.abs(kept / values.length - 0.7)).toBeLessThan(0.042); // 4 standard deviations of 2000 draws
    for (const owner of [x, y]) owner.dispose();
  });

  it("of SELU drops whole channels, to the same two values", async () => {
    manualSeed(6);
    const x = ones([100, 2, 2, 3]);
    const y = new FeatureAlphaDropout(0.3).call(x);
    const values = await read(y);
    // a picture's 4 cells of 3 channels: every cell as the first
    const whole = [...values].every((value, index) => value === values[index - (index % 12) + (index % 3)]);
    expect(whole).toBe(true);
    const kept = [...values].filter((value) => Math.abs(value - 1.3150447) < 1e-6).length;
    expect([...values].filter((value) => Math.abs(value + 1.0595482) < 1e-6).length).toBe(1200 - kept);
    expect(Math.abs(kept / 1200 - 0.7)).toBeLessThan(0.106); // 4 standard deviations of 300 draws
    for (const owner of [x, y]) owner.dispose();
  });

  it("recomputes the same mask under checkpoint", async () => {
    const layer = new Dropout(0.5);
    const x = ones([20]);
    const gradientOf = (fn: (x: Tensor) => Tensor): Tensor => {
      manualSeed(9);
      return grad((input) => sum(fn(input)), [x])[0];
    };
    const plain = gradientOf((input) => layer.call(input));
    const recomputed = gradientOf((input) => checkpoint((inner) => layer.call(inner), [input]));
    await expect(recomputed).toBeCloseToTensor(plain, { relative: 0 });
    for (const owner of [x, plain, recomputed]) owner.dispose();
  });

  it("does not leak", async () => {
    const layer = new Dropout(0.5);
    await expectNoLeak(() => {
      const x = ones([2, 3]);
      const y = layer.call(x);
      const average = mean(y);
      for (const owner of [x, y, average]) owner.dispose();
    });
  });
});

describe("Dropout", () => {
  it("refuses a probability outside [0, 1]", () => {
    expect(() => new Dropout(1.1)).toThrow(InputError);
    expect(() => new Dropout(Number.NaN)).toThrow(InputError);
  });
});
