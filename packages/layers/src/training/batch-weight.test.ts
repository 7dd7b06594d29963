import {
  cast,
  crossEntropy,
  fromValues,
  manualSeed,
  notEqual,
  read,
  sum,
  type Tensor,
  useDevice,
} from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { Linear } from "../linear.js";
import type { Pair } from "../testing/tiny-run.js";
import { DataLoader, SGD, Trainer, type TrainerOptions } from "./index.js";

beforeAll(() => useDevice("cpu"));

const CLASSES = 3;
const PADDING = -100;
const LENGTH = 110;

/** Two sequences `[1, length, 2]` of which 10 and 100 tokens count, the rest is padding. */
function sequences(tokens: readonly number[]): { length: number; get(index: number): Tensor[] } {
  const items = tokens.map((count) => {
    const generator = manualSeed(2).fork(`${count} tokens`);
    const input = Float32Array.from({ length: LENGTH * 2 }, () => generator.normal());
    const labels = Int32Array.from({ length: LENGTH }, (_, index) => {
      const label = generator.integer(0, CLASSES);
      return index < count ? label : PADDING;
    });
    return { input, labels };
  });
  return {
    length: tokens.length,
    get: (index) => [
      fromValues(items[index].input.slice(), [LENGTH, 2], "float32"),
      fromValues(items[index].labels.slice(), [LENGTH], "int32"),
    ],
  };
}

const tokensOf = ([, target]: Pair): Tensor => sum(cast(notEqual(target, PADDING), "float32"));

function makeRun(
  tokens: readonly number[],
  batchSize: number,
  options: Partial<TrainerOptions<Pair, Linear>>,
) {
  manualSeed(4);
  const model = new Linear(2, CLASSES);
  const optimizer = new SGD(model.parameters(), { learningRate: 0.5 });
  const trainer = new Trainer<Pair, Linear>({
    model,
    optimizer,
    computeLoss: ([input, target], net) => crossEntropy(net.call(input), target, { ignoreIndex: PADDING }),
    ...options,
  });
  const loader = new DataLoader<Tensor[], Pair>(sequences(tokens), { batchSize });
  const values = async (): Promise<number[]> =>
    (await Promise.all(model.parameters().map(async ({ value }) => [...(await read(value))]))).flat();
  const dispose = (): void => {
    optimizer.dispose();
    model.dispose();
  };
  return { trainer, loader, values, dispose };
}

describeEachDevice("accumulated gradients", () => {
  it("of 10 and 100 tokens are the gradient of one batch of 110", async () => {
    await expectNoLeak(async () => {
      const whole = makeRun([10, 100], 2, {});
      const parts = makeRun([10, 100], 1, { gradientAccumulation: 2, batchWeight: tokensOf });
      for (const { trainer, loader } of [whole, parts]) await trainer.fit(loader, { epochs: 2 });
      const expected = await whole.values();
      (await parts.values()).forEach((value, index) => {
        expect(Math.abs(value - expected[index])).toBeLessThan(1e-6);
      });
      const losses = whole.trainer.history.losses;
      parts.trainer.history.losses.forEach((loss, index) => {
        expect(loss).toBeCloseTo(losses[index], 5);
      });
      const evaluated = await parts.trainer.evaluate(parts.loader);
      expect(evaluated.loss).toBeCloseTo((await whole.trainer.evaluate(whole.loader)).loss, 5);
      for (const run of [whole, parts]) run.dispose();
    });
  });
});

describe("batchWeight", () => {
  /** Gives one of the numbers after another. */
  const inTurn = (weights: readonly number[]): (() => number) => {
    let calls = 0;
    return () => weights[calls++ % weights.length];
  };

  it("may be a number; a batch of weight 0 counts nothing, even where its loss is NaN", async () => {
    const whole = makeRun([10, 100], 2, {});
    const parts = makeRun([10, 0, 100], 1, { gradientAccumulation: 3, batchWeight: inTurn([10, 0, 100]) });
    for (const { trainer, loader } of [whole, parts]) await trainer.fit(loader, { epochs: 1 });
    const expected = await whole.values();
    (await parts.values()).forEach((value, index) => {
      expect(Math.abs(value - expected[index])).toBeLessThan(1e-6);
    });
    expect(parts.trainer.history.latest("loss")).toBeCloseTo(whole.trainer.history.latest("loss") ?? 0, 5);
    const evaluated = await parts.trainer.evaluate(parts.loader);
    expect(evaluated.loss).toBeCloseTo((await whole.trainer.evaluate(whole.loader)).loss, 5);
    for (const run of [whole, parts]) run.dispose();
  });

  it("is the number of examples by default: an uneven last batch counts for what is in it", async () => {
    const full = [LENGTH, LENGTH, LENGTH];
    const whole = makeRun(full, 3, {});
    const parts = makeRun(full, 2, { gradientAccumulation: 2 });
    for (const { trainer, loader } of [whole, parts]) await trainer.fit(loader, { epochs: 1 });
    const expected = await whole.values();
    (await parts.values()).forEach((value, index) => {
      expect(Math.abs(value - expected[index])).toBeLessThan(1e-6);
    });
    for (const run of [whole, parts]) run.dispose();
  });

  it("refuses what is no weight, frees everything, and needs something that counts", async () => {
    await expectNoLeak(async () => {
      for (const [batchWeight, message] of [
        [() => Number.NaN, /finite number of at least 0, got NaN/],
        [() => -1, /at least 0, got -1/],
        [([input]: Pair) => input, /a tensor of one element, got shape \[1, 110, 2\]/],
        [() => undefined as never, /got undefined/],
        [() => 0, /a batch of a weight above 0 for step 1, got 1 of weight 0/],
      ] as [(batch: Pair) => number | Tensor, RegExp][]) {
        const run = makeRun([10, 100], 1, { batchWeight });
        await expect(run.trainer.fit(run.loader, { epochs: 1 })).rejects.toThrow(message);
        run.dispose();
      }
    });
    expect(() => makeRun([10], 1, { batchWeight: 3 as never })).toThrow(
      /function as batchWeight, got number/,
    );
  });
});
