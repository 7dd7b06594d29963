import { dispose, RandomGenerator, read, type Tensor, tensor, useDevice } from "@ai/tensor";
import { expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import {
  ArrayDataset,
  balancedWeights,
  ConcatDataset,
  createCollate,
  DataLoader,
  kFoldSplit,
  LengthBucketSampler,
  MappedSource,
  randomSplit,
  ShuffledSource,
  StratifiedSampler,
  StreamSource,
  SubsetDataset,
  TensorDataset,
  TokenBatchSampler,
  WeightedRandomSampler,
} from "./index.js";

beforeAll(() => useDevice("cpu"));

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);

describe("samplers by length", () => {
  const generator = new RandomGenerator(1).fork("lengths");
  const lengths = Array.from({ length: 203 }, () => generator.integer(1, 100));

  it("puts items of similar length into one batch, every item once, the short batch last", () => {
    const sampler = new LengthBucketSampler(lengths, { batchSize: 8, bucketBatches: 10 });
    const order = sampler.sample(new RandomGenerator(3));
    expect(sorted(order)).toEqual(upTo(203));
    const padded = (positions: ArrayLike<number>): number => {
      let total = 0;
      for (let begin = 0; begin < positions.length; begin += 8) {
        const batch = Array.from(positions).slice(begin, begin + 8);
        total += batch.length * Math.max(...batch.map((index) => lengths[index]));
      }
      return total;
    };
    const needed = lengths.reduce((a, b) => a + b);
    expect(padded(order)).toBeLessThan(1.2 * needed);
    expect(padded(new RandomGenerator(3).permutation(203))).toBeGreaterThan(1.6 * needed);
    expect(sampler.sample(new RandomGenerator(3))).toEqual(order);
    expect(sampler.sample(new RandomGenerator(4))).not.toEqual(order);
  });

  it("fills batches up to a number of tokens, as many batches every epoch", () => {
    const sampler = new TokenBatchSampler(lengths, { maxTokens: 256, maxItems: 40 });
    for (const seed of [1, 2]) {
      const batches = sampler.batches(new RandomGenerator(seed));
      expect(batches).toHaveLength(sampler.length);
      expect(sorted(batches.flatMap((batch) => [...batch]))).toEqual(upTo(203));
      for (const batch of batches) {
        const longest = Math.max(...Array.from(batch, (index) => lengths[index]));
        expect(batch.length * longest).toBeLessThanOrEqual(256);
        expect(batch.length).toBeLessThanOrEqual(40);
      }
    }
    const inOrder = new TokenBatchSampler([5, 1, 3, 2, 5], { maxTokens: 6, shuffle: false });
    expect(inOrder.batches(new RandomGenerator(0)).map((batch) => [...batch])).toEqual([
      [1, 3],
      [2],
      [0],
      [4],
    ]);
    expect(new TokenBatchSampler([], { maxTokens: 1 }).length).toBe(0);
  });

  it("gives its batches through a loader, and resumes within an epoch", async () => {
    const data = new ArrayDataset(upTo(203));
    const batchSampler = new TokenBatchSampler(lengths, { maxTokens: 256 });
    const make = (): DataLoader<number, Tensor> => new DataLoader(data, { batchSampler, seed: 5 });
    const whole: number[][] = [];
    for await (const batch of make()) {
      whole.push([...(await read(batch))]);
      batch.dispose();
    }
    expect(make().length).toBe(whole.length);
    expect(sorted(whole.flat())).toEqual(upTo(203));
    const resumed = make();
    resumed.loadState({ epoch: 0, position: 3, seed: 5 });
    const rest: number[][] = [];
    for await (const batch of resumed) {
      rest.push([...(await read(batch))]);
      batch.dispose();
    }
    expect(rest).toEqual(whole.slice(3));
  });

  it("refuse what makes no sense", () => {
    expect(() => new LengthBucketSampler([1, -1], { batchSize: 2 })).toThrow(/got -1 at 1/);
    expect(() => new LengthBucketSampler(undefined as never, { batchSize: 2 })).toThrow(
      /an array of lengths/,
    );
    expect(() => new LengthBucketSampler([1], { batchSize: 0 })).toThrow(/batchSize of at least 1/);
    expect(() => new TokenBatchSampler([1, 9], { maxTokens: 4 })).toThrow(/at most 4 tokens, got 9 at 1/);
    expect(() => new TokenBatchSampler([1], { maxTokens: 4, size: 1 } as never)).toThrow(
      /got one named size/,
    );
    const batchSampler = new TokenBatchSampler([1], { maxTokens: 4 });
    const data = new ArrayDataset([1]);
    expect(() => new DataLoader(data, { batchSampler, batchSize: 2 })).toThrow(
      /batchSampler or batchSize, got both/,
    );
    expect(() => new DataLoader({ *iterate() {} }, { batchSampler })).toThrow(/no shuffle or sampler/);
    expect(() => new DataLoader(data, { numWorkers: 2 } as object)).toThrow(/got one named numWorkers/);
  });
});

