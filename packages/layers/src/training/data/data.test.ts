import { dispose, manualSeed, RandomGenerator, read, type Tensor, tensor } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { padSequence } from "../../recurrent/pad-sequence.js";
import {
  ArrayDataset,
  ConcatDataset,
  createCollate,
  DataLoader,
  type DataLoaderOptions,
  type Dataset,
  MappedDataset,
  RandomSampler,
  SequentialSampler,
  SubsetRandomSampler,
  TensorDataset,
  WeightedRandomSampler,
} from "./index.js";

/** Numbers 0 … length − 1. */
const counting = (length: number): ArrayDataset<number> =>
  new ArrayDataset(Array.from({ length }, (_, index) => index));

/** The numbers of each batch of one epoch. */
async function epochOf(loader: DataLoader<number, Tensor>): Promise<number[][]> {
  const batches: number[][] = [];
  for await (const batch of loader) {
    batches.push([...(await read(batch))]);
    batch.dispose();
  }
  return batches;
}

describeEachDevice("datasets", () => {
  it("gathers rows of tensors on the device and of host values alike", async () => {
    await expectNoLeak(async () => {
      const values = Float32Array.from({ length: 12 }, (_, index) => index);
      const onDevice = tensor(values, [6, 2]);
      const data = new TensorDataset([
        onDevice,
        { values, shape: [6, 2], dtype: "float32" },
        { values: Uint8Array.of(9, 8, 7, 6, 5, 255), shape: [6], dtype: "float32" },
      ]);
      const [device, host, bytes] = data.getBatch(Int32Array.of(5, 0));
      for (const each of [device, host])
        await expect(each).toBeCloseToTensor({ shape: [2, 2], dtype: "float32", values: [10, 11, 0, 1] });
      await expect(bytes).toBeCloseToTensor({ shape: [2], dtype: "float32", values: [255, 9] });
      const item = data.get(2);
      await expect(item[0]).toBeCloseToTensor({ shape: [2], dtype: "float32", values: [4, 5] });
      await expect(item[2]).toBeCloseToTensor({ shape: [], dtype: "float32", values: [7] });
      dispose([device, host, bytes, onDevice, item]);
    });
  });

  it("gives a batch of several datasets at once, a call a dataset", async () => {
    await expectNoLeak(async () => {
      const asked: number[][] = [];
      const part = (first: number): Dataset<unknown> => ({
        length: 3,
        get: () => expect.unreachable("item by item"),
        async getBatch(indices: Int32Array) {
          asked.push([...indices]);
          const ids = indices.map((index) => first + index);
          return { x: tensor(Float32Array.from(ids), [ids.length, 1]), names: Array.from(ids, String) };
        },
      });
      const data = new ConcatDataset([part(0), new ArrayDataset<unknown>([]), part(10), part(20)]);
      const mixed = (await data.getBatch!(Int32Array.of(7, 0, 4, 2, 3))) as { x: Tensor; names: string[] };
      expect(asked).toEqual([[0, 2], [1, 0], [1]]);
      expect(mixed.names).toEqual(["21", "0", "11", "2", "10"]);
      await expect(mixed.x).toBeCloseToTensor({
        shape: [5, 1],
        dtype: "float32",
        values: [21, 0, 11, 2, 10],
      });
      const inOrder = (await data.getBatch!(Int32Array.of(2, 3))) as { x: Tensor };
      await expect(inOrder.x).toBeCloseToTensor({ shape: [2, 1], dtype: "float32", values: [2, 10] });
      const other = new ConcatDataset([part(0), new TensorDataset([inOrder.x])]);
      await expect(other.getBatch!(Int32Array.of(0, 3))).rejects.toThrow(/one structure.*pass collate/s);
      const whole = tensor([[1]], undefined, "int32");
      const kinds = new ConcatDataset([new TensorDataset([inOrder.x]), new TensorDataset([whole])]);
      await expect(kinds.getBatch!(Int32Array.of(0, 2))).rejects.toThrow(/float32 and int32 in one place/);
      expect(new ConcatDataset([part(0), counting(2)]).getBatch).toBeUndefined();
      dispose([mixed, inOrder, whole]);
    });
  });

  it("collates numbers, arrays, tensors and structures", async () => {
    await expectNoLeak(async () => {
      const items = [0, 1].map((index) => ({
        image: { values: Float32Array.of(index, 2), shape: [1, 2], dtype: "float32" as const },
        pair: [Int32Array.of(index), tensor([index, index])] as const,
        flag: index === 1,
        label: index,
        name: `n${index}`,
      }));
      const batch = createCollate({ numberDtype: "int32" })(items);
      expect(batch.image.shape).toEqual([2, 1, 2]);
      await expect(batch.pair[0]).toBeCloseToTensor({ shape: [2, 1], dtype: "int32", values: [0, 1] });
      await expect(batch.pair[1]).toBeCloseToTensor({
        shape: [2, 2],
        dtype: "float32",
        values: [0, 0, 1, 1],
      });
      await expect(batch.flag).toBeCloseToTensor({ shape: [2], dtype: "bool", values: [0, 1] });
      await expect(batch.label).toBeCloseToTensor({ shape: [2], dtype: "int32", values: [0, 1] });
      expect(batch.name).toEqual(["n0", "n1"]);
      dispose([batch, items.map(({ pair }) => pair[1])]);
    });
  });

  it("takes no picture's bytes for truth values", async () => {
    await expectNoLeak(() => {
      const bytes = Uint8Array.of(1, 200);
      const picture = { values: bytes, shape: [1, 2], dtype: "bool" as const };
      const words = /expected 0 and 1 for dtype bool, got 200; give \{ values, shape, dtype: "float32" \}/;
      expect(() => createCollate()([bytes])).toThrow(words);
      expect(() => createCollate()([picture])).toThrow(words);
      expect(() => new TensorDataset([picture])).toThrow(words);
    });
  });
});

