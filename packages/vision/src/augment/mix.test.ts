import { InputError, oneHot, RandomGenerator, ShapeError, type Tensor, tensor } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { cutMix, type MixableBatch, mixup } from "./mix.js";

/** Picture `i` is `10 · i` everywhere. */
function batch(): { images: Tensor; labels: Tensor } {
  const images = Float32Array.from({ length: 3 * 6 * 8 * 2 }, (_, at) => 10 * Math.floor(at / 96));
  const indices = tensor(Int32Array.of(0, 1, 2));
  const labels = oneHot(indices, 3);
  indices.dispose();
  return { images: tensor(images, [3, 6, 8, 2]), labels };
}

const free = ({ images, labels }: MixableBatch): void => {
  images.dispose();
  labels.dispose();
};

describeEachDevice("mixup and cutMix", () => {
  it("share pictures as they share labels", async () => {
    const input = batch();
    const before = await input.images.data();
    const shares = new Set<number>();
    for (let seed = 0; seed < 6; seed++)
      for (const mix of [mixup, cutMix]) {
        const result = mix(input, { alpha: 0.7, generator: new RandomGenerator(seed) });
        expect([result.images.shape, result.labels.shape]).toEqual([
          [3, 6, 8, 2],
          [3, 3],
        ]);
        const values = Float32Array.from(await result.images.data());
        const labels = await result.labels.data();
        for (let row = 0; row < 3; row++) {
          const mean = values.slice(row * 96, (row + 1) * 96).reduce((sum, value) => sum + value, 0) / 96;
          const share = labels[row * 3 + row];
          expect(labels[row * 3 + ((row + 2) % 3)]).toBeCloseTo(1 - share, 6);
          expect(mean).toBeCloseTo(10 * row * share + 10 * ((row + 2) % 3) * (1 - share), 3);
          shares.add(Math.round(share * 1e4));
        }
        if (mix === cutMix) for (const value of values) expect(value % 10).toBe(0);
        free(result);
      }
    expect(shares.size).toBeGreaterThan(6);
    expect(await input.images.data()).toEqual(before);
    free(input);
  });

  it("keep nothing but their result, and refuse other shapes", async () => {
    const input = batch();
    await expectNoLeak(() => {
      free(mixup(input));
      free(cutMix(input, { alpha: 0.2 }));
    });
    expect(() => mixup({ images: input.labels, labels: input.labels })).toThrow(ShapeError);
    expect(() => cutMix({ images: input.images, labels: input.images })).toThrow(/labels \[3, classes\]/);
    expect(() => mixup(input, { alpha: 0 })).toThrow(InputError);
    free(input);
  });
});
