import { tensor, useDevice } from "@ai/tensor";
import type { ItemContext } from "../training/data/dataset.js";
import { serveDataset } from "../training/data/serve-dataset.js";

/** Numbers in one buffer, so that an item is a view of a part of it. */
const all = Float32Array.from({ length: 40 }, (_, index) => index);
/** Waits for items that are asked for early, so that later ones are done before. */
const delayOf = (index: number): number => (index % 3 === 0 ? 20 : 0);

/** What the tests of `loadInWorkers` serve: item i is a view of numbers 2i and 2i + 1, its random number, and its epoch. */
export async function serveNumbers(): Promise<void> {
  await serveDataset(async () => ({
    length: 20,
    get: async (index: number, context?: ItemContext) => {
      await new Promise((resolve) => setTimeout(resolve, delayOf(index)));
      if (index === 13) throw new RangeError("item 13 is broken");
      if (index === 14) {
        await useDevice("cpu");
        return tensor([1]);
      }
      if (index === 15) return new Promise(() => undefined); // never
      return {
        values: all.subarray(2 * index, 2 * index + 2),
        random: context?.generator.uniform(),
        epoch: context?.epoch,
        name: `item ${index}`,
      };
    },
  }));
}

/** A worker whose dataset cannot be made. */
export async function serveNothing(): Promise<void> {
  await serveDataset(() => {
    throw new TypeError("no such file");
  });
}