describe("samplers by label", () => {
  const labels = Array.from({ length: 120 }, (_, index) => (index < 90 ? "a" : index < 114 ? "b" : "c"));

  it("give each batch each label in its share", () => {
    const sampler = new StratifiedSampler(labels);
    const order = sampler.sample(new RandomGenerator(2));
    expect(sorted(order)).toEqual(upTo(120));
    for (let begin = 0; begin < 120; begin += 20) {
      const batch = [...order.slice(begin, begin + 20)].map((index) => labels[index]);
      const count = (label: string): number => batch.filter((each) => each === label).length;
      expect(Math.abs(count("a") - 15)).toBeLessThanOrEqual(1);
      expect(Math.abs(count("b") - 4)).toBeLessThanOrEqual(1);
      expect(Math.abs(count("c") - 1)).toBeLessThanOrEqual(1);
    }
    expect(sampler.sample(new RandomGenerator(3))).not.toEqual(order);
  });

  it("draw rare labels as often as common ones by balanced weights", () => {
    const sampler = new WeightedRandomSampler(balancedWeights(labels), 6000);
    const drawn = sampler.sample(new RandomGenerator(4));
    for (const label of ["a", "b", "c"]) {
      const share = drawn.filter((index) => labels[index] === label).length / 6000;
      expect(share).toBeGreaterThan(0.31);
      expect(share).toBeLessThan(0.36);
    }
  });

  it("refuse what is no label", () => {
    expect(() => new StratifiedSampler([0, Number.NaN])).toThrow(/got NaN at 1/);
    expect(() => balancedWeights(undefined as never)).toThrow(/an array of labels, got undefined/);
  });
});

describe("randomSplit", () => {
  const data = new ArrayDataset(upTo(21));
  const items = (part: SubsetDataset<number>) => upTo(part.length).map((index) => part.get(index));

  it("gives every item to one part, as the seed says", async () => {
    const parts = randomSplit(data, [0.7, 0.2, 0.1], { seed: 1 });
    expect(parts.map(({ length }) => length)).toEqual([15, 4, 2]); // torch.utils.data.random_split's sizes
    expect(sorted(parts.flatMap(items) as number[])).toEqual(upTo(21));
    expect(randomSplit(data, [15, 4, 2], { seed: 1 }).map(items)).toEqual(parts.map(items));
    expect(randomSplit(data, [15, 4, 2], { seed: 2 }).map(items)).not.toEqual(parts.map(items));
    const whole = new ConcatDataset([parts[0], new ArrayDataset<number>([]), parts[1]]);
    expect(whole.length).toBe(19);
    expect([await whole.get(14), await whole.get(15)]).toEqual([items(parts[0])[14], items(parts[1])[0]]);
  });

  it("gives each part each label in its share", () => {
    const labels = upTo(20).map((index) => (index < 5 ? "rare" : "usual"));
    for (const part of randomSplit(new ArrayDataset(labels), [0.4, 0.6], { labels }))
      expect(items(part as never).filter((label) => (label as never) === "rare")).toHaveLength(
        part.length / 4,
      );
  });

  it("refuses what makes no sense", () => {
    expect(() => randomSplit(data, [0.8, 0.3])).toThrow(/sum to 1 or sizes that sum to 21, got 0.8, 0.3/);
    expect(() => randomSplit(data, [0.99, 0.01])).toThrow(/one item a part, got 21, 0 of 21/);
    expect(() => randomSplit([1, 2] as never, [0.5, 0.5])).toThrow(/wrap an array in ArrayDataset/);
    expect(() => randomSplit(data, [1, 20], { labels: [1] })).toThrow(/expected 21 labels, got 1/);
    expect(() => new ConcatDataset([])).toThrow(/at least one dataset/);
    expect(() => new ConcatDataset([data]).get(21)).toThrow(/an index in \[0, 21\), got 21/);
  });
});