describe("DataLoader", () => {
  it("goes through the data in batches, the last one short or left out", async () => {
    const loader = new DataLoader(counting(7), { batchSize: 3 });
    expect(loader.length).toBe(3);
    expect(await epochOf(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    const dropping = new DataLoader(counting(7), { batchSize: 3, dropLast: true });
    expect(dropping.length).toBe(2);
    expect(await epochOf(dropping)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    expect(await epochOf(new DataLoader(counting(0), { batchSize: 3 }))).toEqual([]);
  });

  it("shuffles every epoch anew, each item once, by the seed alone", async () => {
    const make = (seed: number, prefetch = 1): DataLoader<number, Tensor> =>
      new DataLoader(counting(20), { batchSize: 4, shuffle: true, seed, prefetch });
    const loader = make(1);
    const first = await epochOf(loader);
    const second = await epochOf(loader);
    expect(first.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(second).not.toEqual(first);
    const again = make(1, 5);
    expect([await epochOf(again), await epochOf(again)]).toEqual([first, second]);
    expect(await epochOf(make(2))).not.toEqual(first);
    manualSeed(1);
    expect(await epochOf(new DataLoader(counting(20), { batchSize: 4, shuffle: true }))).toEqual(first);
  });

  it.each([0, 1, 4])(
    "continues at a saved state with the very next batch, %i batches prefetched",
    async (prefetch) => {
      const augment = (data: Dataset<number>): Dataset<number> =>
        new MappedDataset(data, (value, { generator, epoch }) => value + generator.uniform() + 100 * epoch);
      const make = (): DataLoader<number, Tensor> =>
        new DataLoader(augment(counting(10)), { batchSize: 3, shuffle: true, seed: 4, prefetch });
      const whole = make();
      const all = [...(await epochOf(whole)), ...(await epochOf(whole)), ...(await epochOf(whole))];
      for (let stop = 0; stop <= 8; stop++) {
        const stopped = make();
        let taken = 0;
        let state = stopped.state();
        while (taken < stop)
          for await (const batch of stopped) {
            batch.dispose();
            state = stopped.state();
            if (++taken === stop) break;
          }
        const resumed = make();
        resumed.loadState(JSON.parse(JSON.stringify(state)));
        const rest: number[][] = [];
        while (taken + rest.length < all.length) rest.push(...(await epochOf(resumed)));
        expect(rest, `after ${stop}`).toEqual(all.slice(stop));
      }
    },
  );

  it("begins a new epoch after a loop that was left, and frees what was prefetched", async () => {
    await expectNoLeak(async () => {
      const loader = new DataLoader(counting(20), { batchSize: 2, shuffle: true, seed: 9, prefetch: 3 });
      for await (const batch of loader) {
        batch.dispose();
        break;
      }
      expect(loader.state()).toEqual({ epoch: 1, position: 0, seed: 9 });
    });
  });

  it("frees what a collate makes on its way, and nothing of one that waits", async () => {
    await expectNoLeak(async () => {
      const items = new ArrayDataset([[1], [2, 3], [4]]);
      const pad = (rows: readonly number[][]) => padSequence(rows.map((row) => tensor(row)));
      const loader = new DataLoader(items, { batchSize: 3, collate: pad });
      for await (const { padded, lengths } of loader) {
        expect([[...(await read(padded))], lengths]).toEqual([
          [1, 0, 2, 3, 4, 0],
          [1, 2, 1],
        ]);
        padded.dispose();
      }
      const wait = async (rows: readonly number[][]): Promise<Map<string, Tensor>> => {
        const first = tensor(rows[0]);
        await Promise.resolve();
        return new Map([["first", first]]);
      };
      for await (const batch of new DataLoader(items, { batchSize: 3, collate: wait })) {
        expect([...(await read(batch.get("first")!))]).toEqual([1]);
        batch.get("first")!.dispose();
      }
      const failing = () => {
        tensor([1]);
        throw new TypeError("no batch");
      };
      await expect(epochOf(new DataLoader(items, { collate: failing }) as never)).rejects.toThrow("no batch");
    });
  });

  it("prepares batches ahead, but no more than asked", async () => {
    let asked = 0;
    const slow: Dataset<number> = {
      length: 10,
      get: async (index) => {
        asked++;
        return index;
      },
    };
    for await (const batch of new DataLoader<number, Tensor>(slow, { prefetch: 2 })) {
      batch.dispose();
      expect(asked).toBe(3);
      break;
    }
  });

  it("takes sources that come one after another, and resumes them by skipping", async () => {
    const source = {
      *iterate(epoch: number) {
        for (let index = 0; index < 7; index++) yield index + 10 * epoch;
      },
    };
    const loader = new DataLoader<number, Tensor>(source, { batchSize: 3 });
    expect(loader.length).toBeUndefined();
    expect(await epochOf(loader)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    loader.loadState({ epoch: 2, position: 1, seed: 0 });
    expect(await epochOf(loader)).toEqual([[23, 24, 25], [26]]);
  });

  it("throws what the dataset throws, at its batch, and frees the rest", async () => {
    await expectNoLeak(async () => {
      const failing = new MappedDataset(counting(9), async (value) => {
        if (value === 4) throw new TypeError("item 4 is broken");
        return tensor([value]);
      });
      const seen: number[] = [];
      const run = async (): Promise<void> => {
        for await (const batch of new DataLoader<Tensor, Tensor>(failing, { batchSize: 3, prefetch: 2 })) {
          seen.push(batch.shape[0]);
          batch.dispose();
        }
      };
      await expect(run()).rejects.toThrow("item 4 is broken");
      expect(seen).toEqual([3]);
    });
  });

  it("refuses options that make no sense", () => {
    const make = (options: DataLoaderOptions<number, Tensor>): DataLoader<number, Tensor> =>
      new DataLoader(counting(4), options);
    expect(() => make({ batchSize: 0 })).toThrow(/batchSize of at least 1, got 0/);
    expect(() => make({ prefetch: -1 })).toThrow(/prefetch of at least 0/);
    expect(() => make({ seed: -1 })).toThrow(/seed/);
    expect(() => make({ shuffle: true, sampler: new SequentialSampler(4) })).toThrow(
      /shuffle or a sampler, got both/,
    );
    expect(() => new DataLoader({ *iterate() {} }, { shuffle: true })).toThrow(/no shuffle or sampler/);
    expect(() => new DataLoader({} as Dataset<number>)).toThrow(/got neither/);
    expect(() => make({ batchSize: 2 }).loadState({ epoch: 0, position: 3, seed: 0 })).toThrow(
      /position of at most 2 batches/,
    );
    expect(() => make({}).loadState({ epoch: -1, position: 0, seed: 0 })).toThrow(
      /a state of epoch, position and seed/,
    );
  });
});

describe("samplers", () => {
  it("draw with and without replacement, from a subset, and by weight", () => {
    const generator = new RandomGenerator(3);
    expect([...new RandomSampler(5).sample(generator)].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(new Set(new RandomSampler(5, { numSamples: 3 }).sample(generator)).size).toBe(3);
    expect(new RandomSampler(2, { replacement: true, numSamples: 40 }).sample(generator)).toHaveLength(40);
    const more = [...new RandomSampler(3, { numSamples: 8 }).sample(generator)];
    for (const begin of [0, 3]) expect(more.slice(begin, begin + 3).sort()).toEqual([0, 1, 2]);
    expect(new Set(more.slice(6)).size).toBe(2);
    expect([...new SubsetRandomSampler([7, 9]).sample(generator)].sort()).toEqual([7, 9]);
    const drawn = new WeightedRandomSampler([1, 0, 3], 4000).sample(generator);
    const share = drawn.filter((index) => index === 2).length / 4000;
    expect(drawn).not.toContain(1);
    expect(share).toBeGreaterThan(0.72);
    expect(share).toBeLessThan(0.78);
  });

  it("draw by weight without replacement as torch.multinomial does", () => {
    const weights = [1, 0, 3, 6];
    const sampler = new WeightedRandomSampler(weights, 2, { replacement: false });
    const generator = new RandomGenerator(5);
    const counts = new Map<string, number>();
    for (let draw = 0; draw < 4000; draw++) {
      const pair = sampler.sample(generator).join();
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const [pair, count] of counts) {
      const [first, second] = pair.split(",").map((item) => weights[Number(item)]);
      const chance = (first / 10) * (second / (10 - first)); // one after the other from what is left
      expect(Math.abs(count / 4000 - chance), pair).toBeLessThan(0.03);
    }
    const all = new WeightedRandomSampler([2, 1e-300, 1e300], 3, { replacement: false });
    expect([...all.sample(generator)]).toEqual([2, 0, 1]);
    expect(() => new WeightedRandomSampler(weights, 4, { replacement: false })).toThrow(
      /at most 3 samples without replacement, as many as weights above 0, got 4/,
    );
    expect(() => new WeightedRandomSampler([1e308, 1e308])).toThrow(/finite sum of weights, got infinity/);
  });

  it("refuse what cannot be drawn", () => {
    expect(() => new RandomSampler(0, { replacement: true, numSamples: 2 })).toThrow(/items to draw from/);
    expect(() => new WeightedRandomSampler([1, -1])).toThrow(/got -1 at 1/);
    expect(() => new WeightedRandomSampler([0, 0])).toThrow(/a sum of 0/);
  });
});

describe("datasets refuse", () => {
  it("positions and tensors that do not fit", async () => {
    expect(() => counting(3).get(3)).toThrow(/index in \[0, 3\), got 3/);
    expect(() => new TensorDataset([])).toThrow(/at least one tensor/);
    expect(() => new TensorDataset([[[1, 2]], [0]] as never)).toThrow(
      /got an array; make tensors with tensor/,
    );
    const host = (shape: number[], length: number) => ({
      values: new Float32Array(length),
      shape,
      dtype: "float32" as const,
    });
    expect(() => new TensorDataset([host([3], 3), host([2], 2)])).toThrow(/one first size/);
    expect(() => new TensorDataset([host([3], 2)])).toThrow(/expected 3 values/);
    const collate = createCollate();
    expect(() => collate([Float32Array.of(1), Float32Array.of(1, 2)])).toThrow(
      /shape \[1\] at item of every item, got \[2\]/,
    );
    expect(() => collate([1, "a"])).toThrow(/expected a number at item/);
    expect(() => collate([[1], [1, 2]])).toThrow(/lists of length 1/);
    expect(() => collate([undefined])).toThrow(/pass \{ collate \}/);
    expect(() => createCollate({ numberDtype: "int32" })([0.5])).toThrow(
      /expected integers at item, got 0.5/,
    );
  });
});