describe("kFoldSplit", () => {
  it("validates with every item once, and trains with the others", () => {
    const folds = kFoldSplit(17, { folds: 5, seed: 3 });
    expect(sorted(folds.flatMap(({ validation }) => [...validation]))).toEqual(upTo(17));
    expect(folds.map(({ validation }) => validation.length)).toEqual([4, 4, 3, 3, 3]);
    for (const { training, validation } of folds)
      expect(sorted([...training, ...validation])).toEqual(upTo(17));
    expect(kFoldSplit(17, { folds: 5, seed: 3 })).toEqual(folds);
    expect(kFoldSplit(17, { folds: 5, seed: 4 })).not.toEqual(folds);
    const inOrder = kFoldSplit(5, { folds: 2, shuffle: false });
    expect(inOrder.map(({ validation }) => [...validation])).toEqual([
      [0, 1, 2],
      [3, 4],
    ]);
  });

  it("gives each part each label in its share", () => {
    const labels = Array.from({ length: 53 }, (_, index) => (index % 4 === 0 ? 1 : 0));
    const folds = kFoldSplit(53, { folds: 4, labels });
    const sizes = folds.map(({ validation }) => validation.length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    const ones = folds.map(({ validation }) => validation.filter((index) => labels[index] === 1).length);
    expect(Math.max(...ones) - Math.min(...ones)).toBeLessThanOrEqual(1);
  });

  it("refuses what makes no sense", () => {
    expect(() => kFoldSplit(3)).toThrow(/at least 5 items for 5 folds, got 3/);
    expect(() => kFoldSplit({ length: 9 } as never)).toThrow(/pass data\.length/);
    expect(() => kFoldSplit(9, { folds: 1 })).toThrow(/folds of at least 2, got 1/);
    expect(() => kFoldSplit(4, { folds: 2, labels: [1] })).toThrow(/expected 4 labels, got 1/);
    expect(() => kFoldSplit(4, { folds: 2, labels: [0, 0, 0, 1] })).toThrow(
      /2 items of each label, got 1 of 1/,
    );
    expect(() => kFoldSplit(9, { splits: 3 } as object)).toThrow(/got one named splits/);
  });

  it("goes with subsets of datasets, those that give whole batches included", async () => {
    await expectNoLeak(async () => {
      const [{ training }] = kFoldSplit(6, { folds: 3, shuffle: false });
      const items = new SubsetDataset(new ArrayDataset(["a", "b", "c", "d", "e", "f"]), training);
      expect([...upTo(items.length)].map((index) => items.get(index))).toEqual(["c", "d", "e", "f"]);
      const values = { values: Float32Array.from(upTo(6)), shape: [6], dtype: "float32" as const };
      const rows = new SubsetDataset(new TensorDataset([values]), training);
      for await (const batch of new DataLoader<Tensor[], Tensor[]>(rows, { batchSize: 4 })) {
        expect([...(await read(batch[0]))]).toEqual([2, 3, 4, 5]);
        dispose(batch);
      }
    });
    expect(() => new SubsetDataset(new ArrayDataset([1]), [1])).toThrow(/positions in \[0, 1\), got 1 at 0/);
    expect(() => new SubsetDataset(new ArrayDataset([1]), [0]).get(1)).toThrow(/index in \[0, 1\), got 1/);
    expect(() => new SubsetDataset({} as never, [0])).toThrow(/a dataset and an array of positions/);
  });
});

describe("streams", () => {
  let closed = 0;
  const numbers = new StreamSource(async function* (epoch: number) {
    try {
      for (let index = 0; index < 50; index++) yield index + 100 * epoch;
    } finally {
      closed++;
    }
  });
  const take = async (
    source: { iterate(epoch: number): AsyncIterable<number> | Iterable<number> },
    epoch: number,
  ) => {
    const items: number[] = [];
    for await (const item of source.iterate(epoch)) items.push(item);
    return items;
  };

  it("are shuffled within a buffer, another way each epoch, the same way each time", async () => {
    const source = new ShuffledSource(numbers, { bufferSize: 10, seed: 3 });
    const first = await take(source, 0);
    expect(sorted(first)).toEqual(upTo(50));
    expect(first).not.toEqual(upTo(50));
    first.forEach((value, position) => {
      expect(value).toBeLessThanOrEqual(position + 10);
    });
    expect(await take(source, 0)).toEqual(first);
    expect((await take(source, 1)).map((value) => value - 100)).not.toEqual(first);
    expect(await take(new ShuffledSource(numbers, { bufferSize: 1 }), 0)).toHaveLength(50);
  });

  it("go through functions, and resume with the same random numbers", async () => {
    const source = new MappedSource(numbers, async (value, { generator }) => value + generator.uniform(), {
      seed: 1,
    });
    const whole = await take(source, 0);
    const loader = new DataLoader<number, Tensor>(source, { batchSize: 20 });
    loader.loadState({ epoch: 0, position: 1, seed: 0 });
    const rest: number[] = [];
    for await (const batch of loader) {
      rest.push(...(await read(batch)));
      batch.dispose();
    }
    expect(rest).toEqual(whole.slice(20).map(Math.fround));
  });

  it("are closed and freed when a loop is left early, and throw what they throw", async () => {
    await expectNoLeak(async () => {
      closed = 0;
      const tensors = new MappedSource(numbers, (value) => tensor([value]));
      const source = new ShuffledSource(tensors, { bufferSize: 5 });
      for await (const batch of new DataLoader<Tensor, Tensor>(source, { batchSize: 2 })) {
        batch.dispose();
        break;
      }
      expect(closed).toBe(1);
      const failing = new MappedSource(tensors, (value) => {
        value.dispose();
        throw new TypeError("line 1 is broken");
      });
      await expect(take(failing as never, 0)).rejects.toThrow("line 1 is broken");
      expect(closed).toBe(2);
    });
  });

  it("refuse what is no stream", () => {
    expect(() => new StreamSource([1, 2] as never)).toThrow(/a function that opens the stream, got object/);
    expect(() => new StreamSource(() => 3 as never).iterate(0)).toThrow(/gives an iterable, got number/);
    expect(() => new ShuffledSource([1] as never, { bufferSize: 2 })).toThrow(
      /a source with iterate, got object/,
    );
    expect(() => new ShuffledSource(numbers, { bufferSize: 0 })).toThrow(/bufferSize of at least 1/);
    expect(() => new MappedSource(numbers, undefined as never)).toThrow(/expected a function, got undefined/);
  });
});

describe("collate", () => {
  it("refuses to mix kinds and dtypes, and frees what it made", async () => {
    await expectNoLeak(async () => {
      const collate = createCollate();
      const [floats, integers, wide] = [tensor([1]), tensor(Int32Array.of(1)), tensor([1, 2])];
      for (const [items, message] of [
        [[Int32Array.of(1), Float32Array.of(0.5)], /int32 at item of every item, got float32; convert/],
        [[Float32Array.of(1), Int32Array.of(1)], /float32 at item of every item, got int32/],
        [[integers, floats], /int32 at item of every item, got float32/],
        [[floats, wide], /shape \[1\] at item of every item, got \[2\]; pad/],
        [[floats, [1]], /a tensor at item of every item, got a list/],
        [[{ x: 1 }, null], /an object at item of every item, got null/],
        [[{ x: 1 }, {}], /a number at item\.x of every item, got undefined/],
        [[[1], 1], /a list at item of every item, got a number/],
        [[true, 1], /a boolean at item of every item, got a number/],
      ] as [unknown[], RegExp][])
        expect(() => collate(items)).toThrow(message);
      dispose([floats, integers, wide]);
    });
  });
});
